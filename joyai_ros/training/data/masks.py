"""Masks as runs of pixels."""

from __future__ import annotations

import numpy as np

from joyai_ros.geometry.arrays import Mask
from joyai_ros.geometry.boxes import Box2D

Runs = tuple[int, ...]


def runs_of(mask: Mask) -> Runs:
    """Return the lengths of the runs of a mask (h, w) row by row: false, true, false, ...; the first may be 0."""
    flat = np.concatenate([[False], np.asarray(mask, bool).ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.concatenate([edges, [mask.size]]) if len(edges) == 0 or edges[-1] != mask.size else edges
    return tuple(np.diff(np.concatenate([[0], ends])).tolist())


def mask_of(runs: Runs, height: int, width: int) -> Mask:
    """Return the mask (h, w) that runs describe.

    Raises:
        ValueError: they are not those of a mask of this size.
    """
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(f"runs of {sum(runs)} pixels are no mask of {width}x{height}")
    values = np.zeros(len(runs), dtype=bool)
    values[1::2] = True
    return np.repeat(values, runs).reshape(height, width)


def within(mask: Mask, box: Box2D) -> Mask:
    """Return the part of a mask (H, W) within a box of whole pixels."""
    x0, y0, x1, y1 = (round(value) for value in box)
    return mask[y0:y1, x0:x1]

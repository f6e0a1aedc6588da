"""Bridges over holes: what stands at the two ends of a hole, along its row and along its column.

A hole whose ends lie on one surface is bridged straight; one between two surfaces belongs to the farther of them: a
sensor loses what an object's edge shadows, a moved camera uncovers what an object hid, and both lie behind the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mask
from joyai_ros.geometry.surface import Plane, edge_threshold

_NONE = np.float32(0)


@dataclass(frozen=True)
class Spans:
    """The known pixels nearest to each of N hole pixels on both sides of a line through it.

    Attributes:
        start, end: (N,) float32 inverse depth at the two ends; 0 where the line leaves the image first.
        length: (N,) float32 pixels from end to end; infinite where one is missing.
        share: (N,) float32 in (0, 1): how far from start to end the pixel lies; undefined where one is missing.
    """

    start: Plane
    end: Plane
    length: Plane
    share: Plane

    def bridge(self, step: float) -> Plane:
        """Return inverse depth (N,): straight where both ends lie on one surface, else that of the farther end.

        Args:
            step: relative step of depth from pixel to pixel that is no edge yet.
        """
        behind = np.minimum(self.start, self.end)
        straight = self.start + (self.end - self.start) * self.share
        edge = np.abs(self.end - self.start) > edge_threshold(behind, step) * np.sqrt(self.length)
        return np.where(edge, behind, straight)


def bridged(nearness: Plane, known: Mask, step: float) -> tuple[NDArray[np.intp], Plane, Plane]:
    """Bridge every hole of an image (H, W) along its row or its column, whichever is shorter.

    Returns:
        The flat indices of the hole pixels, their inverse depth, and the bridge's length in pixels (infinite, and the
        depth meaningless, where there is no known pixel on both sides), each (N,).
    """
    holes, along, across = spans_of(nearness, known)
    value = np.where(along.length <= across.length, along.bridge(step), across.bridge(step))
    return holes, value, np.minimum(along.length, across.length)


def spans_of(nearness: Plane, known: Mask) -> tuple[NDArray[np.intp], Spans, Spans]:
    """Return the flat indices (N,) of the hole pixels of an image (H, W), and their spans along rows and columns."""
    height, width = known.shape
    holes = np.flatnonzero(~known)
    rows, columns = np.divmod(holes, width)
    flipped = columns * height + rows
    along = _along_rows(nearness, known, holes, columns)
    across = _along_rows(np.ascontiguousarray(nearness.T), np.ascontiguousarray(known.T), flipped, rows)
    return holes, along, across


def _along_rows(nearness: Plane, known: Mask, holes: NDArray[np.intp], columns: NDArray[np.intp]) -> Spans:
    width = nearness.shape[1]
    numbers = np.arange(width, dtype=np.int16 if width < 1 << 15 else np.int32)
    beyond = numbers.dtype.type(width)
    before = np.maximum.accumulate(np.where(known, numbers, numbers.dtype.type(-1)), axis=1)
    after = np.minimum.accumulate(np.where(known, numbers, beyond)[:, ::-1], axis=1)[:, ::-1]
    left = before.ravel().take(holes)
    right = after.ravel().take(holes)
    begin = holes - columns
    values = nearness.ravel()
    start = np.where(left >= 0, values.take(begin + np.maximum(left, 0)), _NONE)
    end = np.where(right < width, values.take(begin + np.minimum(right, width - 1)), _NONE)
    length = (right - left).astype(np.float32)
    share = (columns - left).astype(np.float32) / length
    return Spans(start, end, np.where((start > 0) & (end > 0), length, np.float32(np.inf)), share)

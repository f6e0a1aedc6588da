"""Which 2D boxes of two lists are of one thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from joyai_ros.geometry.boxes import Box2D, box2d_iou


def pair_boxes(first: Sequence[Box2D | None], second: Sequence[Box2D | None], least: float) -> list[tuple[int, int]]:
    """Return the pairs (place in ``first``, place in ``second``) that overlap: one to one, with the largest sum of overlaps.

    Args:
        first, second: boxes in the same unit; None is paired with nothing.
        least: intersection over union, above 0; boxes that overlap less are not paired.
    """
    overlaps = np.array([[box2d_iou(a, b) if a and b else 0.0 for b in second] for a in first])
    overlaps = overlaps.reshape(len(first), len(second))  # where one list is empty, too
    overlaps[overlaps < least] = 0.0
    rows, columns = linear_sum_assignment(-overlaps)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlaps[i, j] > 0.0]

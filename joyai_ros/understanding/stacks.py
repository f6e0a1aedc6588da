"""What of a listing stands on what: from how things look, where their boxes are, and the lengths that were worked out.

What stands on another thing seems further away than it is to whoever takes it to stand on the table: its foot is higher in
the image. Of two boxes of which one ends within the other, boxes alone do not tell whether that thing stands on the other or
behind it. So all that says something about it is weighed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.boxes import Box2D

Array = NDArray[np.float64]

_BEYOND = 0.02  # shares of the image by which a box may be beyond the one that it is held against
_NEVER = 1e-4
_DOUBT = 1.0  # taken off the log odds: a thing that is moved wrongly is further off than one that is wrongly not moved
# What each of these signs adds to the log odds that a thing stands on another one: fitted by benchmarks.stacks_told to its 700
# scenes from seed 1700000.
SIGNS = {
    "always": -0.95,
    "looks": 0.78,  # log odds, as it looks
    "foot": -1.21,  # how far its box ends from the lower edge of the one below, as a share of the height of that
    "above": 0.83,  # share of its width that is above that
    "higher": 40.49,  # metres by which its foot is higher than most, by the lengths that were worked out
}


def stacked(boxes: Sequence[Box2D], below: Array, heights: Array, looks: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return how likely each thing stands on another one of a listing, and on which.

    Args:
        boxes: N of them, as shares of the image's width and height; N >= 1.
        below: (N,) metres below the camera, of the middles of things.
        heights: (N,) metres, of the things.
        looks: (N,) how likely they stand on another thing, as they look.

    Returns:
        (N,) shares, 0 where there is none below it, and (N,) numbers, its own where there is none.
    """
    signs, under = signs_of(boxes, below, heights, looks)
    likely = 1.0 / (1.0 + np.exp(_DOUBT - signs @ np.array(list(SIGNS.values()))))
    return np.where(under == np.arange(len(boxes)), 0.0, likely), under


def signs_of(boxes: Sequence[Box2D], below: Array, heights: Array, looks: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return what says of each thing that it stands on another, (N, 5) in the order of :data:`SIGNS`, and the number of that.

    Args:
        boxes, below, heights, looks: as for :func:`stacked`.
    """
    feet = below + heights / 2.0
    looks = np.clip(looks, _NEVER, 1.0 - _NEVER)
    under = np.arange(len(boxes))
    ends = np.zeros((len(boxes), 2))
    for row, box in enumerate(boxes):
        # The one that most of it is above, and of several that all of it is above the one that ends highest.
        share, _, place = max((_above(box, other), -other[3], place) for place, other in enumerate(boxes))
        if share > 0.0:
            top, bottom = boxes[place][1], boxes[place][3]
            ends[row], under[row] = (min((bottom - box[3]) / max(bottom - top, _NEVER), 1.0), share), place
    return np.column_stack([np.ones(len(boxes)), np.log(looks / (1.0 - looks)), ends, np.median(feet) - feet]), under


def _above(box: Box2D, other: Box2D) -> float:
    """Return which share of a box's width is above another box, in which it ends and begins above; 0 where it does not."""
    middle = (box[0] + box[2]) / 2.0
    is_over = other != box and other[0] - _BEYOND < middle < other[2] + _BEYOND and box[1] < other[1] + _BEYOND
    if not (is_over and other[1] - _BEYOND < box[3] < other[3]):
        return 0.0
    return max((min(box[2], other[2]) - max(box[0], other[0])) / max(box[2] - box[0], _NEVER), 0.0)

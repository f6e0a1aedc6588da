"""How much of an object's outline is not its own: cut by something nearer, or by the image border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import DepthImage
from joyai_ros.scene.patch import Index, Patch

_LOOK = 6  # pixels beyond the outline within which an occluder would begin
_NEARER = 0.015  # metres by which it must be nearer
_BORDER = 2  # pixels


@dataclass(frozen=True)
class Occlusion:
    """Shares, 0 to 1, of the four sides of an object's outline in the image that something else cuts."""

    left: float = 0.0
    right: float = 0.0
    upper: float = 0.0
    lower: float = 0.0

    @property
    def across(self) -> float:
        """The worse of the two sides."""
        return max(self.left, self.right)

    @property
    def along(self) -> float:
        """The worse of upper and lower side."""
        return max(self.upper, self.lower)


def outline_occlusions(depth: DepthImage, patches: list[Patch]) -> list[Occlusion]:
    """Return how much of each object's outline is cut: beyond it something nearer begins, or the image ends.

    All objects are looked at in one go: each has a few hundred pixels of outline, too few to be worth calls of their own.

    Args:
        depth: (H, W) float32 metres, 0 where there is none.
        patches: the objects' pixels.
    """
    if not patches:
        return []
    height, width = depth.shape
    at_row, at_column, sides = _outlines(patches)
    # Pixels from there to the image border.
    room = np.choose(sides % 4, (at_column, width - 1 - at_column, at_row, height - 1 - at_row))
    cut = room < _BORDER
    # An occluder begins with a step. A surface that comes nearer pixel by pixel is what the object stands on.
    z, start, stride = depth.reshape(-1), at_row * width + at_column, np.array([-1, 1, -width, width])[sides % 4]
    last_seen = z[start]
    for step in range(1, _LOOK + 1):
        here = z[start + stride * np.minimum(room, step)]
        seen = here > 0
        cut |= seen & (here < last_seen - np.float32(_NEARER))
        last_seen = np.where(seen, here, last_seen)
    shares = np.bincount(sides, weights=cut) / np.bincount(sides)
    return [Occlusion(*four) for four in shares.reshape(-1, 4).tolist()]


def _outlines(patches: list[Patch]) -> tuple[Index, Index, Index]:
    """Return rows and columns of the outermost pixels (N,) of all patches, and which patch and side each is of.

    The latter counts left, right, upper and lower side of the first patch, then of the next.
    """
    rows: list[Index] = []
    columns: list[Index] = []
    for patch in patches:
        (row, first, last), (column, upper, lower) = patch.by_row, patch.by_column
        rows += [row, row, upper, lower]
        columns += [first, last, column, column]
    sides = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return np.concatenate(rows), np.concatenate(columns), sides

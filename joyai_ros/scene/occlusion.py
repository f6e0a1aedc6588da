"""How much of an object's outline is not its own: cut by something nearer, or by the image border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import DepthImage
from joyai_ros.scene.patch import Index, Patch

_LOOK = 6  # pixels beyond the outline within which an occluder would begin
_NEARER = 0.015  # metres by which it must be nearer
_BORDER = 2  # pixels
_DOWN, _ACROSS = np.array([0, 0, -1, 1]), np.array([-1, 1, 0, 0])  # out of the left, right, upper and lower side


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
    down, across = _DOWN[sides % 4], _ACROSS[sides % 4]
    edge_row, edge_column = at_row + _BORDER * down, at_column + _BORDER * across
    cut = (edge_row < 0) | (edge_row >= height) | (edge_column < 0) | (edge_column >= width)
    # An occluder begins with a step. A surface that comes nearer pixel by pixel is what the object stands on.
    z = depth.reshape(-1)
    last_seen = z[at_row * width + at_column]
    for _ in range(_LOOK):
        at_row, at_column = at_row + down, at_column + across
        inside = np.minimum(np.maximum(at_row, 0), height - 1) * width + np.minimum(np.maximum(at_column, 0), width - 1)
        here = z[inside]
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

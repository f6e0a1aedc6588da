"""How much of an object's outline is not its own: cut by something nearer, or by the image border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import DepthImage
from joyai_ros.scene.patch import Patch

_LOOK = 6  # pixels beyond the outline within which an occluder would begin
_NEARER = 0.015  # metres by which it must be nearer
_BORDER = 2  # pixels
_REACH = np.arange(1, _LOOK + 1)[:, None]
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


def outline_occlusion(depth: DepthImage, patch: Patch) -> Occlusion:
    """Return how much of the outline of an object's pixels is cut: beyond it something nearer begins, or the image ends.

    Args:
        depth: (H, W) float32 metres, 0 where there is none.
        patch: the object's pixels.
    """
    (rows, first, last), (columns, upper, lower) = patch.by_row, patch.by_column
    height, width = depth.shape
    at_row, at_column = np.concatenate([rows, rows, upper, lower]), np.concatenate([first, last, columns, columns])
    sides = np.repeat(np.arange(4), [len(rows), len(rows), len(columns), len(columns)])
    down, across = _DOWN[sides], _ACROSS[sides]
    edge_row, edge_column = at_row + _BORDER * down, at_column + _BORDER * across
    cut = (edge_row < 0) | (edge_row >= height) | (edge_column < 0) | (edge_column >= width)
    beyond_rows = np.clip(at_row + _REACH * down, 0, height - 1)
    beyond_columns = np.clip(at_column + _REACH * across, 0, width - 1)
    around = depth.reshape(-1)[beyond_rows * width + beyond_columns]
    # An occluder begins with a step. A surface that comes nearer pixel by pixel is what the object stands on.
    last_seen = depth[at_row, at_column]
    for here in around:
        seen = here > 0
        cut |= seen & (here < last_seen - _NEARER)
        last_seen = np.where(seen, here, last_seen)
    shares = np.bincount(sides, weights=cut) / np.bincount(sides)
    return Occlusion(*shares.tolist())

"""How much of an object's outline is not its own: cut by something nearer, or by the image border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage

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


def outline_occlusion(depth: DepthImage, pixels: NDArray[np.int64]) -> Occlusion:
    """Return how much of the outline of ``pixels`` (N,) flat indices is cut.

    Args:
        depth: (H, W) float32 metres, 0 where there is none.
        pixels: of the object.
    """
    rows, columns = np.divmod(pixels, depth.shape[1])
    top, left = int(rows.min()), int(columns.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=bool)
    mask[rows - top, columns - left] = True
    by_row, by_column = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    first, last = np.argmax(mask, axis=1)[by_row], mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)[by_row]
    upper, lower = np.argmax(mask, axis=0)[by_column], mask.shape[0] - 1 - np.argmax(mask[::-1], axis=0)[by_column]
    return Occlusion(
        left=_cut(depth, by_row + top, first + left, (0, -1)),
        right=_cut(depth, by_row + top, last + left, (0, 1)),
        upper=_cut(depth, upper + top, by_column + left, (-1, 0)),
        lower=_cut(depth, lower + top, by_column + left, (1, 0)),
    )


def _cut(depth: DepthImage, rows: NDArray[np.int64], columns: NDArray[np.int64], step: tuple[int, int]) -> float:
    """Return the share of outline pixels beyond which something nearer begins, or the image ends."""
    height, width = depth.shape
    reach = np.arange(1, _LOOK + 1)
    beyond_rows, beyond_columns = rows[:, None] + step[0] * reach, columns[:, None] + step[1] * reach
    outside = (
        (beyond_rows[:, _BORDER - 1] < 0)
        | (beyond_rows[:, _BORDER - 1] >= height)
        | (beyond_columns[:, _BORDER - 1] < 0)
        | (beyond_columns[:, _BORDER - 1] >= width)
    )
    around = depth[np.clip(beyond_rows, 0, height - 1), np.clip(beyond_columns, 0, width - 1)]
    # An occluder begins with a step. A surface that comes nearer pixel by pixel is what the object stands on.
    last = depth[rows, columns]
    nearer = np.zeros(len(rows), dtype=bool)
    for k in range(_LOOK):
        here = around[:, k]
        nearer |= (here > 0) & (here < last - _NEARER)
        last = np.where(here > 0, here, last)
    return float((outside | nearer).mean())

"""The pixels of one object, and its outline in the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mask
from joyai_ros.geometry.boxes import Box2D

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Patch:
    """Some pixels of an image.

    Attributes:
        pixels: (N,) flat indices, N >= 1.
        top, left: first row and column.
        mask: (h, w) bool, the pixels in the rectangle around them.
    """

    pixels: Index
    top: int
    left: int
    mask: Mask

    @classmethod
    def of(cls, pixels: Index, width: int) -> Patch:
        """The patch of flat indices (N,), N >= 1, in an image of this width."""
        top, bottom = int(pixels.min()) // width, int(pixels.max()) // width
        rows = np.zeros((bottom - top + 1, width), dtype=bool)
        rows.reshape(-1)[pixels - top * width] = True
        columns = np.flatnonzero(rows.any(axis=0))
        left = int(columns[0])
        return cls(pixels, top, left, rows[:, left : int(columns[-1]) + 1].copy())

    @property
    def box(self) -> Box2D:
        """The tight 2D box."""
        height, width = self.mask.shape
        return float(self.left), float(self.top), float(self.left + width), float(self.top + height)

    def sample(self, most: int) -> Index:
        """Return at most so many of the pixels, evenly chosen."""
        if len(self.pixels) <= most:
            return self.pixels
        return self.pixels[np.arange(most) * (len(self.pixels) - 1) // (most - 1)]

    def holds(self, rows: Index, columns: Index) -> NDArray[np.bool_]:
        """Return (K,) bool: which places in the image, by row and column (K,), are pixels of the patch."""
        rows, columns = rows - self.top, columns - self.left
        inside = (rows >= 0) & (rows < self.mask.shape[0]) & (columns >= 0) & (columns < self.mask.shape[1])
        inside[inside] = self.mask[rows[inside], columns[inside]]
        return inside

    @cached_property
    def by_row(self) -> tuple[Index, Index, Index]:
        """(K,) rows that hold pixels, and the first and the last column in each, of the whole image."""
        rows, first, last = _ends(self.mask)
        return rows + self.top, first + self.left, last + self.left

    @cached_property
    def by_column(self) -> tuple[Index, Index, Index]:
        """(K,) columns that hold pixels, and the first and the last row in each, of the whole image."""
        columns, first, last = _ends(np.ascontiguousarray(self.mask.T))
        return columns + self.left, first + self.top, last + self.top


def _ends(mask: Mask) -> tuple[Index, Index, Index]:
    """Return the rows (K,) of a mask that hold pixels, and the first and the last column in each."""
    first = mask.argmax(axis=1)
    lines = np.flatnonzero(mask[np.arange(len(mask)), first])
    last = cv2.flip(mask.view(np.uint8), 1).view(np.bool_).argmax(axis=1)
    return lines, first[lines], mask.shape[1] - 1 - last[lines]

"""Resolutions that a model knows: which one fits a camera, and what the fitting does to the camera.

The model's buckets at 1024 are scaled down for smaller sizes; all sides stay multiples of 16, a latent patch. An image is
enlarged or reduced to cover its bucket and cropped about its middle; the camera's intrinsics follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.cameras import Camera

BASES = (64, 128, 256, 512, 768, 1024)
_FULL = 1024
_PATCH = 16  # pixels of a latent patch: VAE 8, patch 2


class BucketError(InputError):
    """There are no buckets of this size."""


@dataclass(frozen=True)
class Fitting:
    """How an image is fitted into a bucket.

    Attributes:
        source: (width, height) of the image.
        scaled: (width, height) that it is resized to.
        left, top: pixels that are then cut off.
        bucket: (width, height) that are left.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    left: int
    top: int
    bucket: tuple[int, int]

    def image(self, image: ColorImage) -> ColorImage:
        """Return an image (H, W, 3) of the source's size fitted into the bucket."""
        method = cv2.INTER_AREA if self.scaled[0] < self.source[0] else cv2.INTER_LINEAR
        resized = cv2.resize(image, self.scaled, interpolation=method)
        width, height = self.bucket
        return np.ascontiguousarray(resized[self.top : self.top + height, self.left : self.left + width])

    def camera(self, camera: Camera) -> Camera:
        """Return the undistorted camera of the fitted image; pixel centres are at whole numbers."""
        across, down = self.scaled[0] / self.source[0], self.scaled[1] / self.source[1]
        return Camera(
            self.bucket[0],
            self.bucket[1],
            camera.fx * across,
            camera.fy * down,
            (camera.cx + 0.5) * across - 0.5 - self.left,
            (camera.cy + 0.5) * down - 0.5 - self.top,
        )


def buckets(base: int, full: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the (height, width) buckets of a base size.

    Args:
        base: one of :data:`BASES`.
        full: the model's own (height, width) buckets at 1024.

    Raises:
        BucketError: there are none of this base.
    """
    if base not in BASES:
        raise BucketError(f"there are no buckets of size {base}; sizes are: {', '.join(map(str, BASES))}")
    scaled = {
        (height * base // _FULL // _PATCH * _PATCH, width * base // _FULL // _PATCH * _PATCH) for height, width in full
    }
    return sorted(size for size in scaled if min(size) > 0)


def fit(size: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> Fitting:
    """Return how an image is fitted into the bucket whose shape is closest to its own.

    Args:
        size: (width, height) of the image.
        sizes: (height, width) buckets.
    """
    width, height = size
    high, wide = min(sizes, key=lambda item: (abs(item[0] / item[1] - height / width), -item[0] * item[1]))
    scale = max(high / height, wide / width)
    scaled = math.ceil(width * scale - 1e-9), math.ceil(height * scale - 1e-9)
    return Fitting(size, scaled, (scaled[0] - wide) // 2, (scaled[1] - high) // 2, (wide, high))

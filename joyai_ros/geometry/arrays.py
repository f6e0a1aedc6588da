"""Names for the array types used in signatures, and what refuses an image that is none. Shapes stand in the docstrings and in
the comments here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import ImageError

Float: TypeAlias = NDArray[np.floating[Any]]  # any float array; shape in the docstring
Vec3: TypeAlias = NDArray[np.floating[Any]]  # (3,)
Points: TypeAlias = NDArray[np.floating[Any]]  # (N, 3) metres
Pixels: TypeAlias = NDArray[np.floating[Any]]  # (N, 2) pixels, (u, v)
Mat3: TypeAlias = NDArray[np.floating[Any]]  # (3, 3)
Mat4: TypeAlias = NDArray[np.floating[Any]]  # (4, 4) rigid transform
DepthImage: TypeAlias = NDArray[np.float32]  # (H, W) metres, 0 where there is none
ColorImage: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB
GrayImage: TypeAlias = NDArray[np.uint8]  # (H, W)
Mask: TypeAlias = NDArray[np.bool_]  # (H, W)


def check_image(image: ColorImage, what: str = "an image") -> None:
    """Refuse what is no colour image of at least one pixel.

    Raises:
        ImageError: it is not (H, W, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(f"{what} has shape {image.shape} and type {image.dtype}; give (H, W, 3) uint8 RGB")

"""Names for the array types used in signatures. Shapes stand in the docstrings and in the comments here."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

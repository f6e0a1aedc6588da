"""Pictures for the surfaces: checker, stripes and smooth noise between two colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.sim.description import Texture

SIZE = 128  # pixels a side


def picture(texture: Texture) -> ColorImage:
    """Return one repeat of a texture as (SIZE, SIZE, 3) uint8 RGB; it joins onto itself without a seam."""
    mix = _PATTERNS[texture.pattern](texture.seed)[..., None]
    first, second = np.array(texture.color), np.array(texture.second)
    return np.round(255.0 * (first * (1.0 - mix) + second * mix)).astype(np.uint8)


def _plain(seed: int) -> NDArray[np.float64]:
    return np.zeros((SIZE, SIZE))


def _checker(seed: int) -> NDArray[np.float64]:
    half = np.arange(SIZE) >= SIZE // 2
    return (half[:, None] ^ half[None, :]).astype(np.float64)


def _stripes(seed: int) -> NDArray[np.float64]:
    return np.broadcast_to((np.arange(SIZE) >= SIZE // 2).astype(np.float64)[:, None], (SIZE, SIZE))


def _noise(seed: int) -> NDArray[np.float64]:
    """Smooth noise of three scales; wrapped borders make it periodic."""
    generator = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros((SIZE, SIZE))
    for sigma, weight in ((2.0, 0.3), (5.0, 0.5), (12.0, 0.8)):
        margin = int(4 * sigma)
        wrapped = np.pad(generator.random((SIZE, SIZE)) - 0.5, margin, mode="wrap")
        smooth = cv2.GaussianBlur(wrapped, (0, 0), sigma)[margin:-margin, margin:-margin]
        total += weight * smooth / smooth.std()
    low, high = np.percentile(total, (2, 98))
    return np.asarray(np.clip((total - low) / (high - low), 0.0, 1.0))


_PATTERNS = {"plain": _plain, "checker": _checker, "stripes": _stripes, "noise": _noise}

"""Which colours an object shows, as a histogram that shade changes little."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from joyai_ros.geometry.arrays import ColorImage

_CHROMA_BINS = 12  # of a colour histogram, each for the shares of red and green
_LEAST_CHROMA, _CHROMA_SCALE = 0.08, 12 / 0.6  # the range of those shares that is told apart
_BRIGHTNESS_BINS = 4
_LENT = (
    0.8,
    0.8,
    1.5,
)  # bins: a shaded side shows colours that the lit one did not, so neighbours lend each other weight


def color_bins(color: ColorImage) -> NDArray[np.int32]:
    """Return (h, w) int32 bin numbers of chromaticity, which shade changes little, and coarse brightness."""
    smooth = cv2.blur(color, (3, 3)).astype(np.float32) + 4.0
    total = smooth.sum(axis=2)
    red = np.clip((smooth[..., 0] / total - _LEAST_CHROMA) * _CHROMA_SCALE, 0, _CHROMA_BINS - 1).astype(np.int32)
    green = np.clip((smooth[..., 1] / total - _LEAST_CHROMA) * _CHROMA_SCALE, 0, _CHROMA_BINS - 1).astype(np.int32)
    bright = np.clip(total * (_BRIGHTNESS_BINS / 768.0), 0, _BRIGHTNESS_BINS - 1).astype(np.int32)
    return np.asarray((red * _CHROMA_BINS + green) * _BRIGHTNESS_BINS + bright, dtype=np.int32)


def color_shares(bins: NDArray[np.int32], seed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each bin among the pixels of a seed (h, w), smoothed over neighbouring bins."""
    counts = np.bincount(bins[seed], minlength=_CHROMA_BINS**2 * _BRIGHTNESS_BINS) / max(int(seed.sum()), 1)
    cube = counts.reshape(_CHROMA_BINS, _CHROMA_BINS, _BRIGHTNESS_BINS)
    return np.asarray(gaussian_filter(cube, _LENT, mode="nearest").reshape(-1))

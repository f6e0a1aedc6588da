"""Which colours an object shows, as a histogram that shade changes little."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from joyai_ros.geometry.arrays import ColorImage

_CHROMA_BINS = 12  # of a colour histogram, each for the shares of red and green
_LEAST_CHROMA, _CHROMA_SCALE = 0.08, 12 / 0.6  # the range of those shares that is told apart
_BRIGHTNESS_BINS = 4
# Bins of chromaticity and of brightness: a shaded side shows colours that the lit one did not, so neighbours lend each
# other weight.
_LENT = (0.8, 1.5)


def _lending(bins: int, lent: float) -> NDArray[np.float64]:
    """Return the (bins, bins) weights with which each bin of an axis takes from the others."""
    return np.asarray(gaussian_filter1d(np.eye(bins), lent, axis=0, mode="nearest"))


_LEND_CHROMA, _LEND_BRIGHT = _lending(_CHROMA_BINS, _LENT[0]), _lending(_BRIGHTNESS_BINS, _LENT[1])
_LEND_REST = np.kron(_LEND_CHROMA, _LEND_BRIGHT).T.copy()  # along green and brightness at once


def color_bins(color: ColorImage, stride: int = 1) -> NDArray[np.int16]:
    """Return (h, w) int16 bin numbers of chromaticity, which shade changes little, and coarse brightness.

    Args:
        color: (H, W, 3) uint8 RGB.
        stride: pixels between those that are looked at.
    """
    smooth = cv2.blur(color, (3, 3))[::stride, ::stride]
    red, green, blue = (smooth[..., channel].astype(np.float32) for channel in range(3))
    red += 4.0
    green += 4.0
    total = red + green
    total += blue
    total += 4.0
    for share in (red, green):
        share /= total
        share -= _LEAST_CHROMA
        share *= _CHROMA_SCALE
    total *= _BRIGHTNESS_BINS / 768.0
    bins = np.zeros(total.shape, dtype=np.int16)
    for bin_count, values in ((_CHROMA_BINS, red), (_CHROMA_BINS, green), (_BRIGHTNESS_BINS, total)):
        bins *= np.int16(bin_count)
        bins += values.astype(np.int16).clip(0, bin_count - 1)  # whole numbers are clipped many times faster
    return bins


def color_shares(bins: NDArray[np.int16], seed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each bin among the pixels of a seed (h, w), smoothed over neighbouring bins."""
    number = _CHROMA_BINS**2 * _BRIGHTNESS_BINS
    counts = cv2.calcHist([bins.view(np.uint16)], [0], seed.astype(np.uint8), [number], [0, number]).reshape(-1)
    shares = _LEND_CHROMA @ counts.reshape(_CHROMA_BINS, -1) @ _LEND_REST
    return np.asarray(shares.reshape(-1) / max(int(counts.sum()), 1))

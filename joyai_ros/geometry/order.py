"""Order statistics without interpolation: several times quicker than NumPy's on the few thousand numbers of an object."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_IMAGE = 64  # numbers; OpenCV takes fewer for a scalar


def quantile(values: NDArray[Any], share: float) -> float:
    """Return the value of ``values`` (N,), N >= 1, whose rank is nearest to ``share`` (0 smallest, 1 largest)."""
    rank = round(share * (len(values) - 1))
    ranked = values.copy()
    ranked.partition(rank)
    return float(ranked[rank])


def quantiles(values: NDArray[Any], shares: tuple[float, ...]) -> list[float]:
    """Return :func:`quantile` for several shares at once."""
    ranks = [round(share * (len(values) - 1)) for share in shares]
    ranked = values.copy()
    ranked.partition(ranks)
    return [float(ranked[rank]) for rank in ranks]


def median(values: NDArray[Any]) -> float:
    """Return the middle value of ``values`` (N,), N >= 1; of an even number the lower of the two in the middle or near."""
    return quantile(values, 0.5)


def at_least(floor: float, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``values`` (any shape) with a lower bound; none of them may be NaN.

    ``np.maximum`` looks for NaN, which on an image takes three times as long as the rest.
    """
    if values.ndim != 2 or values.size < _IMAGE:
        return np.maximum(values, np.float32(floor))
    return np.asarray(cv2.max(values, floor))

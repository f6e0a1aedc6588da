"""Where a surface ends, told from noisy points on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = 0.25  # sigmas between the places that are tried
_REACH = 6.0  # sigmas inwards from the outermost point that are searched
_WINDOW = 0.5  # sigmas to either side over which the density is taken
_STRAY = 0.004  # share of the points that may lie beyond the edge by mistake


def outer_edge(values: NDArray[np.float64], sigma: float) -> float:
    """Return where points along one axis end on the high side, without the overshoot that noise gives the outermost.

    The outermost of n noisy points lies some sigmas outside, and the more so the more points there are. Here the edge is
    where the number N of points beyond equals the density g there times sigma. For normal noise N / (g sigma) is
    sqrt(pi / 2) = 1.25 at a face that is seen head-on (all points at one value) and 2 / sqrt(2 pi) = 0.80 at the end of
    an evenly covered surface: between the two, the error is below a third of a sigma for either.

    Args:
        values: (N,) metres, N >= 1.
        sigma: metres, one standard deviation of the noise along this axis, > 0.
    """
    inwards = np.sort(-values)
    first = min(max(3, int(_STRAY * len(inwards))), len(inwards) - 1)
    tried = inwards[first] + np.arange(0.0, _REACH, _STEP) * sigma
    window = _WINDOW * sigma
    beyond, near, before = np.searchsorted(inwards, tried + np.array([[0.0], [window], [-window]]))
    reached = beyond >= (near - before) * (sigma / (2.0 * window))
    return -float(tried[int(np.argmax(reached))])  # none reached: argmax is 0, the outermost point but the strays

"""Round bodies that lie: of a can on its side the far half is never seen, but its width is its height."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.order import median, quantile
from joyai_ros.scene.footprint import Footprint

_LONG = 1.25  # times its width that such a body is longer, at least
_NARROW, _WIDE = 0.6, 1.1  # of the height: the width that shows of one
_ROUNDS = 4
_SAMPLE = 400  # points that it is fitted to, about
_MISFIT = 0.8  # sigmas, and
_ROUGH = 0.03  # of the radius: median distance of the points from the round surface
_OUTSIDE = 2.5  # sigmas off it, and as many times that share of the radius, that few points are
_FEW = 0.15
_ENDS = 0.004  # share of the points beyond each end
_WITHIN = 0.85  # of the radius from the axis: points of an end, not of the side
_LEAST = 12  # of them
_END_PLAY = 0.15  # of the radius: how far an end may be off

Array = NDArray[np.float64]


def fit_lying(
    points: Array, seen: Footprint, bottom: float, top: float, camera: float, noise: float, pitch: float
) -> Footprint | None:
    """Return the footprint of a round body on its side, completed; None where the points are not on one.

    Args:
        points: (N, 3) right, forward, up over the surface; metres.
        seen: the rectangle around what shows of it.
        bottom, top: its lowest and highest level, metres.
        camera: metres over the surface.
        noise: metres, depth noise (one standard deviation).
        pitch: metres between neighbouring depth pixels on it.
    """
    radius = (top - bottom) / 2.0
    if radius <= 0.0 or seen.length < _LONG * 2.0 * radius:
        return None
    if not _NARROW < seen.width / (2.0 * radius) < _WIDE + pitch / radius:
        return None
    across = np.array([-seen.axis[1], seen.axis[0]])
    if float(across @ seen.center) < 0.0:
        across = -across  # away from the viewer
    across_all, up_all = (points[:, :2] - seen.center) @ across, points[:, 2] - bottom - radius
    some = np.s_[:: max(len(points) // _SAMPLE, 1)]
    aside, up = np.ascontiguousarray(across_all[some]), np.ascontiguousarray(up_all[some])
    middle = -seen.width / 2.0 + radius
    for _ in range(_ROUNDS):
        offset = aside - middle
        distance = np.maximum(np.hypot(offset, up), 1e-6)
        slope = offset / distance
        off = distance - radius
        kept = np.abs(off) < 0.5 * radius
        steep = float(np.square(slope) @ kept)
        if steep < 1e-3 * len(aside):
            return None
        middle += float((slope * off) @ kept) / steep
    distance = np.hypot(aside - middle, up)
    off = np.abs(distance - radius)[distance > _WITHIN * radius]
    if len(off) < 0.5 * len(distance) or median(off) > _MISFIT * noise + _ROUGH * radius:
        return None
    if np.count_nonzero(off > _OUTSIDE * (noise + _ROUGH * radius)) > _FEW * len(off):
        return None
    along, distance = (points[:, :2] - seen.center) @ seen.axis, np.hypot(across_all - middle, up_all)
    (low, low_round), (high, high_round) = _end(-along, distance, radius), _end(along, distance, radius)
    if low_round != high_round:  # the end that is turned away is as round as the other, and its tip out of sight
        toward = np.array([*-seen.center, camera - bottom - radius])
        beyond = radius * (1.0 - math.sqrt(1.0 - min(float(seen.axis @ toward[:2]) ** 2 / float(toward @ toward), 1.0)))
        low, high = low + beyond * high_round, high + beyond * low_round
    low = -low
    center = seen.center + middle * across + (low + high) / 2.0 * seen.axis
    x, y = (np.abs(seen.axis) * _END_PLAY * radius).tolist()
    return Footprint(center, seen.axis, high - low, 2.0 * radius, False, True, (x, y), _END_PLAY * radius)


def _end(along: Array, distance: Array, radius: float) -> tuple[float, bool]:
    """Return where a body ends on the high side, and whether it is seen to be rounded there.

    Args:
        along: (N,) metres along the axis.
        distance: (N,) metres from the axis.
        radius: of the body, metres.
    """
    edge = quantile(along, 1.0 - _ENDS)
    of_end = (distance < _WITHIN * radius) & (along > edge - 1.2 * radius)
    if np.count_nonzero(of_end) < _LEAST:
        return edge, False
    flat = along[of_end]
    middle = flat - np.sqrt(radius**2 - np.square(distance[of_end]))  # of the ball that a rounded end is half of
    at = median(middle)
    if median(np.abs(middle - at)) > median(np.abs(flat - median(flat))):
        return edge, False
    return max(edge, min(at + radius, edge + radius)), True

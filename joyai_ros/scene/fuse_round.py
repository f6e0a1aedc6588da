"""Bodies of revolution: bottles, mugs, bowls and balls whose far side nobody has seen.

Every slice across the axis is a circle about one common middle. Middle and radii are found by Gauss-Newton with Tukey's
biweight on the distances of points on the near side, each weighted by its own noise along the surface normal: where the
line of sight grazes the surface, depth noise moves a point along it, so the outline counts most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.scene.fuse_edge import outer_edge

Array = NDArray[np.float64]

_WIDE = (0.4, 0.25, 0.12)  # of the radius: points farther off do not count in the first rounds, and
_NARROW = 3.0  # sigmas in the later ones
_ROUNDS = 8
_CONVERGED = 1e-4  # metres
_WANDER = 1.5  # first radii that the middle may move
_SECTORS = 36
_INLIER = 2.5  # sigmas, and
_SLACK = 0.001  # metres off the circle: still on it
_CLEARLY = 0.002  # metres, and as many sigmas: clearly off it
_LEAST = 30  # points
_PRIOR_SIGMA = 0.003  # metres


@dataclass(frozen=True)
class Slices:
    """Points in a plane across an axis, metres; all arrays are (N,).

    Attributes:
        x, y: where they are.
        slice_of: which slice along the axis each is in, 0 to count - 1.
        count: how many slices.
        ray_x, ray_y: the components, in this plane, of the unit line of sight to each point.
        noise: along the line of sight, one standard deviation.
        pitch: between neighbouring depth pixels: nothing is known more finely.
    """

    x: Array
    y: Array
    slice_of: NDArray[np.int64]
    count: int
    ray_x: Array
    ray_y: Array
    noise: Array
    pitch: float


@dataclass(frozen=True)
class Round:
    """A body of revolution, and how well the points lie on it.

    Attributes:
        middle: (2,) of the axis in the plane.
        radius: largest, metres.
        arc: radians of the circle that were seen.
        deviation: rms over the seen sectors of their mean distance from the circle, as a share of the radius.
        misfit: median distance in sigmas of the near points not inside the circle; 0.67 for normal noise.
        outside: share of the near points that lie clearly outside the circle of their slice.
        beyond: (N,) bool, which points lie clearly outside the largest circle, on any side.
    """

    middle: Array
    radius: float
    arc: float
    deviation: float
    misfit: float
    outside: float
    beyond: NDArray[np.bool_]


def fit_round(slices: Slices, middle: Array, radius: float, known_y: float | None = None) -> Round | None:
    """Return the body of revolution through the points; None where there is no such fit at all.

    Args:
        slices: the points.
        middle: (2,) where the axis may be.
        radius: what its radius may be.
        known_y: the second coordinate of the middle, where it is known to some millimetres.
    """
    center = np.array(middle, dtype=np.float64)
    radii = _first_radii(slices, center, radius)
    for turn in range(_ROUNDS):
        wide = _WIDE[turn] * radius if turn < len(_WIDE) else 0.0
        step = _improve(slices, center, radii, wide, known_y)
        if step is None:
            return None
        length = float(np.hypot(step[0][0], step[0][1]))
        center = center + step[0] * min(1.0, 0.5 * radius / max(length, 1e-12))
        radii = step[1]
        if np.hypot(center[0] - middle[0], center[1] - middle[1]) > _WANDER * radius:
            return None
        if turn >= len(_WIDE) and length < _CONVERGED:
            break
    return _judge(slices, center, radii)


def _polar(slices: Slices, center: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Return distances, unit normals x and y, their cosine to the line of sight, and the sigmas, each (N,)."""
    dx, dy = slices.x - center[0], slices.y - center[1]
    distance = np.sqrt(dx * dx + dy * dy)
    scale = 1.0 / np.maximum(distance, 1e-6)
    nx, ny = dx * scale, dy * scale
    cosine = nx * slices.ray_x + ny * slices.ray_y
    spread = slices.noise * cosine
    return distance, nx, ny, cosine, np.sqrt(spread * spread + slices.pitch**2)


def _first_radii(slices: Slices, center: Array, radius: float) -> Array:
    distance, _, _, cosine, _ = _polar(slices, center)
    near = (cosine < 0.0).astype(np.float64)
    count = np.bincount(slices.slice_of, weights=near, minlength=slices.count)
    total = np.bincount(slices.slice_of, weights=near * distance, minlength=slices.count)
    return np.where(count > 5, total / np.maximum(count, 1.0), radius)


def _improve(
    slices: Slices, center: Array, radii: Array, wide: float, known_y: float | None
) -> tuple[Array, Array] | None:
    """Return the step of the middle (2,) and the new radii, the radii eliminated from the normal equations."""
    distance, nx, ny, cosine, sigma = _polar(slices, center)
    off = (distance - radii[slices.slice_of]) / np.maximum(_NARROW * sigma, wide)
    keep = np.maximum(1.0 - off * off, 0.0) * (cosine < 0.05)
    weight = np.square(keep / sigma)

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(slices.slice_of, weights=values, minlength=slices.count), dtype=np.float64)

    weight_x, weight_y = weight * nx, weight * ny
    weights = total(weight) + 1e-3
    totals = np.stack([total(weight_x), total(weight_y)])
    distances = total(weight * distance)
    (a, b), (_, c) = ((totals / weights) @ totals.T).tolist()
    a, b, c = float(weight_x @ nx) - a, float(weight_x @ ny) - b, float(weight_y @ ny) - c
    x, y = (totals @ (distances / weights)).tolist()
    x, y = float(weight_x @ distance) - x, float(weight_y @ distance) - y
    if known_y is not None:
        c += _PRIOR_SIGMA**-2
        y += _PRIOR_SIGMA**-2 * (known_y - float(center[1]))
    damping = 1e-6 * (a + c) + 1e-9
    a, c = a + damping, c + damping
    determinant = a * c - b**2
    if not math.isfinite(determinant) or determinant <= 0.0:
        return None
    step = np.array([c * x - b * y, a * y - b * x]) / determinant
    return step, np.where(weights > 1.0, (distances - step @ totals) / weights, radii)


def _judge(slices: Slices, center: Array, radii: Array) -> Round | None:
    distance, nx, ny, cosine, sigma = _polar(slices, center)
    off = distance - radii[slices.slice_of]
    near = cosine < 0.0
    clearly = _INLIER * sigma + _CLEARLY
    on_it = near & (np.abs(off) < _INLIER * sigma + _SLACK)
    if np.count_nonzero(on_it) < _LEAST:
        return None
    radius = outer_edge(distance[on_it], float(np.median(sigma[on_it])))
    sector = np.floor((np.arctan2(ny, nx) + np.pi) / (2.0 * np.pi) * _SECTORS).astype(np.int64) % _SECTORS
    count = np.bincount(sector[on_it], minlength=_SECTORS)
    seen = count > max(3.0, 0.1 * count.max())
    weight = (near & (np.abs(off) < 0.3 * radius)) / np.square(sigma)
    total = np.maximum(np.bincount(sector, weights=weight, minlength=_SECTORS), 1e-9)
    mean = np.bincount(sector, weights=weight * off, minlength=_SECTORS) / total
    facing = near & (off > -clearly)
    return Round(
        middle=center,
        radius=radius,
        arc=float(np.count_nonzero(seen)) * 2.0 * np.pi / _SECTORS,
        deviation=float(np.sqrt(np.mean(np.square(mean[seen])))) / radius if seen.any() else np.inf,
        misfit=float(np.median(np.abs(off[facing]) / sigma[facing])),
        outside=float(np.count_nonzero(near & (off > clearly))) / max(int(np.count_nonzero(near)), 1),
        beyond=distance > radius + clearly,
    )

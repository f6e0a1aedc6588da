"""The outline of an object seen from above, and the rectangle around it.

One view shows the near side of an object and, from above, its top. The far side of a round object without a flat top is
never seen, so a circle is completed where the near outline is one; else the smallest rectangle around what is seen stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.order import quantile

_MIN_CELL = 0.003  # metres
_MOST_CELLS = 1000  # along a side: what is spread wider is no object, and must not cost more than one
_ALONE = 0.25  # cells with fewer points than this share of the median cell are stray depth
_BULGE = 1.5  # noise sigmas by which the outermost points of the near side lie before it
_TRIM = 0.005  # share of the points beyond each side
_TURNS = np.radians(np.arange(0.0, 90.0, 5.0))  # of the smallest rectangle, at which others are tried
_AS_SMALL = 1.03  # times the smallest area
_ON_SIDE = 0.004  # metres from a side that still lie on it
_SECTORS = 36  # of the outline around its middle
_NEAR_SIDE = np.radians(95.0)  # either way from the viewer: the part of the outline that is certainly seen
_ROUNDNESS = 0.035  # of the radius, plus a pixel: rms distance of the near outline from a circle
_MIN_ARC = np.radians(110.0)  # of that circle which must be seen
_KEPT = 0.67  # of the whole outline that a circle must explain where the near part does not
_WIDTH = (0.85, 1.1)  # of the diameter: the extent across the view that a circle of this size shows
_OVERSHOOT = 1.12  # radii beyond which no point of a round object lies

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Footprint:
    """A rectangle in the level plane, x right and y forward of the viewer, metres.

    Attributes:
        center: (2,) its centre.
        axis: (2,) unit, along its length.
        length, width: extents, length >= width.
        round: it was completed from a circle.
    """

    center: Array
    axis: Array
    length: float
    width: float
    round: bool = False


def fit_footprint(points: NDArray[np.floating[Any]], pitch: float, noise: float) -> Footprint:
    """Return the rectangle around an object's level points (N, 2), stray points left out.

    Args:
        points: (N, 2) metres, N >= 3, the viewer at the origin.
        pitch: metres between neighbouring depth pixels on the object.
        noise: metres, depth noise at the object (one standard deviation).
    """
    kept = _cells(np.asarray(points, dtype=np.float64), max(_MIN_CELL, 2.0 * pitch))
    return _without_bulge(_circle(kept, pitch) or _rectangle(kept), _BULGE * noise)


def _without_bulge(footprint: Footprint, bulge: float) -> Footprint:
    """Return the footprint with its near side moved away from the viewer by ``bulge`` metres.

    Noise along the view spreads the near side over some millimetres, of which the outermost were taken; the far side is
    bounded by the edge of a level top, which noise hardly moves.
    """
    away = footprint.center / max(float(np.linalg.norm(footprint.center)), 1e-9)
    if footprint.round:
        return replace(footprint, center=footprint.center + away * bulge)
    across = np.array([-footprint.axis[1], footprint.axis[0]])
    length = max(footprint.length - bulge * abs(float(footprint.axis @ away)), footprint.length / 2.0)
    width = max(footprint.width - bulge * abs(float(across @ away)), footprint.width / 2.0)
    return replace(footprint, center=footprint.center + away * bulge / 2.0, length=length, width=width)


def _rectangle(points: Array) -> Footprint:
    """Return the smallest rectangle around points (N, 2); of several about as small, the one whose sides most lie on.

    Two upright sides of a box seen from their corner fill rectangles along either side and across the corner alike; the
    points lie on the sides of the right one (the closeness criterion of Zhang et al., "Efficient L-shape fitting for
    vehicle detection using laser scanners", IV 2017).
    """
    _, _, angle = cv2.minAreaRect(np.ascontiguousarray(points, dtype=np.float32))
    theta = np.radians(angle) + _TURNS
    axes = np.stack([np.cos(theta), np.sin(theta)]), np.stack([-np.sin(theta), np.cos(theta)])
    # The outermost of thousands of noisy points lie outside: the sides are taken a little way in, and moved out again
    # by what an evenly covered rectangle has beyond.
    along = np.stack([points @ axis for axis in axes])
    trimmed = int(_TRIM * (len(points) - 1))
    ranked = np.partition(along, (trimmed, len(points) - 1 - trimmed), axis=1)
    low, high = ranked[:, trimmed], ranked[:, len(points) - 1 - trimmed]
    area = np.prod(high - low, axis=0)
    off = np.minimum(np.abs(along - low[:, None]), np.abs(high[:, None] - along)).min(axis=0)
    closeness = (1.0 / np.maximum(off, _ON_SIDE)).sum(axis=0)
    best = int(np.argmax(np.where(area <= _AS_SMALL * area.min(), closeness, -1.0)))
    axis, across = axes[0][:, best], axes[1][:, best]
    length, width = (high - low)[:, best] / (1.0 - 2.0 * _TRIM)
    middle = (low + high)[:, best] / 2.0
    center = middle[0] * axis + middle[1] * across
    if width > length:
        length, width, axis = width, length, across
    return Footprint(center, axis, float(length), float(width))


def _circle(points: Array, pitch: float) -> Footprint | None:
    """Return the square around the circle that the outline lies on, or None where it is not one.

    The near outline is tried first; where something hides part of it, the best two thirds of the whole outline.
    """
    outline, near = _outline(points)
    middle = points.mean(axis=0)
    view = middle / max(float(np.linalg.norm(middle)), 1e-9)
    wide = float(np.ptp(points @ np.array([view[1], -view[0]])))
    for part, trimmed in ((outline[near], False), (outline, True)):
        fit = _fit_circle(part, pitch, trimmed) if len(part) >= 8 else None
        if fit is None:
            continue
        center, radius = fit
        beyond = np.linalg.norm(points - center, axis=1) > _OVERSHOOT * radius + 2.0 * pitch
        if beyond.mean() < 0.01 and _WIDTH[0] * 2.0 * radius < wide < _WIDTH[1] * 2.0 * radius + 4.0 * pitch:
            side = center / max(float(np.linalg.norm(center)), 1e-9)
            return Footprint(center, np.array([side[1], -side[0]]), 2.0 * radius, 2.0 * radius, True)
    return None


def _fit_circle(outline: Array, pitch: float, trimmed: bool) -> tuple[Array, float] | None:
    """Return centre (2,) and radius of the circle through outline points, or None where they are not on one."""
    # Kasa's least squares: x^2 + y^2 = 2 a x + 2 b y + c, about the outline's own middle to keep it well conditioned.
    origin = outline.mean(axis=0)
    outline = outline - origin
    design = np.column_stack([2.0 * outline, np.ones(len(outline))])
    kept = np.ones(len(outline), dtype=bool)
    for _ in range(4 if trimmed else 1):
        part = design[kept]
        normal = part.T @ part
        if abs(np.linalg.det(normal)) < 1e-18:
            return None
        a, b, c = np.linalg.solve(normal, part.T @ (outline[kept] ** 2).sum(axis=1))
        if c + a * a + b * b <= 0:
            return None
        center, radius = np.array([a, b]), float(np.sqrt(c + a * a + b * b))
        off = np.abs(np.linalg.norm(outline - center, axis=1) - radius)
        if trimmed:
            kept = off <= quantile(off, _KEPT)
    tolerance = (_ROUNDNESS * (0.7 if trimmed else 1.0)) * radius + 1.2 * pitch
    if np.sqrt(np.mean(off[kept] ** 2)) > tolerance:
        return None
    bearing = np.sort(np.arctan2(*(outline[kept] - center).T[::-1]))
    gap = np.max(np.diff(np.append(bearing, bearing[0] + 2.0 * np.pi)))
    return (center + origin, radius) if 2.0 * np.pi - gap > _MIN_ARC else None


def _outline(points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the farthest point of each sector around the middle, and which are on the side turned to the viewer."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2.0
    offset = points - middle
    angle = np.arctan2(offset[:, 1], offset[:, 0])
    sector = np.floor((angle + np.pi) / (2.0 * np.pi) * _SECTORS).astype(np.int64) % _SECTORS
    order = np.lexsort((np.einsum("ij,ij->i", offset, offset), sector))
    last = np.append(np.flatnonzero(np.diff(sector[order])), len(order) - 1)
    outer = order[last]
    towards = np.arctan2(-middle[1], -middle[0])
    turned = np.abs((angle[outer] - towards + np.pi) % (2.0 * np.pi) - np.pi)
    return points[outer], turned < _NEAR_SIDE


def _cells(points: Array, cell: float) -> Array:
    """Return one point (K, 2) for each grid cell that holds more than stray points: the mean of what lies in it.

    An upright side puts hundreds of points over one line and a level top spreads them: taken by cells, both count by the
    ground they cover.
    """
    low = points.min(axis=0)
    cell = max(cell, float((points.max(axis=0) - low).max()) / _MOST_CELLS)
    index = np.floor((points - low) / cell).astype(np.int64)
    key = index[:, 0] * (int(index[:, 1].max()) + 1) + index[:, 1]
    count = np.bincount(key)
    kept = np.flatnonzero(count > _ALONE * np.median(count[count > 0])) if len(points) >= 50 else np.flatnonzero(count)
    if len(kept) < 3:
        return points
    x, y = (np.bincount(key, weights=points[:, axis])[kept] / count[kept] for axis in (0, 1))
    return np.column_stack([x, y])

"""The outline of an object seen from above, and the rectangle around it.

One view shows the near side of an object and, from above, its top. The far side of a round object without a flat top is
never seen, so a circle is completed where the near outline is one; else the smallest rectangle around what is seen stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.order import median, quantile

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
_TRIMMINGS = 4  # at most
_KEPT = 0.67  # of the whole outline that a circle must explain where the near part does not
_WIDTH = (0.85, 1.1)  # of the diameter: the extent across the view that a circle of this size shows
_ON_A_LINE = 1e-18  # determinant of outline points' scatter
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
    points = np.asarray(points, dtype=np.float32)
    _, _, angle = cv2.minAreaRect(points)
    theta = np.radians(angle) + _TURNS
    cos, sin = np.cos(theta), np.sin(theta)
    axes = np.stack([cos, sin]), np.stack([-sin, cos])
    # The outermost of thousands of noisy points lie outside: the sides are taken a little way in, and moved out again
    # by what an evenly covered rectangle has beyond.
    along = (np.concatenate(axes, axis=1).T.astype(np.float32) @ points.T).reshape(2, len(theta), len(points))
    trimmed = int(_TRIM * (len(points) - 1))
    ranked = np.sort(along, axis=2)  # quicker than to partition twice
    low, high = ranked[:, :, trimmed], ranked[:, :, len(points) - 1 - trimmed]
    area = np.prod(high - low, axis=0)
    small = np.flatnonzero(area <= _AS_SMALL * area.min())
    off = np.minimum(np.abs(along[:, small] - low[:, small, None]), np.abs(high[:, small, None] - along[:, small]))
    closeness = (1.0 / np.maximum(off.min(axis=0), _ON_SIDE)).sum(axis=1)
    best = int(small[np.argmax(closeness)])
    axis, across = axes[0][:, best], axes[1][:, best]
    (left, near), (right, far) = low[:, best].tolist(), high[:, best].tolist()
    length, width = (right - left) / (1.0 - 2.0 * _TRIM), (far - near) / (1.0 - 2.0 * _TRIM)
    middle = (left + right) / 2.0, (near + far) / 2.0
    center = middle[0] * axis + middle[1] * across
    if width > length:
        length, width, axis = width, length, across
    return Footprint(center, axis, length, width)


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
        offset = points - center
        beyond = offset[:, 0] ** 2 + offset[:, 1] ** 2 > (_OVERSHOOT * radius + 2.0 * pitch) ** 2
        if (
            np.count_nonzero(beyond) < 0.01 * len(points)
            and _WIDTH[0] * 2.0 * radius < wide < _WIDTH[1] * 2.0 * radius + 4.0 * pitch
        ):
            side = center / max(float(np.linalg.norm(center)), 1e-9)
            return Footprint(center, np.array([side[1], -side[0]]), 2.0 * radius, 2.0 * radius, True)
    return None


def _fit_circle(outline: Array, pitch: float, trimmed: bool) -> tuple[Array, float] | None:
    """Return centre (2,) and radius of the circle through outline points, or None where they are not on one."""
    points = outline[:, 0] + 1j * outline[:, 1]
    kept = np.ones(len(points), dtype=bool)
    for _ in range(_TRIMMINGS if trimmed else 1):
        circle = _through(points[kept])
        if circle is None:
            return None
        center, radius = circle
        off = np.abs(np.abs(points - center) - radius)
        if trimmed:
            before, kept = kept, off <= quantile(off, _KEPT)
            if (before == kept).all():
                break
    tolerance = (_ROUNDNESS * (0.7 if trimmed else 1.0)) * radius + 1.2 * pitch
    if np.square(off[kept]).mean() > tolerance**2:
        return None
    bearing = np.sort(np.angle(points[kept] - center))
    gap = max(float(np.diff(bearing).max()), float(bearing[0] - bearing[-1]) + 2.0 * np.pi)
    return (np.array([center.real, center.imag]), radius) if 2.0 * np.pi - gap > _MIN_ARC else None


def _through(points: NDArray[np.complex128]) -> tuple[complex, float] | None:
    """Return centre and radius of the circle nearest to points (N,), x + iy; None where they lie on a line.

    Kasa's least squares, ``x^2 + y^2 = 2 a x + 2 b y + c``, about the points' own middle: c stands alone there.
    """
    middle = complex(points.sum()) / len(points)
    offset = points - middle
    x, y = offset.real, offset.imag
    square = x * x + y * y
    xx, xy, yy = float(x @ x), float(x @ y), float(y @ y)
    along, across = float(square @ x) / 2.0, float(square @ y) / 2.0
    determinant = xx * yy - xy * xy
    if determinant < _ON_A_LINE:
        return None
    a, b = (yy * along - xy * across) / determinant, (xx * across - xy * along) / determinant
    return middle + complex(a, b), math.sqrt(a * a + b * b + (xx + yy) / len(points))


def _outline(points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the farthest point of each sector around the middle, and which are on the side turned to the viewer."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2.0
    offset = points - middle
    angle = np.arctan2(offset[:, 1], offset[:, 0])
    sector = ((angle + np.pi) * (_SECTORS / (2.0 * np.pi))).astype(np.int64) % _SECTORS
    far = np.einsum("ij,ij->i", offset, offset)
    order = np.argsort(sector + far * (0.999 / max(float(far.max()), 1e-12)))
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
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    left, near = float(x.min()), float(y.min())
    wide, deep = float(x.max()) - left, float(y.max()) - near
    cell = max(cell, wide / _MOST_CELLS, deep / _MOST_CELLS)
    key = ((x - left) / cell).astype(np.int64) * (int(deep / cell) + 1) + ((y - near) / cell).astype(np.int64)
    count = np.bincount(key)
    kept = np.flatnonzero(count)
    if len(points) >= 50:
        kept = kept[count[kept] > _ALONE * median(count[kept])]
    if len(kept) < 3:
        return points
    total = count[kept]
    return np.column_stack([np.bincount(key, weights=values)[kept] / total for values in (x, y)])

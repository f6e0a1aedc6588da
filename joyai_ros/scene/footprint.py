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
_ALIKE = 1.08  # times the smallest area, up to which noise may make another rectangle the smallest
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
        lying: it was completed from a round body on its side.
        play: (2,) metres across and along, how far from its centre those of rectangles lie that fit about as well.
        length_play: metres, how far their lengths are from its own.
    """

    center: Array
    axis: Array
    length: float
    width: float
    round: bool = False
    lying: bool = False
    play: tuple[float, float] = (0.0, 0.0)
    length_play: float = 0.0

    @property
    def depth(self) -> float:
        """Metres that it reaches over along the view."""
        x, y = np.abs(self.axis).tolist()
        return self.width if self.round else y * self.length + x * self.width


def fit_footprint(points: NDArray[np.floating[Any]], pitch: float, noise: float) -> Footprint:
    """Return the rectangle around an object's level points (N, 2), stray points left out.

    Args:
        points: (N, 2) metres, N >= 3, the viewer at the origin.
        pitch: metres between neighbouring depth pixels on the object.
        noise: metres, depth noise at the object (one standard deviation).
    """
    kept = _cells(np.ascontiguousarray(points.T, dtype=np.float64), max(_MIN_CELL, 2.0 * pitch))
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
    """Return the smallest rectangle around points (2, N); of several about as small, the one whose sides most lie on.

    Two upright sides of a box seen from their corner fill rectangles along either side and across the corner alike; the
    points lie on the sides of the right one (the closeness criterion of Zhang et al., "Efficient L-shape fitting for
    vehicle detection using laser scanners", IV 2017).
    """
    count = points.shape[1]
    points = points.astype(np.float32)
    hull = cv2.convexHull(points.T)
    _, _, angle = cv2.minAreaRect(hull)
    theta = np.radians(angle) + _TURNS
    cos, sin = np.cos(theta), np.sin(theta)
    axes = np.array([[cos, sin], [-sin, cos]])  # along and across, x and y, turns
    # The outermost of thousands of noisy points lie outside: the sides are taken a little way in, and moved out again
    # by what an evenly covered rectangle has beyond.
    turned = axes.transpose(0, 2, 1).reshape(-1, 2).astype(np.float32)
    trimmed = int(_TRIM * (count - 1))
    # Only where some are trimmed off do the points within the hull bear on the sides.
    along = (turned @ (points if trimmed else hull[:, 0].T)).reshape(2, len(theta), -1)
    if trimmed:
        ranked = np.sort(along, axis=2)  # quicker than to partition twice
        low, high = ranked[:, :, trimmed], ranked[:, :, count - 1 - trimmed]
    else:
        low, high = along.min(axis=2), along.max(axis=2)
    area = (high[0] - low[0]) * (high[1] - low[1])
    small = np.flatnonzero(area <= _AS_SMALL * area.min())
    best = int(small[0])
    if len(small) > 1:
        tried = (turned.reshape(2, -1, 2)[:, small].reshape(-1, 2) @ points).reshape(2, len(small), -1)
        off = np.minimum(np.abs(tried - low[:, small, None]), np.abs(high[:, small, None] - tried))
        best = int(small[np.argmax((1.0 / np.maximum(off.min(axis=0), _ON_SIDE)).sum(axis=1))])
    axis, across = axes[0][:, best], axes[1][:, best]
    (left, near), (right, far) = low[:, best].tolist(), high[:, best].tolist()
    length, width = (right - left) / (1.0 - 2.0 * _TRIM), (far - near) / (1.0 - 2.0 * _TRIM)
    middle = (left + right) / 2.0, (near + far) / 2.0
    center = middle[0] * axis + middle[1] * across
    if width > length:
        length, width, axis = width, length, across
    alike = np.flatnonzero(area <= _ALIKE * area[best])
    if len(alike) < 2:
        return Footprint(center, axis, length, width)
    low, high, axes = low[:, alike], high[:, alike], axes[:, :, alike]
    aside = np.abs(((low + high)[:, None] / 2.0 * axes).sum(axis=0) - center[:, None]).max(axis=1)
    longer = float(np.abs((high - low).max(axis=0) - length).max())
    return Footprint(center, axis, length, width, play=(float(aside[0]), float(aside[1])), length_play=longer)


def _circle(points: Array, pitch: float) -> Footprint | None:
    """Return the square around the circle that the outline lies on, or None where it is not one.

    The near outline is tried first; where something hides part of it, the best two thirds of the whole outline.
    """
    farthest, near = _outline(points)
    outline = _Outline.of(farthest)
    count = points.shape[1]
    middle = np.ones(count) @ points.T / count
    view_x, view_y = (middle / max(math.hypot(*middle), 1e-9)).tolist()
    sideways = view_y * points[0] - view_x * points[1]
    wide = float(sideways.max() - sideways.min())
    for part, trimmed in ((near, False), (np.ones(len(near), dtype=bool), True)):
        fit = _fit_circle(outline, part, pitch, trimmed) if np.count_nonzero(part) >= 8 else None
        if fit is None:
            continue
        (x, y), radius = fit
        if not _WIDTH[0] * 2.0 * radius < wide < _WIDTH[1] * 2.0 * radius + 4.0 * pitch:
            continue
        beyond = np.square(points[0] - x) + np.square(points[1] - y) > (_OVERSHOOT * radius + 2.0 * pitch) ** 2
        if np.count_nonzero(beyond) < 0.01 * count:
            distance = max(math.hypot(x, y), 1e-9)
            return Footprint(
                np.array([x, y]), np.array([y / distance, -x / distance]), 2.0 * radius, 2.0 * radius, True
            )
    return None


@dataclass(frozen=True)
class _Outline:
    """The farthest points of an object, and what the sums behind a circle through some of them are made of.

    Attributes:
        left, near: metres, of the first of them.
        x, y: (N,) metres from there, so that sums of powers keep their digits.
        terms: (8, N) 1, x, y, x^2, x y, y^2, (x^2 + y^2) x and (x^2 + y^2) y.
    """

    left: float
    near: float
    x: Array
    y: Array
    terms: Array

    @classmethod
    def of(cls, points: Array) -> _Outline:
        """The outline of points (2, N), N >= 1."""
        left, near = points[:, 0].tolist()
        x, y = points[0] - left, points[1] - near
        terms = np.empty((8, len(x)))
        terms[0], terms[1], terms[2] = 1.0, x, y
        terms[3:5] = x * terms[1:3]
        terms[5] = y * y
        terms[6:] = (terms[3] + terms[5]) * terms[1:3]
        return cls(left, near, x, y, terms)


def _fit_circle(
    outline: _Outline, kept: NDArray[np.bool_], pitch: float, trimmed: bool
) -> tuple[tuple[float, float], float] | None:
    """Return centre and radius of the circle through some of an outline's points, or None where they are not on one."""
    x, y = outline.x, outline.y
    for _ in range(_TRIMMINGS if trimmed else 1):
        circle = _through((outline.terms @ kept).tolist())
        if circle is None:
            return None
        a, b, radius = circle
        off = np.abs(np.hypot(x - a, y - b) - radius)
        if trimmed:
            before, kept = kept, off <= quantile(off, _KEPT)
            if (before == kept).all():
                break
    tolerance = (_ROUNDNESS * (0.7 if trimmed else 1.0)) * radius + 1.2 * pitch
    if float(np.square(off) @ kept) > np.count_nonzero(kept) * tolerance**2:
        return None
    bearing = np.sort(np.arctan2(y[kept] - b, x[kept] - a))
    gap = max(float(np.diff(bearing).max()), float(bearing[0] - bearing[-1]) + 2.0 * np.pi)
    return ((outline.left + a, outline.near + b), radius) if 2.0 * np.pi - gap > _MIN_ARC else None


def _through(sums: list[float]) -> tuple[float, float, float] | None:
    """Return centre and radius of the circle nearest to points; None where they lie on a line.

    Kasa's least squares, ``x^2 + y^2 = 2 a x + 2 b y + c``, about the points' own middle, where c stands alone.

    Args:
        sums: over the points, of 1, x, y, x^2, x y, y^2, (x^2 + y^2) x and (x^2 + y^2) y.
    """
    n, x, y, xx, xy, yy, cube_x, cube_y = sums
    mx, my = x / n, y / n
    # Moved to the middle: sums of products there, from sums about the origin.
    cube_x += -mx * (xx + yy) - 2.0 * (mx * xx + my * xy) + 2.0 * n * mx * (mx * mx + my * my)
    cube_y += -my * (xx + yy) - 2.0 * (mx * xy + my * yy) + 2.0 * n * my * (mx * mx + my * my)
    xx, xy, yy = xx - n * mx * mx, xy - n * mx * my, yy - n * my * my
    determinant = xx * yy - xy * xy
    if determinant < _ON_A_LINE:
        return None
    a, b = (yy * cube_x - xy * cube_y) / (2.0 * determinant), (xx * cube_y - xy * cube_x) / (2.0 * determinant)
    return mx + a, my + b, math.sqrt(a * a + b * b + (xx + yy) / n)


def _outline(points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the farthest of points (2, N) in each sector around the middle, and which are on the side to the viewer."""
    middle_x, middle_y = ((points.min(axis=1) + points.max(axis=1)) / 2.0).tolist()
    x, y = points[0] - middle_x, points[1] - middle_y
    angle = np.arctan2(y, x)
    sector = np.minimum(((angle + np.pi) * (_SECTORS / (2.0 * np.pi))).astype(np.int64), _SECTORS - 1)
    far = x * x + y * y
    order = np.argsort(sector + far * (0.999 / max(float(far.max()), 1e-12)))
    ends = np.cumsum(np.bincount(sector, minlength=_SECTORS))
    outer = order[ends[np.append(ends[0] > 0, ends[1:] > ends[:-1])] - 1]
    towards = math.atan2(-middle_y, -middle_x)
    turned = np.abs((angle[outer] - (towards - np.pi)) % (2.0 * np.pi) - np.pi)
    return points[:, outer], turned < _NEAR_SIDE


def _cells(points: Array, cell: float) -> Array:
    """Return one point (2, K) for each grid cell that holds more than stray points (2, N): the mean of what lies in it.

    An upright side puts hundreds of points over one line and a level top spreads them: taken by cells, both count by the
    ground they cover.
    """
    x, y = points
    (left, near), (right, far) = points.min(axis=1).tolist(), points.max(axis=1).tolist()
    cell = max(cell, (right - left) / _MOST_CELLS, (far - near) / _MOST_CELLS)
    deep = int((far - near) / cell) + 1
    key = ((x - left) / cell).astype(np.int64) * deep + ((y - near) / cell).astype(np.int64)
    count = np.bincount(key)
    kept = np.flatnonzero(count)
    if len(x) >= 50:
        some = count[kept]
        kept = kept[some > _ALONE * median(some)]
    if len(kept) < 3:
        return points
    total = count[kept]
    return np.stack([np.bincount(key, weights=values)[kept] / total for values in (x, y)])

"""One box from all views of an object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mat3, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.fuse_edge import outer_edge
from joyai_ros.scene.fuse_round import Round, Slices, fit_round
from joyai_ros.scene.fuse_views import Cloud, KeyView

Array = NDArray[np.float64]

_CELL = 0.005  # metres; cells of the footprint with
_MOST_CELLS = 500  # along a side
_ALONE = 0.25  # less than this share of the median cell's points hold stray depth
_FINEST = 0.001  # metres: no edge is known more finely
_SLICE = 0.012  # metres
_MIN_SLICES, _MAX_SLICES, _LYING_SLICES = 3, 12, 6
_ROUND_ARC = np.radians(100.0)  # of a circle that must be seen
_ROUND_DEVIATION, _ROUND_FLOOR = 0.035, 0.0004  # of the radius, and metres: how far from round the seen outline may be
_UPRIGHT_MISFIT, _UPRIGHT_OUTSIDE = 1.8, 0.2
_DISH_DEVIATION, _DISH_MISFIT, _DISH_OUTSIDE = 0.022, 3.5, 0.3  # dishes show their insides: what counts is the outline
_LYING_MISFIT, _LYING_OUTSIDE = 0.85, 0.08
_LYING_HEIGHT = 0.3  # of the height, by which a lying body's diameter may differ from it
_LEAST = 20  # points
_POINTS = 800  # that a box is fitted to at most
_LOST_RIM = 0.8  # pixels that depth cameras lose along an outline
_HANDLE = 0.02  # share of the points that must stand out from a round body to be a part of it


@dataclass(frozen=True)
class FusedBox:
    """A box in the world, and how it was found: ``box``, ``round`` or ``lying``."""

    box: OrientedBox
    shape: str


def level_axes(up: Vec3) -> Mat3:
    """Return (3, 3) rows: two level axes and up, the first as close to the world's x axis as it can be."""
    x = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = x - (x @ up) * up
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])


def fuse_box(views: list[KeyView], cloud: Cloud, axes: Mat3, expected: str = "") -> FusedBox | None:
    """Return the gravity-aligned box of an object; None where too few points are left.

    Args:
        views: its key views.
        cloud: their points.
        axes: (3, 3) rows: two level axes and up, in the world (:func:`level_axes`).
        expected: the shape that an earlier fit found: others are not tried while it still fits; empty to try all.
    """
    low, high = _levels(views)
    if len(cloud.points) < _LEAST:
        return None
    points = cloud.points @ axes.T
    kept = np.flatnonzero(_dense(points[:, :2]))
    if len(kept) < _LEAST:
        return None
    kept = kept[:: max(round(len(kept) / _POINTS), 1)]
    body = _Body(points[kept], cloud.rays[kept] @ axes.T, cloud.noise[kept], cloud.pitch, low, high)
    rectangle = _rectangle(body.points[:, :2], body)
    shape, (center, axis, length, width) = "box", rectangle
    upright = _upright(body, rectangle) if expected in ("", "round") else None
    if upright is not None:
        shape, (center, axis, length, width) = "round", _around(upright, body)
    else:
        lying = _lying(body, rectangle) if expected in ("", "lying") else None
        if lying is not None:
            shape, (center, axis, length, width) = "lying", lying
    if width > length:
        length, width, axis = width, length, np.array([-axis[1], axis[0]])
    rotation = axes.T @ np.array([[axis[0], -axis[1], 0.0], [axis[1], axis[0], 0.0], [0.0, 0.0, 1.0]])
    middle = axes.T @ np.array([*center, (low + high) / 2.0])
    size = np.maximum([length, width, high - low], 1e-3)
    return FusedBox(OrientedBox(middle, rotation, size), shape)


@dataclass(frozen=True)
class _Body:
    """An object's points with the third axis up, and its lowest and highest level."""

    points: Array
    rays: Array
    noise: Array
    pitch: float
    low: float
    high: float


_Rectangle = tuple[Array, Array, float, float]  # centre (2,), length axis (2,), length, width


def _levels(views: list[KeyView]) -> tuple[float, float]:
    """Return bottom and top in metres along up: medians over the views, weighted by what each knows."""
    whole = [v for v in views if v.whole] or views
    low = _weighted_median([v.low for v in whole], [v.low_sigma for v in whole])
    high = _weighted_median([v.high for v in whole], [v.high_sigma for v in whole])
    return low, max(high, low + 1e-3)


def _weighted_median(values: list[float], sigmas: list[float]) -> float:
    """Return the median that is likeliest for errors with heavy tails (Laplace): each weighs as its sigma's inverse.

    One view that is wrong and sure of itself is outvoted by a few that are less sure.
    """
    order = np.argsort(values)
    weight = np.cumsum((1.0 / np.maximum(sigmas, _FINEST))[order])
    return float(values[order[int(np.searchsorted(weight, 0.5 * weight[-1]))]])


def _dense(level: Array) -> NDArray[np.bool_]:
    offset = level - level.min(axis=0)
    # Points that a bad pose has thrown kilometres apart must not span more cells than can be counted.
    cell = (offset / max(_CELL, float(offset.max()) / _MOST_CELLS)).astype(np.int64)
    key = cell[:, 0] * (int(cell[:, 1].max()) + 1) + cell[:, 1]
    count = np.bincount(key)
    return np.asarray(count[key] >= _ALONE * np.median(count[count > 0]))


def _rectangle(level: Array, body: _Body) -> _Rectangle:
    """Return the smallest rectangle around level points (N, 2), its sides put where the noise-free surface ends."""
    (_, _), (_, _), angle = cv2.minAreaRect(np.ascontiguousarray(level, dtype=np.float32))
    theta = np.radians(angle)
    axis = np.array([np.cos(theta), np.sin(theta)])
    return _sides(level, body.rays[:, :2], body.noise, axis)


def _sides(level: Array, rays: Array, noise: Array, axis: Array) -> _Rectangle:
    across = np.array([-axis[1], axis[0]])
    ends = []
    for direction in (axis, -axis, across, -across):
        sigma = max(float((noise * np.abs(rays @ direction)).mean()), _FINEST)
        ends.append(outer_edge(level @ direction, sigma))
    center = (ends[0] - ends[1]) / 2.0 * axis + (ends[2] - ends[3]) / 2.0 * across
    return center, axis, ends[0] + ends[1], ends[2] + ends[3]


def _upright(body: _Body, rectangle: _Rectangle) -> Round | None:
    center, _, length, width = rectangle
    height = body.high - body.low
    count = int(np.clip(height / _SLICE, _MIN_SLICES, _MAX_SLICES))
    slice_of = np.clip((body.points[:, 2] - body.low) / height * count, 0, count - 1).astype(np.int64)
    slices = Slices(
        np.ascontiguousarray(body.points[:, 0]),
        np.ascontiguousarray(body.points[:, 1]),
        slice_of,
        count,
        np.ascontiguousarray(body.rays[:, 0]),
        np.ascontiguousarray(body.rays[:, 1]),
        body.noise,
        body.pitch,
    )
    found = fit_round(slices, center, min(length, width) / 2.0)
    if found is None or not _is_round(found):
        return None
    body_like = found.misfit <= _UPRIGHT_MISFIT and found.outside <= _UPRIGHT_OUTSIDE
    dish_like = found.misfit <= _DISH_MISFIT and found.outside <= _DISH_OUTSIDE and found.deviation <= _DISH_DEVIATION
    return found if body_like or dish_like else None


def _is_round(found: Round) -> bool:
    allowed = _ROUND_DEVIATION + _ROUND_FLOOR / max(found.radius, 1e-3)
    return found.arc >= _ROUND_ARC and found.deviation <= allowed


def _around(found: Round, body: _Body) -> _Rectangle:
    """Return the rectangle around an upright round body, and around what stands out from it (a handle)."""
    radius = found.radius + _LOST_RIM * body.pitch
    if found.beyond.mean() < _HANDLE:
        return found.middle, np.array([1.0, 0.0]), 2.0 * radius, 2.0 * radius
    turn = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    circle = found.middle + radius * np.column_stack([np.cos(turn), np.sin(turn)])
    level = body.points[found.beyond, :2]
    (_, _), (_, _), angle = cv2.minAreaRect(np.concatenate([circle, level]).astype(np.float32))
    theta = np.radians(angle)
    axis = np.array([np.cos(theta), np.sin(theta)])
    across = np.array([-axis[1], axis[0]])
    ends = []
    for direction in (axis, -axis, across, -across):
        sigma = max(float((body.noise[found.beyond] * np.abs(body.rays[found.beyond, :2] @ direction)).mean()), _FINEST)
        ends.append(max(float(found.middle @ direction) + radius, outer_edge(level @ direction, sigma)))
    center = (ends[0] - ends[1]) / 2.0 * axis + (ends[2] - ends[3]) / 2.0 * across
    return center, axis, ends[0] + ends[1], ends[2] + ends[3]


def _lying(body: _Body, rectangle: _Rectangle) -> _Rectangle | None:
    """Return the rectangle of a round body on its side, whose width is its height; None where it is none."""
    center, axis, length, width = rectangle
    if width > length:
        length, width, axis = width, length, np.array([-axis[1], axis[0]])
    across = np.array([-axis[1], axis[0]])
    offset = body.points[:, :2] - center
    along = offset @ axis
    middle, height = (body.low + body.high) / 2.0, body.high - body.low
    slice_of = np.clip((along / max(length, 1e-3) + 0.5) * _LYING_SLICES, 0, _LYING_SLICES - 1).astype(np.int64)
    slices = Slices(
        offset @ across,
        np.ascontiguousarray(body.points[:, 2]),
        slice_of,
        _LYING_SLICES,
        body.rays[:, :2] @ across,
        np.ascontiguousarray(body.rays[:, 2]),
        body.noise,
        body.pitch,
    )
    found = fit_round(slices, np.array([0.0, middle]), height / 2.0, known_y=middle)
    if found is None or not _is_round(found) or found.misfit > _LYING_MISFIT or found.outside > _LYING_OUTSIDE:
        return None
    if abs(2.0 * found.radius - height) > _LYING_HEIGHT * height:
        return None
    side = 2.0 * (found.radius + _LOST_RIM * body.pitch)
    return center + found.middle[0] * across, axis, length, side

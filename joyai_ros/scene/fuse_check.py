"""The cycle check: a fused box must project onto what each view saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Points
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.fuse_views import KeyView

_TURN = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_TURN), np.sin(_TURN)]) / 2.0
_CUT = 0.1  # share of a side that something else cuts, from which it may hide more
_SHORT, _FAR = 0.1, 0.3  # of what was seen: how much a side may fall short of it, and reach beyond it
_PIXELS = 3.0  # as well
_NEAREST = 0.01  # metres in front of the camera


def outline_points(box: OrientedBox, shape: str) -> Points:
    """Return (N, 3) points whose projections bound the object's: a box's corners, or the rims of a round body.

    Args:
        box: the object's box.
        shape: ``round`` about its vertical axis, ``lying`` about its length axis, else a box.
    """
    if shape == "round" and box.size[1] > 0.95 * box.size[0]:
        rims: list[NDArray[np.float64]] = [np.column_stack([_CIRCLE, np.full(len(_CIRCLE), z)]) for z in (-0.5, 0.5)]
    elif shape == "lying":
        rims = [np.column_stack([np.full(len(_CIRCLE), x), _CIRCLE]) for x in (-0.5, 0.5)]
    else:
        return box.corners()
    return box.center + (np.concatenate(rims) * box.size) @ box.rotation.T


def agrees(outline: Points, views: list[KeyView]) -> list[bool]:
    """Return whether a projected outline (N, 3) lies where each view saw the object, side by side of the 2D box around it.

    No side may fall short of what was measured. A side that nothing cuts may not reach far beyond it either: there the
    view looks past the object. What projects beyond the image border is cut off there.
    """
    poses = np.stack([view.camera_from_world[:3] for view in views])
    local = outline @ poses[:, :, :3].transpose(0, 2, 1) + poses[:, None, :, 3]  # (views, N, 3)
    ahead = (local[:, :, 2].min(axis=1) >= _NEAREST).tolist()
    rays = local[:, :, :2] / np.maximum(local[:, :, 2:], _NEAREST)
    ends = zip(rays.min(axis=1).tolist(), rays.max(axis=1).tolist(), strict=True)
    return [near and _within_sides(*most, view) for near, most, view in zip(ahead, ends, views, strict=True)]


def _within_sides(low: list[float], high: list[float], view: KeyView) -> bool:
    """Whether what reaches from one place to another, x and y at a depth of one metre, agrees with a view."""
    camera = view.camera
    (x0, y0), (x1, y1) = ((x * camera.fx + camera.cx, y * camera.fy + camera.cy) for x, y in (low, high))
    width, height = camera.size
    left, top, right, bottom = view.seen
    # Numbers, not arrays: there are four sides of a dozen views to look at in a frame.
    sides = (
        (left - _within(x0, width), right - left, view.cut.left),
        (top - _within(y0, height), bottom - top, view.cut.upper),
        (_within(x1 + 1.0, width) - right, right - left, view.cut.right),
        (_within(y1 + 1.0, height) - bottom, bottom - top, view.cut.lower),
    )
    return all(
        beyond >= -(_SHORT * extent + _PIXELS) and (cut > _CUT or beyond <= _FAR * extent + _PIXELS)
        for beyond, extent, cut in sides
    )


def _within(place: float, size: int) -> float:
    return min(max(place, 0.0), float(size))


def disagreeing(box: OrientedBox, shape: str, views: list[KeyView]) -> list[KeyView]:
    """Return the views that a box does not project onto."""
    outline = outline_points(box, shape)
    return [view for view, fits in zip(views, agrees(outline, views), strict=True) if not fits]

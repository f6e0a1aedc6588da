"""The cycle check: a fused box must project onto what each view saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
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


def agrees(outline: Points, view: KeyView) -> bool:
    """Whether a projected outline (N, 3) lies where a view saw the object, side by side of the 2D box around it.

    No side may fall short of what was measured. A side that nothing cuts may not reach far beyond it either: there the
    view looks past the object. What projects beyond the image border is cut off there.
    """
    local = rigid.apply(view.camera_from_world, outline)
    if (local[:, 2] < _NEAREST).any():
        return False
    pixels = view.camera.project(local)
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1.0
    width, height = view.camera.size
    left, top, right, bottom = view.seen
    beyond = np.array(
        [
            left - np.clip(low[0], 0.0, width),
            top - np.clip(low[1], 0.0, height),
            np.clip(high[0], 0.0, width) - right,
            np.clip(high[1], 0.0, height) - bottom,
        ]
    )
    extent = np.array([right - left, bottom - top, right - left, bottom - top])
    cut = np.array([view.cut.left, view.cut.upper, view.cut.right, view.cut.lower]) > _CUT
    short = beyond < -(_SHORT * extent + _PIXELS)
    far = (beyond > _FAR * extent + _PIXELS) & ~cut
    return not bool((short | far).any())


def disagreeing(box: OrientedBox, shape: str, views: list[KeyView]) -> list[KeyView]:
    """Return the views that a box does not project onto."""
    outline = outline_points(box, shape)
    return [view for view in views if not agrees(outline, view)]

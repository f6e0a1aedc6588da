"""What stands on a level top and was taken for part of it: depth shows no edge where a thing meets what carries it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.order import median
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.patch import Patch

_SAMPLE = 400  # pixels from which a level top is known
_PLAY = 0.006  # metres, and
_NOISY = 2.0  # sigmas, about its height that are of the top
_LEVEL = 0.6  # share of an object's pixels that make its top a level one
_OVER = 0.02  # share above it, from which something stands there


def without_overlying(frame: FrameGeometry, patch: Patch, others: list[Box2D]) -> Patch:
    """Return an object without its pixels in other objects' boxes that lie over a level top which most of it is.

    Args:
        frame: the frame that it is in.
        patch: its pixels.
        others: the 2D boxes of the other objects.
    """
    x0, y0, x1, y1 = patch.box
    near = [box for box in others if box[0] < x1 and box[2] > x0 and box[1] < y1 and box[3] > y0]
    if not near:
        return patch
    sample = patch.sample(_SAMPLE)
    points = frame.points(sample)
    surface = frame.surface_under(points)
    height = points @ surface.normal + surface.offset
    top, play = median(height), _PLAY + _NOISY * median(frame.sigma_z.reshape(-1)[sample])
    on_top, over = np.abs(height - top) < play, height > top + play
    if on_top.mean() < _LEVEL or over.mean() < _OVER:
        return patch
    pixels = patch.pixels
    strange = _within(pixels, frame.camera.width, near)
    strange &= frame.points(pixels) @ surface.normal + surface.offset > top + play
    return Patch.of(pixels[~strange], frame.camera.width) if strange.any() else patch


def _within(pixels: NDArray[np.int64], width: int, boxes: list[Box2D]) -> NDArray[np.bool_]:
    """Return (N,) bool: which flat pixel indices lie in any of some boxes."""
    rows = pixels // width
    columns = pixels - rows * width
    inside = np.zeros(len(pixels), dtype=bool)
    for left, top, right, bottom in boxes:
        inside |= (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
    return inside

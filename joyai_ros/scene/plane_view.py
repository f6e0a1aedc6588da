"""A support plane as one depth image shows it: how high pixels lie over it, and where its outline is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mask, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.types import SupportPlane

Window = tuple[slice, slice]  # rows and columns of a part of an image
WHOLE: Window = slice(None), slice(None)
_OUTLINE_GROWTH = 14  # pixels by which a plane's outline is grown: its samples end that far from the image border


@dataclass(frozen=True)
class PlaneView:
    """A support plane in a depth image.

    Attributes:
        plane: the plane.
        depth: (H, W) float32 metres.
        camera: of the depth image.
        outline: (H, W) bool, the pixels within its visible outline, grown by a few.
    """

    plane: SupportPlane
    depth: DepthImage
    camera: Camera
    outline: Mask

    @classmethod
    def of(cls, plane: SupportPlane, depth: DepthImage, camera: Camera) -> PlaneView:
        """The plane in a depth image (H, W) in metres."""
        return cls(plane, depth, camera, outline_mask(plane, camera))

    @cached_property
    def height(self) -> NDArray[np.float32]:
        """(H, W) heights of all pixels, for those who need nearly all: :func:`plane_heights`."""
        return plane_heights(self.depth, self.camera, self.plane.normal, self.plane.offset, WHOLE)

    def heights(self, window: Window) -> NDArray[np.float32]:
        """Return the heights of a part of the image."""
        if window == WHOLE:
            return self.height
        return plane_heights(self.depth, self.camera, self.plane.normal, self.plane.offset, window)


def plane_heights(
    depth: DepthImage, camera: Camera, normal: Vec3, offset: float, window: Window
) -> NDArray[np.float32]:
    """Return (h, w) float32 heights in metres of the surface above the plane ``normal @ p + offset = 0``.

    Pixels without depth read ``offset``; mask them with the depth image.

    Args:
        depth: (H, W) float32 metres.
        camera: its camera.
        normal, offset: the plane.
        window: the rows and columns of the image that are wanted.
    """
    rows, columns = np.arange(camera.height)[window[0]], np.arange(camera.width)[window[1]]
    across = (normal[0] / camera.fx) * (columns - camera.cx)
    down = (normal[1] / camera.fy) * (rows - camera.cy) + normal[2]
    slope = np.add.outer(down.astype(np.float32), across.astype(np.float32))
    slope *= depth[window]
    slope += np.float32(offset)
    return slope


def outline_mask(plane: SupportPlane, camera: Camera) -> Mask:
    """The pixels inside the plane's visible outline, grown by a few pixels."""
    in_front = plane.polygon[plane.polygon[:, 2] > 0.05]
    canvas = np.zeros(camera.shape, dtype=np.uint8)
    if len(in_front) >= 3:
        pixels = np.clip(np.rint(camera.project(in_front)), -16000, 16000).astype(np.int32)
        hull = cv2.convexHull(pixels)
        cv2.fillConvexPoly(canvas, hull, 1)
        cv2.polylines(canvas, [hull], True, 1, 2 * _OUTLINE_GROWTH)
    return canvas.view(np.bool_)

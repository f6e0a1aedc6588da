"""The plain way to move an RGB-D picture, as one writes it in ten lines: what the depth views are measured against."""

from __future__ import annotations

import cv2
import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera

INPAINT_RADIUS = 3  # pixels, as in OpenCV's tutorial


def plain_view(
    color: ColorImage, depth: DepthImage, camera: Camera, target_from_source: Mat4
) -> tuple[ColorImage, Mask]:
    """Splat every pixel to the nearest target pixel through a z-buffer, then fill the rest by ``cv2.inpaint`` (Telea).

    The colour of a depth pixel is that of the same pixel of the colour image; both belong to ``camera``.

    Returns:
        The picture (H, W, 3), and which pixels it saw (H, W).
    """
    points = rigid.apply(target_from_source, camera.cloud(depth).reshape(-1, 3).astype(np.float64))
    pixels = np.rint(camera.project(points))
    inside = (depth.ravel() > 0) & (points[:, 2] > 0)
    inside &= (pixels >= 0).all(axis=1) & (pixels < camera.size).all(axis=1)
    far_to_near = np.flatnonzero(inside)[np.argsort(-points[inside, 2], kind="stable")]
    cell = (pixels[far_to_near, 1] * camera.width + pixels[far_to_near, 0]).astype(np.intp)
    picture = np.zeros((camera.height * camera.width, 3), dtype=np.uint8)
    seen = np.zeros(camera.height * camera.width, dtype=bool)
    picture[cell] = color.reshape(-1, 3)[far_to_near]  # the last one written, the nearest, stays
    seen[cell] = True
    hole = (~seen).astype(np.uint8).reshape(camera.shape)
    filled = cv2.inpaint(picture.reshape(color.shape), hole, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, dtype=np.uint8), seen.reshape(camera.shape)

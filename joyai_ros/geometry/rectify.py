"""Undistortion: images, boxes and points of a camera with a lens, as its pinhole twin would have seen them.

The twin keeps the focal lengths, the principal point and the size (:meth:`Camera.pinhole`), as image_proc's rectification
does for a monocular camera. Depth along z does not change by undistortion; only the pixel it belongs to does.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import CameraError, DepthError, ImageError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask, Pixels
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.geometry.surface import nearness_of, sample_surface

_BOX_POINTS = 9  # samples along each side of a box: a lens bends its sides


def rectify(
    color: ColorImage, depth: DepthImage | None, camera: Camera
) -> tuple[ColorImage, DepthImage | None, Camera]:
    """Undistort a colour image (H, W, 3) and its registered depth (H, W), and return both with the pinhole camera.

    Raises:
        ImageError, DepthError: an image does not have the camera's size.
    """
    rectified_depth = None if depth is None else rectify_depth(depth, camera)
    return rectify_color(color, camera), rectified_depth, camera.pinhole()


def rectify_color(color: ColorImage, camera: Camera) -> ColorImage:
    """Undistort a colour image (H, W, 3) uint8, bilinear; black where the lens saw nothing. Pinhole images pass as they are.

    Raises:
        ImageError: the image does not have the camera's size.
    """
    if color.shape[:2] != camera.shape:
        raise ImageError(
            f"colour image is {color.shape[1]}x{color.shape[0]}, its camera {camera.width}x{camera.height}; "
            "give the calibration of this image size"
        )
    if camera.is_pinhole:
        return color
    u, v = _maps(camera)
    return np.asarray(cv2.remap(color, u, v, cv2.INTER_LINEAR), dtype=np.uint8)


def rectify_depth(depth: DepthImage, camera: Camera) -> DepthImage:
    """Undistort a depth image (H, W) in metres: interpolated on a surface, never between two; 0 where there is none.

    Raises:
        DepthError: the image does not have the camera's size.
    """
    if depth.shape != camera.shape:
        raise DepthError(
            f"depth is {depth.shape[1]}x{depth.shape[0]}, its camera {camera.width}x{camera.height}; "
            "give the calibration of this image size"
        )
    if camera.is_pinhole:
        return depth
    surface = sample_surface(nearness_of(depth), *_maps(camera))[1]
    return nearness_of(surface)


def rectify_mask(mask: Mask, camera: Camera) -> Mask:
    """Undistort an instance mask (H, W) bool, nearest neighbour.

    Raises:
        ImageError: the mask does not have the camera's size.
    """
    if mask.shape != camera.shape:
        raise ImageError(f"mask is {mask.shape[1]}x{mask.shape[0]}, its camera {camera.width}x{camera.height}")
    if camera.is_pinhole:
        return mask
    u, v = _maps(camera)
    return np.asarray(cv2.remap(mask.astype(np.uint8), u, v, cv2.INTER_NEAREST) > 0)


def rectify_points(pixels: Pixels, camera: Camera) -> Pixels:
    """Map pixels (N, 2) of the distorted image to where they lie in the rectified one (float64).

    Raises:
        CameraError: the lens model has no inverse at a pixel (a calibration stretched beyond the area it was fitted on).
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    if camera.is_pinhole or not len(pixels):
        return pixels
    flat = np.ascontiguousarray(pixels.reshape(-1, 1, 2))
    coefficients = np.array(camera.coefficients)
    if camera.distortion is Distortion.EQUIDISTANT:
        rectified = cv2.fisheye.undistortPoints(flat, camera.matrix, coefficients, P=camera.matrix)
    else:
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-9)
        # OpenCV 4 keeps the variant with criteria under a name of its own, OpenCV 5 has but one.
        undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
        rectified = undistort(flat, camera.matrix, coefficients, R=np.eye(3), P=camera.matrix, criteria=criteria)
    if not np.isfinite(rectified).all() or np.abs(rectified).max() > 1e5:
        raise CameraError(
            "the lens model cannot be inverted at these pixels; calibrate with points near the image border"
        )
    return rectified.reshape(-1, 2)


def rectify_box(box: Box2D, camera: Camera) -> Box2D:
    """Return the box (x0, y0, x1, y1) around a distorted image's box after undistortion; it may reach over the border."""
    if camera.is_pinhole:
        return box
    x0, y0, x1, y1 = box
    along = np.linspace(0.0, 1.0, _BOX_POINTS)
    xs, ys = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    sides = [np.stack(np.broadcast_arrays(x, y), axis=-1) for x, y in ((xs, y0), (xs, y1), (x0, ys), (x1, ys))]
    corners = rectify_points(np.concatenate(sides), camera)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


@lru_cache(maxsize=8)
def _maps(camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    coefficients = np.array(camera.coefficients)
    if camera.distortion is Distortion.EQUIDISTANT:
        u, v = cv2.fisheye.initUndistortRectifyMap(
            camera.matrix, coefficients, np.eye(3), camera.matrix, camera.size, cv2.CV_32FC1
        )
    else:
        u, v = cv2.initUndistortRectifyMap(
            camera.matrix, coefficients, np.eye(3), camera.matrix, camera.size, cv2.CV_32FC1
        )
    for array in (u, v):
        array.flags.writeable = False
    return u, v

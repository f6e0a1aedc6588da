"""Depth registered to the colour camera, for drivers that publish the two unaligned."""

from __future__ import annotations

from joyai_ros.geometry.arrays import DepthImage, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.splat import reproject


def register_depth(depth: DepthImage, depth_camera: Camera, color_camera: Camera, color_from_depth: Mat4) -> DepthImage:
    """Return the depth image that the colour camera would have measured.

    The nearest surface wins where several fall on one pixel; gaps between samples are closed where the colour camera has
    the finer pixels, but never across a depth edge; a pixel whose surface the depth camera did not see stays 0.

    Args:
        depth: (Hd, Wd) float32 metres along the depth camera's z axis, 0 where there is none.
        depth_camera, color_camera: undistorted cameras.
        color_from_depth: (4, 4) pose of the depth camera in the colour camera's optical frame.

    Returns:
        (H, W) float32 metres along the colour camera's z axis, 0 where there is none.

    Raises:
        CameraError, DepthError, PoseError: as :func:`joyai_ros.geometry.splat.reproject`.
    """
    return reproject(depth, depth_camera, color_camera, color_from_depth).depth

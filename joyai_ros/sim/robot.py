"""The simulated robot's frames (REP-105): a base that drives round the table, and a mast that carries the camera.

``map -> odom`` and the camera's own optics are fixed; ``odom -> base_link`` stays level on the floor under the camera, and
``base_link -> camera_link`` takes what is left.
"""

from __future__ import annotations

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4

MAP, ODOM, BASE, CAMERA = "map", "odom", "base_link", "camera_link"
COLOR_OPTICAL = "camera_color_optical_frame"

# The odometry started somewhere else than the map, as it does.
MAP_FROM_ODOM = rigid.make_transform(rigid.axis_angle(np.array([0.0, 0.0, 1.0]), 0.4), np.array([-1.2, 0.5, 0.0]))
# A colour camera sits 15 mm to the side of the device's origin; optical axes are x right, y down, z forward (REP-103).
CAMERA_FROM_OPTICAL = rigid.make_transform(
    np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.array([0.0, 0.015, 0.0])
)
_MAST_AHEAD = 0.25  # metres from the base's origin to the camera, along the heading


def fixed_transforms() -> list[tuple[str, str, Mat4]]:
    """Return (parent, child, parent_from_child) of the frames that never move."""
    return [(MAP, ODOM, MAP_FROM_ODOM), (CAMERA, COLOR_OPTICAL, CAMERA_FROM_OPTICAL)]


def moving_transforms(map_from_optical: Mat4) -> list[tuple[str, str, Mat4]]:
    """Return (parent, child, parent_from_child) of the moving frames for a (4, 4) pose of the optical frame."""
    map_from_camera = map_from_optical @ rigid.inverse(CAMERA_FROM_OPTICAL)
    forward = map_from_camera[:3, 0]
    heading = float(np.arctan2(forward[1], forward[0]))
    ahead = _MAST_AHEAD * np.array([np.cos(heading), np.sin(heading), 0.0])
    ground = np.array([map_from_camera[0, 3], map_from_camera[1, 3], 0.0]) - ahead
    map_from_base = rigid.make_transform(rigid.axis_angle(np.array([0.0, 0.0, 1.0]), heading), ground)
    return [
        (ODOM, BASE, rigid.inverse(MAP_FROM_ODOM) @ map_from_base),
        (BASE, CAMERA, rigid.inverse(map_from_base) @ map_from_camera),
    ]

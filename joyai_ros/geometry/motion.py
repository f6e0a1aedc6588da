"""CameraMotion: the one convention for moving a camera about a pivot.

An orbit about a pivot point. ``yaw > 0`` moves the camera to its own right, ``pitch > 0`` moves it up so that it looks
further down, ``zoom > 1`` brings it nearer (distance divided by zoom). Gravity decides what up is; roll stays as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import DepthImage, Mat4, Vec3
from joyai_ros.geometry.cameras import Camera

DEFAULT_PIVOT_DISTANCE = 1.0  # metres along the optical axis, where there is no depth at all
_FORWARD = np.array([0.0, 0.0, 1.0])
_MIN_POLE_ANGLE = math.radians(1.0)  # the optical axis stays this far from straight up and straight down


@dataclass(frozen=True)
class CameraMotion:
    """An orbit of the camera about a pivot.

    Attributes:
        yaw_deg: degrees about *up*; positive moves the camera to its own right.
        pitch_deg: degrees about the level axis across the view; positive moves the camera up.
        zoom: the distance to the pivot is divided by it; above one is nearer.

    Raises:
        MotionError: on construction, for a non-finite value, a zoom that is not positive, |yaw| > 360 or |pitch| >= 180.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    zoom: float = 1.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.yaw_deg, self.pitch_deg, self.zoom)):
            raise MotionError(
                f"camera motion yaw={self.yaw_deg} pitch={self.pitch_deg} zoom={self.zoom} is not finite; "
                "give degrees and a ratio"
            )
        if self.zoom <= 0:
            raise MotionError(f"zoom {self.zoom} is not positive; 1 keeps the distance, 2 halves it")
        if abs(self.yaw_deg) > 360 or abs(self.pitch_deg) >= 180:
            raise MotionError(f"yaw {self.yaw_deg} or pitch {self.pitch_deg} is more than a turn; give degrees")

    @property
    def is_identity(self) -> bool:
        """Whether the camera stays where it is."""
        return self.yaw_deg == 0.0 and self.pitch_deg == 0.0 and self.zoom == 1.0


def orbit(motion: CameraMotion, pivot: Vec3, up: Vec3) -> Mat4:
    """Return ``source_from_target`` (4, 4): the pose of the moved camera in the optical frame of the camera it starts from.

    Args:
        motion: what to do.
        pivot: (3,) metres in the starting camera's optical frame.
        up: (3,) direction against gravity in the starting camera's optical frame.

    Raises:
        MotionError: the pivot is not finite or at the camera, or the motion would carry the camera's view past straight up
            or straight down, where yaw and roll lose their meaning.
    """
    pivot = np.asarray(pivot, dtype=np.float64)
    if pivot.shape != (3,) or not np.isfinite(pivot).all() or np.linalg.norm(pivot) < 1e-6:
        raise MotionError(f"pivot {pivot.tolist()} is not a point in front of the camera; give metres x, y, z")
    up = rigid.unit(up, "up")
    across = _across(up)
    elevation = math.asin(float(np.clip(_FORWARD @ up, -1.0, 1.0)))
    new_elevation = elevation - math.radians(motion.pitch_deg)
    if motion.pitch_deg != 0.0 and abs(new_elevation) > math.pi / 2 - _MIN_POLE_ANGLE + 1e-12:
        allowed = math.degrees(math.pi / 2 - _MIN_POLE_ANGLE)
        raise MotionError(
            f"pitch {motion.pitch_deg} would turn the view past straight {'down' if new_elevation < 0 else 'up'}; "
            f"here it may lie within [{math.degrees(elevation) - allowed:.1f}, {math.degrees(elevation) + allowed:.1f}] degrees"
        )
    rotation = rigid.axis_angle(up, math.radians(motion.yaw_deg)) @ rigid.axis_angle(
        -across, math.radians(motion.pitch_deg)
    )
    return rigid.make_transform(rotation, pivot - rotation @ pivot / motion.zoom)


def nearest_motion(pose: Mat4, pivot: Vec3, up: Vec3) -> CameraMotion:
    """Return the motion whose :func:`orbit` comes nearest to a pose: its view direction and its distance to the pivot.

    What an orbit has no words for is missed: roll, and a pivot that does not stay at its pixel.

    Args:
        pose: (4, 4) of the other camera in the optical frame of the one that would move.
        pivot, up: as for :func:`orbit`.

    Raises:
        MotionError: the pose is at the pivot, or turned over.
    """
    up = rigid.unit(up, "up")
    across = _across(up)
    distance = float(np.linalg.norm(pivot - pose[:3, 3]))
    if distance < 1e-6:
        raise MotionError(f"the pose is at the pivot {np.asarray(pivot).tolist()}; no camera motion leads there")
    turned = pose[:3, :3] @ across
    yaw = math.atan2(float(turned @ np.cross(up, across)), float(turned @ across))
    ahead = rigid.axis_angle(up, -yaw) @ pose[:3, :3] @ _FORWARD
    pitch = math.atan2(float(ahead @ np.cross(-across, _FORWARD)), float(ahead @ _FORWARD))
    return CameraMotion(math.degrees(yaw), math.degrees(pitch), float(np.linalg.norm(pivot)) / distance)


def _across(up: Vec3) -> Vec3:
    """Return the (3,) level direction across the view, to its right."""
    across = np.cross(_FORWARD, up)
    if np.linalg.norm(across) < math.sin(_MIN_POLE_ANGLE):
        # Looking straight along gravity: the image's own x axis is the only level direction at hand.
        across = np.array([1.0, 0.0, 0.0]) - up[0] * up
    return rigid.unit(across)


def default_pivot(camera: Camera, depth: DepthImage | None) -> Vec3:
    """Return the (3,) pivot in the optical frame: the surface seen at the image centre.

    Where the centre has no depth it is the valid surface nearest to it in the image; without any depth the point
    :data:`DEFAULT_PIVOT_DISTANCE` ahead through the centre.
    """
    u, v = camera.width // 2, camera.height // 2
    ray = np.asarray(camera.unproject(np.array([u, v], dtype=np.float64), np.array(1.0)))
    if depth is None or not (depth > 0).any():
        return ray * DEFAULT_PIVOT_DISTANCE
    if depth[v, u] > 0:
        return ray * float(depth[v, u])
    rows, columns = np.nonzero(depth > 0)
    nearest = np.argmin((rows - v) ** 2 + (columns - u) ** 2)
    pixel = np.array([columns[nearest], rows[nearest]], dtype=np.float64)
    return np.asarray(camera.unproject(pixel, np.array(float(depth[rows[nearest], columns[nearest]]))))

"""Two views: how the camera moved between them, and which object is which. All of it needs the poses of both."""

from __future__ import annotations

import math

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked
from joyai_ros.scene.types import SceneObject
from joyai_ros.understanding.tasks import MOVES

_STILL_M, _STILL_RAD = 0.02, math.radians(2.0)
_CLEARLY = 1.5  # times the next largest: the direction in which a camera mostly moved
_SAME, _OTHER = 0.25, 0.02  # overlap of two boxes of one object at least, and of two objects at most


def camera_pose(asked: Asked) -> Measured | None:
    """Return the pose of the second camera in the first one's optical frame."""
    pose = asked.first_from(1)
    return None if pose is None else Measured(pose=pose)


def camera_motion(asked: Asked) -> Measured | None:
    """Return in which direction the camera mostly moved; None where no direction stands out."""
    pose = asked.first_from(1)
    if pose is None:
        return None
    depth = asked.looks[0].observation.depth
    seen = depth[depth > 0] if depth is not None else np.zeros(0)
    direction = main_direction(pose, float(np.median(seen)) if len(seen) else 1.0)
    return None if direction is None else Measured(direction, pose=pose)


def main_direction(pose: Mat4, distance: float) -> str | None:
    """Return in which of :data:`MOVES` a camera mostly moved; None where no direction stands out.

    Args:
        pose: (4, 4) of the second camera in the first one's optical frame.
        distance: metres to the middle of the scene.
    """
    if np.linalg.norm(pose[:3, 3]) < _STILL_M and rigid.rotation_angle(pose[:3, :3]) < _STILL_RAD:
        return MOVES[-1]
    ways = camera_ways(pose, distance)
    first, second = sorted(ways, key=lambda way: -ways[way])[:2]
    return first if ways[first] > _CLEARLY * ways[second] else None


def camera_ways(pose: Mat4, distance: float) -> dict[str, float]:
    """Return how far a camera moved in some of :data:`MOVES`, metres; of two that are opposite in the one that it did.

    A turn counts by the way that it carries the scene's middle past the camera. For the arguments see :func:`main_direction`.
    """
    right, down, forward = pose[:3, 3].tolist()
    turned = math.atan2(pose[0, 2], pose[2, 2])  # of the line of sight, to the right
    # An orbit turns against its own way to keep its object in sight: a turn counts by what it does beyond that.
    kept = abs(right) if right * turned < 0 else 0.0
    return {
        "right" if right > 0 else "left": abs(right),
        "down" if down > 0 else "up": abs(down),
        "forward" if forward > 0 else "backward": abs(forward),
        "turned right" if turned > 0 else "turned left": max(abs(turned) * distance - kept, 0.0),
    }


def correspondence(asked: Asked) -> Measured | None:
    """Return which of the other things fills the first one's place; None where none does, or more than one."""
    if asked.measured is None:
        return None
    shares = [_overlap(asked.measured[0], other) for other in asked.measured[1:]]
    best = int(np.argmax(shares))
    rest = max((share for index, share in enumerate(shares) if index != best), default=0.0)
    return Measured(asked.options[best]) if shares[best] >= _SAME and rest < shares[best] / 2.0 else None


def reidentification(asked: Asked) -> Measured | None:
    """Return whether two things, each seen in one view, fill one place."""
    if asked.measured is None:
        return None
    share = _overlap(*asked.measured[:2])
    if share >= _SAME:
        return Measured("yes")
    return Measured("no") if share <= _OTHER else None


def _overlap(first: SceneObject, second: SceneObject) -> float:
    return upright_iou(first.obb, second.obb)

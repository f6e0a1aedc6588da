"""Pairs of views: how the camera moved from one frame to another of the same scene, as an orbit about a pivot."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.training.data.crossview import relative_pose, seen_share
from joyai_ros.training.data.records import Frame, Pair

_LEAST_SEEN = 0.2  # share of the target that the source must show


def motion_between(source_from_target: Mat4, pivot: Vec3, up: Vec3) -> tuple[CameraMotion, float, float]:
    """Return the orbit about a pivot that comes nearest to a relative pose, and by how many metres and degrees it misses.

    Yaw is the turn of the camera's place about *up* through the pivot, pitch its rise, zoom the ratio of the distances.

    Args:
        source_from_target: (4, 4) pose of the target's camera in the source's optical frame.
        pivot: (3,) metres in the source's optical frame.
        up: (3,) unit, against gravity, in the same frame.

    Raises:
        MotionError: the target is at the pivot or straight above it.
    """
    before, after = -pivot, source_from_target[:3, 3] - pivot
    rise = [float(v @ up) / max(float(np.linalg.norm(v)), 1e-9) for v in (before, after)]
    level = [v - (v @ up) * up for v in (before, after)]
    if np.linalg.norm(after) < 1e-3 or min(np.linalg.norm(v) for v in level) < 1e-3:
        raise MotionError("a camera at the pivot, or straight above it, has no yaw about it")
    yaw = math.atan2(float(np.cross(level[0], level[1]) @ up), float(level[0] @ level[1]))
    pitch = math.asin(rise[1]) - math.asin(rise[0])
    zoom = float(np.linalg.norm(before) / np.linalg.norm(after))
    motion = CameraMotion(math.degrees(yaw), math.degrees(pitch), zoom)
    left = rigid.inverse(orbit(motion, pivot, up)) @ source_from_target
    return motion, float(np.linalg.norm(left[:3, 3])), math.degrees(rigid.rotation_angle(left[:3, :3]))


def pairs_of_scene(frames: Sequence[Frame]) -> list[Pair]:
    """Return every ordered pair of frames, with their pixels, of which the source shows enough of the target."""
    found = []
    for source, target in itertools.permutations(frames, 2):
        assert source.pixels is not None and target.pixels is not None
        pose = relative_pose(source, target)
        pivot = default_pivot(source.camera, source.pixels.depth)
        try:
            motion, off_m, off_deg = motion_between(pose, pivot, source.up)
        except MotionError:
            continue
        seen = seen_share(source, target)
        if seen >= _LEAST_SEEN:
            name = f"{source.id}-{target.id.rpartition('/')[2]}"
            found.append(Pair(name, source.scene, source.id, target.id, pose, pivot, motion, off_m, off_deg, seen))
    return found

"""What geometry says to a question: one entry for each check of the task table."""

from __future__ import annotations

from collections.abc import Callable

from joyai_ros.reasoning import camera_checks, ground_checks, pair_checks, way_checks
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked

Check = Callable[[Asked], Measured | None]

CHECKS: dict[str, Check] = {
    "object_distance": pair_checks.object_distance,
    "camera_distance": pair_checks.camera_distance,
    "object_size": pair_checks.object_size,
    "height": pair_checks.height,
    "left_right": pair_checks.left_right,
    "front_behind": pair_checks.front_behind,
    "above_below": pair_checks.above_below,
    "near_far": pair_checks.near_far,
    "relative_distance": pair_checks.relative_distance,
    "relative_size": pair_checks.relative_size,
    "relative_height": pair_checks.relative_height,
    "depth_order": pair_checks.depth_order,
    "count": ground_checks.count,
    "boxes": ground_checks.boxes,
    "points": ground_checks.points,
    "object_camera": way_checks.object_camera,
    "direction_to_go": way_checks.direction_to_go,
    "reachability": way_checks.reachability,
    "clearance": way_checks.clearance,
    "camera_pose": camera_checks.camera_pose,
    "camera_motion": camera_checks.camera_motion,
    "correspondence": camera_checks.correspondence,
    "reidentification": camera_checks.reidentification,
}


def measure(asked: Asked) -> Measured | None:
    """Return what geometry says; None where it has no say: no depth there, no pose, or too close to call."""
    check = CHECKS.get(asked.task.check)
    return None if check is None else check(asked)

"""Views from elsewhere that help an answer: today from measured depth, so that what they show is really there."""

from __future__ import annotations

from joyai_ros.errors import DepthError, MotionError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.scene.observation import Observation


def views_around(observation: Observation, count: int, yaw_deg: float) -> list[ColorImage]:
    """Return up to ``count`` views of a frame from its right, its left, farther right and so on; none without depth.

    Args:
        observation: the frame.
        count: at most so many.
        yaw_deg: step between views on one side.
    """
    found: list[ColorImage] = []
    if observation.depth is None or not observation.depth.any():
        return found
    imaginer = DepthImaginer()
    for index in range(count):
        yaw = yaw_deg * (index // 2 + 1) * (1 if index % 2 == 0 else -1)
        try:
            found.append(imaginer.imagine(observation, CameraMotion(yaw_deg=yaw)).image)
        except (DepthError, MotionError):
            break
    return found

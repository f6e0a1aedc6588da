"""What a request refers to - pivots, objects, target poses - in the optical frame of the frame it is about."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.serialization import deserialize_message

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import default_pivot
from joyai_ros.imagination.depth_view import IMAGE_UP
from joyai_ros.messages import headers
from joyai_ros.messages.factory import Message
from joyai_ros.messages.motion import Pivot
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.msg import Scene as SceneMessage
from joyai_ros.nodes.observing import Observed
from joyai_ros.nodes.transforms import Transforms
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene

_SAME_MOMENT = 300_000_000  # nanoseconds; without poses a scene this near in time stands for the frame


class LatestScene:
    """The newest scene, kept as it travels and read only when somebody asks for an object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: bytes | None = None
        self._scene: Scene | None = None

    def take(self, serialized: bytes) -> None:
        """Take a new one in (callback of a raw subscription)."""
        with self._lock:
            self._bytes, self._scene = serialized, None

    def get(self) -> Scene | None:
        """Return the newest; None before the first."""
        with self._lock:
            if self._scene is None and self._bytes is not None:
                self._scene = scene_from_message(deserialize_message(self._bytes, SceneMessage))
            return self._scene

    def clear(self) -> None:
        """Forget it."""
        with self._lock:
            self._bytes, self._scene = None, None


def up_of(observed: Observed) -> Vec3:
    """Return the (3,) direction against gravity in the optical frame; the image's own where nobody knows."""
    observation = observed.observation
    if observation.up is not None:
        return observation.up
    if observation.world_from_camera is not None and observed.level:
        return np.asarray(observation.world_from_camera[2, :3])
    return IMAGE_UP


def pivot_of(pivot: Pivot, observation: Observation, transforms: Transforms, scenes: LatestScene) -> Vec3:
    """Return the (3,) pivot in the optical frame.

    Raises:
        MotionError: there is no such object.
        TransformError: TF does not reach the frame of the point at its stamp.
    """
    if pivot.object_id:
        return object_center(pivot.object_id, observation, scenes)
    if pivot.point is None:
        return default_pivot(observation.camera, observation.depth)
    return _placed(pivot.point, pivot.frame_id, pivot.stamp, observation, transforms)


def object_center(object_id: str, observation: Observation, scenes: LatestScene) -> Vec3:
    """Return the (3,) centre of an object in the optical frame, from the newest scene.

    Raises:
        MotionError: there is no scene, no such object in it, or no way to place it in this frame.
    """
    scene = scenes.get()
    if scene is None:
        raise MotionError(f"object {object_id!r} is unknown: no scene yet; does the scene node run?")
    try:
        center = scene.object(object_id).obb.center
    except KeyError:
        known = ", ".join(o.id for o in scene.objects) or "none"
        raise MotionError(f"object {object_id!r} is not in the scene; it has {known}") from None
    if scene.stamp == observation.stamp:
        return center
    if (
        scene.world_from_camera is not None
        and observation.world_from_camera is not None
        and scene.world_frame == observation.world_frame
    ):
        return rigid.apply(rigid.inverse(observation.world_from_camera) @ scene.world_from_camera, center)
    if abs(scene.stamp - observation.stamp) <= _SAME_MOMENT:
        return center
    raise MotionError(f"object {object_id!r} was seen in another frame, and no camera pose tells where it is now")


def target_pose(message: Message, observation: Observation, transforms: Transforms) -> Mat4:
    """Return the (4, 4) pose of a PoseStamped in the optical frame.

    Raises:
        PoseError: it is not a pose.
        TransformError: TF does not reach its frame at its stamp (zero: the image's).
    """
    pose = pose_from_message(message.pose)
    frame = str(message.header.frame_id).lstrip("/")
    if not frame or frame == observation.frame_id.lstrip("/"):
        return pose
    stamp = headers.stamp_ns(message) or observation.stamp
    return np.asarray(transforms.between(observation.frame_id.lstrip("/"), frame, stamp) @ pose)


def _placed(point: Vec3, frame_id: str, stamp: int, observation: Observation, transforms: Transforms) -> Vec3:
    frame = frame_id.lstrip("/")
    if not frame or frame == observation.frame_id.lstrip("/"):
        return point
    there = transforms.between(observation.frame_id.lstrip("/"), frame, stamp or observation.stamp)
    return rigid.apply(there, point)

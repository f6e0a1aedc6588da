"""Points, quaternions, poses and transforms: messages to (4, 4) matrices and back."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from joyai_ros.errors import PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Float, Mat3, Mat4, Vec3
from joyai_ros.messages.factory import Message, MessageFactory


def vector_from_message(message: Message) -> Vec3:
    """Return a Point, Point32 or Vector3 as (3,) float64."""
    return np.array([message.x, message.y, message.z], dtype=np.float64)


def pose_from_message(pose: Message) -> Mat4:
    """Return a geometry_msgs/Pose as a (4, 4) transform.

    Raises:
        PoseError: the quaternion has no length, or a value is not finite.
    """
    return _matrix(pose.orientation, pose.position)


def transform_from_message(transform: Message) -> Mat4:
    """Return a geometry_msgs/Transform as a (4, 4) transform.

    Raises:
        PoseError: the quaternion has no length, or a value is not finite.
    """
    return _matrix(transform.rotation, transform.translation)


def _matrix(quaternion: Message, position: Message) -> Mat4:
    # A normalised quaternion is a rotation, so the projection of rigid.checked_transform has nothing to do here.
    rotation = rigid.matrix_from_quaternion(np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w]))
    place = vector_from_message(position)
    if not math.isfinite(place[0] + place[1] + place[2]):
        raise PoseError("pose in a message holds NaN or infinity; the pose is lost at this frame, leave it out")
    return rigid.make_transform(rotation, place)


def vector3_message(factory: MessageFactory, vector: Float) -> Message:
    """Return a geometry_msgs/Vector3 from (3,)."""
    x, y, z = np.asarray(vector, dtype=np.float64).tolist()
    return factory("geometry_msgs/msg/Vector3")(x=x, y=y, z=z)


def point_message(factory: MessageFactory, point: Float) -> Message:
    """Return a geometry_msgs/Point from (3,)."""
    x, y, z = np.asarray(point, dtype=np.float64).tolist()
    return factory("geometry_msgs/msg/Point")(x=x, y=y, z=z)


def quaternion_message(factory: MessageFactory, rotation: Mat3) -> Message:
    """Return a geometry_msgs/Quaternion from a (3, 3) rotation."""
    x, y, z, w = _quaternion(np.asarray(rotation, dtype=np.float64).tobytes())
    return factory("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)


@lru_cache(maxsize=512)
def _quaternion(rotation: bytes) -> tuple[float, float, float, float]:
    """Return x, y, z, w of nine float64; the pose of an object goes into several messages of a frame."""
    x, y, z, w = rigid.quaternion_from_matrix(np.frombuffer(rotation).reshape(3, 3))
    return float(x), float(y), float(z), float(w)


def pose_message(factory: MessageFactory, transform: Mat4) -> Message:
    """Return a geometry_msgs/Pose from a (4, 4) transform."""
    return factory("geometry_msgs/msg/Pose")(
        position=point_message(factory, transform[:3, 3]), orientation=quaternion_message(factory, transform[:3, :3])
    )


def transform_message(factory: MessageFactory, transform: Mat4) -> Message:
    """Return a geometry_msgs/Transform from a (4, 4) transform."""
    return factory("geometry_msgs/msg/Transform")(
        translation=vector3_message(factory, transform[:3, 3]), rotation=quaternion_message(factory, transform[:3, :3])
    )


def stamped_transform_message(factory: MessageFactory, header: Message, child: str, parent_from_child: Mat4) -> Message:
    """Return a geometry_msgs/TransformStamped: the pose of frame ``child`` in the header's frame."""
    return factory("geometry_msgs/msg/TransformStamped")(
        header=header, child_frame_id=child, transform=transform_message(factory, parent_from_child)
    )


def tf_message(factory: MessageFactory, transforms: list[Message]) -> Message:
    """Return a tf2_msgs/TFMessage from TransformStamped messages."""
    return factory("tf2_msgs/msg/TFMessage")(transforms=transforms)

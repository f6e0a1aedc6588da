"""vision_msgs bounding boxes to core boxes and back."""

from __future__ import annotations

import math

from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.rigid import make_transform
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.poses import pose_from_message, pose_message, vector3_message, vector_from_message


def box2d_from_message(box: Message) -> Box2D:
    """Return a BoundingBox2D as (x0, y0, x1, y1) pixels; a turned box becomes the upright one around it.

    Values are passed on as they are: what is not a box (negative size, NaN) is refused by whoever uses it.
    """
    x, y = float(box.center.position.x), float(box.center.position.y)
    width, height, theta = float(box.size_x), float(box.size_y), float(box.center.theta)
    if theta != 0.0:
        c, s = abs(math.cos(theta)), abs(math.sin(theta))
        width, height = width * c + height * s, width * s + height * c
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def box2d_message(factory: MessageFactory, box: Box2D) -> Message:
    """Return a BoundingBox2D from (x0, y0, x1, y1) pixels."""
    x0, y0, x1, y1 = (float(v) for v in box)
    center = factory("vision_msgs/msg/Pose2D")(
        position=point2d_message(factory, ((x0 + x1) / 2, (y0 + y1) / 2)), theta=0.0
    )
    return factory("vision_msgs/msg/BoundingBox2D")(center=center, size_x=x1 - x0, size_y=y1 - y0)


def point2d_message(factory: MessageFactory, point: tuple[float, float]) -> Message:
    """Return a vision_msgs/Point2D from (u, v) pixels."""
    return factory("vision_msgs/msg/Point2D")(x=float(point[0]), y=float(point[1]))


def box3d_from_message(box: Message) -> OrientedBox:
    """Return a BoundingBox3D as an OrientedBox in the message's frame.

    Raises:
        BoxError: a value is not finite, or a size is negative.
        PoseError: the orientation is not a rotation.
    """
    pose = pose_from_message(box.center)
    return OrientedBox(pose[:3, 3], pose[:3, :3], vector_from_message(box.size))


def box3d_message(factory: MessageFactory, box: OrientedBox) -> Message:
    """Return a BoundingBox3D from an OrientedBox."""
    return factory("vision_msgs/msg/BoundingBox3D")(
        center=pose_message(factory, make_transform(box.rotation, box.center)), size=vector3_message(factory, box.size)
    )

"""CameraMotion with the pivot that it turns about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.messages import headers
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.poses import point_message, vector_from_message

_IMAGE_CENTRE, _POINT, _OBJECT = 0, 1, 2  # PIVOT_* of msg/CameraMotion.msg


@dataclass(frozen=True)
class Pivot:
    """What a motion turns about; the surface seen at the image centre where neither is given.

    Attributes:
        point: (3,) metres in ``frame_id``.
        frame_id: frame of ``point``; empty for the source camera's optical frame.
        stamp: nanoseconds, of ``point``; zero for the source image's.
        object_id: the object whose centre it is.
    """

    point: Vec3 | None = None
    frame_id: str = ""
    stamp: int = 0
    object_id: str = ""


def motion_message(factory: MessageFactory, motion: CameraMotion, pivot: Pivot | None = None) -> Message:
    """Return a joyai_ros/CameraMotion."""
    pivot = pivot or Pivot()
    kind = _OBJECT if pivot.object_id else (_IMAGE_CENTRE if pivot.point is None else _POINT)
    point = factory("geometry_msgs/msg/PointStamped")(
        header=headers.header(factory, pivot.stamp, pivot.frame_id),
        point=point_message(factory, np.zeros(3) if pivot.point is None else pivot.point),
    )
    return factory("joyai_ros/msg/CameraMotion")(
        yaw_deg=float(motion.yaw_deg),
        pitch_deg=float(motion.pitch_deg),
        zoom=float(motion.zoom),
        pivot_type=kind,
        pivot_point=point,
        pivot_object=pivot.object_id,
    )


def motion_from_message(message: Message) -> tuple[CameraMotion, Pivot]:
    """Return the motion and its pivot.

    Raises:
        MotionError: the motion is not one (NaN, zoom not positive), or its pivot is of an unknown type, not finite,
            or an object without id.
    """
    motion = CameraMotion(float(message.yaw_deg), float(message.pitch_deg), float(message.zoom))
    kind = int(message.pivot_type)
    if kind == _IMAGE_CENTRE:
        return motion, Pivot()
    if kind == _POINT:
        point = vector_from_message(message.pivot_point.point)
        if not np.isfinite(point).all():
            raise MotionError(f"pivot_point {point.tolist()} is not a point; give metres x, y, z")
        header = message.pivot_point.header
        return motion, Pivot(point, str(header.frame_id), headers.nanoseconds(header.stamp))
    if kind == _OBJECT and message.pivot_object:
        return motion, Pivot(object_id=str(message.pivot_object))
    raise MotionError(
        f"pivot_type {kind} with pivot_object {message.pivot_object!r} is not a pivot; "
        "give 0 (image centre), 1 (pivot_point) or 2 (pivot_object, with an id)"
    )

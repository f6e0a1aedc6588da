"""View: an imagined image with its camera, poses and validity."""

from __future__ import annotations

import numpy as np

from joyai_ros.geometry.view import Consistency, View
from joyai_ros.messages import headers
from joyai_ros.messages.cameras import camera_from_info, info_message
from joyai_ros.messages.enums import member
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.images import (
    color_message,
    decode_color,
    decode_depth,
    depth_message,
    image_array,
    mono_message,
)
from joyai_ros.messages.motion import Pivot, motion_from_message, motion_message
from joyai_ros.messages.poses import pose_from_message, pose_message, stamped_transform_message

VIEW_FRAME = "imagined_optical_frame"  # optical frame of the imagined camera, a child of the source camera's


def view_message(
    factory: MessageFactory, view: View, *, frame_id: str = VIEW_FRAME, pivot: Pivot | None = None, seconds: float = 0.0
) -> Message:
    """Return a joyai_ros/View.

    Args:
        factory: makes the messages.
        view: what was imagined. The pose in the world is not in the message: it follows from TF and the commanded pose.
        frame_id: optical frame of the imagined camera.
        pivot: what the motion turned about.
        seconds: compute time; diagnostic only.
    """
    header = headers.header(factory, view.stamp, frame_id)
    fields = {}
    if view.motion is not None:
        fields["motion"] = motion_message(factory, view.motion, pivot)
    if view.depth is not None:
        fields["depth"] = depth_message(factory, header, view.depth)
    if view.estimated_source_from_view is not None:
        fields["estimated_pose"] = _estimate(factory, view)
    return factory("joyai_ros/msg/View")(
        header=header,
        synthetic=True,
        image=color_message(factory, header, view.image),
        camera_info=info_message(factory, header, view.camera),
        validity=mono_message(factory, header, view.validity),
        reference_frame=view.source_frame,
        has_motion=view.motion is not None,
        commanded_pose=pose_message(factory, view.source_from_view),
        pose_verified=bool(view.verified),
        consistency=int(view.consistency),
        confidence=float(view.confidence),
        seen_fraction=view.seen_fraction,
        method=view.method,
        model=view.model,
        seed=int(view.seed),
        compute_seconds=float(seconds),
        **fields,
    )


def _estimate(factory: MessageFactory, view: View) -> Message:
    assert view.estimated_source_from_view is not None
    covariance = (
        np.zeros(36) if view.pose_covariance is None else np.asarray(view.pose_covariance, np.float64).reshape(-1)
    )
    return factory("geometry_msgs/msg/PoseWithCovariance")(
        pose=pose_message(factory, view.estimated_source_from_view),
        covariance=np.asarray(covariance, dtype=np.float64).reshape(-1),
    )


def view_from_message(message: Message) -> View:
    """Return a View.

    Raises:
        EncodingError, CameraError, PoseError, MotionError: a part of the message is not what its field says.
    """
    estimated = covariance = None
    if message.pose_verified:
        estimated = pose_from_message(message.estimated_pose.pose)
        matrix = np.reshape(message.estimated_pose.covariance, (6, 6)).astype(float)
        covariance = matrix if matrix.any() else None
    return View(
        image=decode_color(message.image),
        camera=camera_from_info(message.camera_info),
        validity=image_array(message.validity),
        source_from_view=pose_from_message(message.commanded_pose),
        stamp=headers.stamp_ns(message),
        source_frame=str(message.reference_frame),
        depth=decode_depth(message.depth) if len(message.depth.data) else None,
        motion=motion_from_message(message.motion)[0] if message.has_motion else None,
        estimated_source_from_view=estimated,
        pose_covariance=covariance,
        verified=bool(message.pose_verified),
        consistency=member(Consistency, message.consistency, "consistency"),
        confidence=float(message.confidence),
        method=str(message.method),
        model=str(message.model),
        seed=int(message.seed),
    )


def view_transform_message(factory: MessageFactory, view: View, *, frame_id: str = VIEW_FRAME) -> Message:
    """Return the TransformStamped of the imagined camera in the source camera's optical frame: its estimated pose, and
    the commanded one where there is no estimate.
    """
    header = headers.header(factory, view.stamp, view.source_frame)
    estimated = view.estimated_source_from_view
    return stamped_transform_message(
        factory, header, frame_id, view.source_from_view if estimated is None else estimated
    )

"""Answer."""

from __future__ import annotations

import math

from joyai_ros.messages import headers
from joyai_ros.messages.boxes import box2d_from_message, box2d_message, point2d_message
from joyai_ros.messages.enums import member
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.poses import pose_from_message, pose_message
from joyai_ros.messages.relations import number, optional, relation_from_message, relation_message
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.types import Status


def answer_message(factory: MessageFactory, answer: Answer) -> Message:
    """Return a joyai_ros/Answer."""
    fields = {} if answer.pose is None else {"pose": pose_message(factory, answer.pose)}
    return factory("joyai_ros/msg/Answer")(
        header=headers.header(factory, answer.stamp, answer.frame_id),
        question=answer.question,
        task=answer.task,
        text=answer.text,
        choice=answer.choice,
        has_value=answer.value is not None,
        value=number(answer.value, 0.0),
        unit=answer.unit,
        sigma=number(answer.sigma, math.nan),
        boxes=[box2d_message(factory, box) for box in answer.boxes],
        points=[point2d_message(factory, point) for point in answer.points],
        has_pose=answer.pose is not None,
        evidence_objects=list(answer.evidence_objects),
        evidence_views=int(answer.evidence_views),
        evidence=[relation_message(factory, relation) for relation in answer.evidence],
        confidence=float(answer.confidence),
        status=int(answer.status),
        has_model_value=answer.model_value is not None,
        model_value=number(answer.model_value, 0.0),
        has_geometry_value=answer.geometry_value is not None,
        geometry_value=number(answer.geometry_value, 0.0),
        model=answer.model,
        **fields,
    )


def answer_from_message(message: Message) -> Answer:
    """Return an Answer.

    Raises:
        EncodingError: status holds an unknown number.
        PoseError: the pose is not one.
    """
    return Answer(
        question=str(message.question),
        text=str(message.text),
        task=str(message.task),
        choice=str(message.choice),
        value=float(message.value) if message.has_value else None,
        unit=str(message.unit),
        sigma=optional(message.sigma),
        boxes=tuple(box2d_from_message(box) for box in message.boxes),
        points=tuple((float(point.x), float(point.y)) for point in message.points),
        pose=pose_from_message(message.pose) if message.has_pose else None,
        evidence_objects=tuple(str(name) for name in message.evidence_objects),
        evidence_views=int(message.evidence_views),
        evidence=tuple(relation_from_message(relation) for relation in message.evidence),
        confidence=float(message.confidence),
        status=member(Status, message.status, "status"),
        model_value=float(message.model_value) if message.has_model_value else None,
        geometry_value=float(message.geometry_value) if message.has_geometry_value else None,
        model=str(message.model),
        stamp=headers.stamp_ns(message),
        frame_id=str(message.header.frame_id),
    )

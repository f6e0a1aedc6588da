"""SpatialRelation and SpatialRelationArray."""

from __future__ import annotations

import math
from collections.abc import Iterable

from joyai_ros.messages.enums import member
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.scene.types import Frame, Scene, Source, SpatialRelation, Status


def relation_message(factory: MessageFactory, relation: SpatialRelation) -> Message:
    """Return a joyai_ros/SpatialRelation."""
    message = factory("joyai_ros/msg/SpatialRelation")(
        subject=relation.subject,
        predicate=relation.predicate,
        objects=list(relation.objects),
        frame=int(relation.frame),
    )
    _fill(message, relation)
    return message


class RelationMessages:
    """Makes the messages of relations frame after frame, out of those of the frame before.

    Most statements are made again with another value, and filling a message in costs a third of making one. The messages
    of a frame are valid until the next frame: publish or serialise them before.

    Args:
        factory: makes the messages.
    """

    def __init__(self, factory: MessageFactory) -> None:
        self._factory = factory
        self._known: dict[tuple[str, str, tuple[str, ...], Frame], Message] = {}

    def make(self, relations: Iterable[SpatialRelation]) -> list[Message]:
        """Return a joyai_ros/SpatialRelation for each relation of a frame."""
        made: dict[tuple[str, str, tuple[str, ...], Frame], Message] = {}
        messages = []
        for relation in relations:
            key = (relation.subject, relation.predicate, relation.objects, relation.frame)
            message = None if key in made else self._known.get(key)
            if message is None:
                message = relation_message(self._factory, relation)
            else:
                _fill(message, relation)
            made[key] = message
            messages.append(message)
        self._known = made
        return messages


def _fill(message: Message, relation: SpatialRelation) -> None:
    """Write into a message what may change from frame to frame."""
    message.has_value = relation.value is not None
    message.value = number(relation.value, 0.0)
    message.unit = relation.unit
    message.sigma = number(relation.sigma, math.nan)
    message.confidence = float(relation.confidence)
    message.source = int(relation.source)
    message.status = int(relation.status)
    message.has_model_value = relation.model_value is not None
    message.model_value = number(relation.model_value, 0.0)


def relation_from_message(message: Message) -> SpatialRelation:
    """Return a SpatialRelation.

    Raises:
        EncodingError: frame, source or status holds an unknown number.
    """
    return SpatialRelation(
        subject=str(message.subject),
        predicate=str(message.predicate),
        objects=tuple(str(o) for o in message.objects),
        value=float(message.value) if message.has_value else None,
        unit=str(message.unit),
        sigma=optional(message.sigma),
        frame=member(Frame, message.frame, "frame"),
        confidence=float(message.confidence),
        source=member(Source, message.source, "source"),
        status=member(Status, message.status, "status"),
        model_value=float(message.model_value) if message.has_model_value else None,
    )


def relations_message(
    factory: MessageFactory, header: Message, scene: Scene, *, relations: list[Message] | None = None
) -> Message:
    """Return all relations of a scene as a joyai_ros/SpatialRelationArray.

    Args:
        factory: makes the messages.
        header: of the scene.
        scene: whose relations.
        relations: their messages, where they are made already.
    """
    made = [relation_message(factory, r) for r in scene.relations] if relations is None else relations
    return factory("joyai_ros/msg/SpatialRelationArray")(header=header, relations=made, abstentions=scene.abstentions)


def number(value: float | None, missing: float) -> float:
    """Return a float for a field that cannot be empty."""
    return missing if value is None else float(value)


def optional(value: float) -> float | None:
    """Return None for NaN, which says "unknown" in a field that cannot be empty."""
    return None if math.isnan(value) else float(value)

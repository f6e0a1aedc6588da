"""The relations that are true in a simulated frame, by the scene engine's own definitions on exact boxes.

Order, distance, size and arrangement come from the engine's definitions with the exact boxes and no uncertainty, so that
only its measurements are judged. What stands on, in or against what is known from the simulation itself.
"""

from __future__ import annotations

import numpy as np

from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import PROPERTIES, Predicate
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import SceneObject, SpatialRelation
from joyai_ros.sim.truth import FrameTruth

Statement = tuple[str, str, tuple[str, ...]]  # subject, predicate, objects

MEASUREMENTS = PROPERTIES | {Predicate.DISTANCE, Predicate.CENTER_DISTANCE}
_CONTACT = {
    Predicate.ON,
    Predicate.UNDER,
    Predicate.INSIDE,
    Predicate.CONTAINS,
    Predicate.TOUCHING,
}


def statement(relation: SpatialRelation) -> Statement:
    """Return who stands how to whom, without the numbers."""
    return relation.subject, relation.predicate, relation.objects


def true_objects(truth: FrameTruth) -> tuple[SceneObject, ...]:
    """Return the objects of a frame with exact boxes in the optical frame and no uncertainty."""
    nothing = np.zeros(3)
    containers = {item.inside for item in truth.world.objects}
    return tuple(
        SceneObject(
            id=view.id,
            label=truth.world.object(view.id).label,
            obb=view.camera_box,
            center_sigma=nothing,
            size_sigma=nothing,
            height=float(view.camera_box.size[2]),
            height_sigma=0.0,
            hollow=view.id in containers,
        )
        for view in truth.views
    )


def true_relations(truth: FrameTruth, config: RelationConfig) -> set[Statement]:
    """Return every statement that is true of a frame, measurements apart."""
    found = relate(true_objects(truth), truth.up, config).stated
    result = {statement(relation) for relation in found if Predicate(relation.predicate) not in MEASUREMENTS | _CONTACT}
    for item in truth.world.objects:
        if item.inside:
            result |= {
                (item.id, Predicate.INSIDE.value, (item.inside,)),
                (item.inside, Predicate.CONTAINS.value, (item.id,)),
            }
        if item.stands_on not in ("", "table", item.inside):
            result |= {
                (item.id, Predicate.ON.value, (item.stands_on,)),
                (item.stands_on, Predicate.UNDER.value, (item.id,)),
            }
    for first, second in truth.world.contacts:
        if "table" not in (first, second):
            result |= {
                (first, Predicate.TOUCHING.value, (second,)),
                (second, Predicate.TOUCHING.value, (first,)),
            }
    return result

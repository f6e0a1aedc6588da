"""What is asked, about which frames and objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation
from joyai_ros.understanding.tasks import QuestionError, Task

MOST_CHARACTERS = 4000  # of a question


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        text: in words.
        task: name in the task table; empty to tell it from the words.
        choices: the options of a choice question; empty otherwise.
        objects: ids of the objects that it is about, in the order in which the task speaks of them; empty to find them in
            the words.
        max_imagined_views: how many views from elsewhere may be shown to the model.

    Raises:
        QuestionError: on construction, for a text that is empty or longer than :data:`MOST_CHARACTERS`.
    """

    text: str
    task: str = ""
    choices: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    max_imagined_views: int = 0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise QuestionError("the question is empty; ask something")
        if len(self.text) > MOST_CHARACTERS:
            raise QuestionError(
                f"the question has {len(self.text)} characters; at most {MOST_CHARACTERS} are taken, so shorten it"
            )


@dataclass(frozen=True)
class Look:
    """One frame that a question is about: the observation, and the scene that was measured from it."""

    observation: Observation
    scene: Scene

    @cached_property
    def things(self) -> tuple[Thing, ...]:
        """Everything that can be spoken of: measured objects, and detections where depth measured none."""
        found = [Thing(item.id, item.label, item.box, item) for item in self.scene.objects]
        known = {thing.id for thing in found}
        pointed_at = self.observation.detections or ()
        found += [Thing(d.id, d.label, d.box, None) for d in pointed_at if d.id not in known]
        return tuple(found)


@dataclass(frozen=True)
class Thing:
    """An object that can be spoken of.

    Attributes:
        id, label: of the object.
        box: pixels in its image; None where it is out of sight.
        measured: what depth says of it; None without depth there.
    """

    id: str
    label: str
    box: Box2D | None
    measured: SceneObject | None


@dataclass(frozen=True)
class Asked:
    """A question with everything that it needs: its task, its frames, and the things that it is about.

    Attributes:
        question: as it was asked.
        task: of the table.
        looks: at least one frame.
        things: in the order in which the task speaks of them.
        views: in which frame each of the things is.
        options: of a choice, in the order shown; object ids where the task chooses among objects.
        config: the margins of relations.
    """

    question: Question
    task: Task
    looks: tuple[Look, ...]
    things: tuple[Thing, ...] = ()
    views: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    config: RelationConfig = RelationConfig()

    @property
    def up(self) -> Vec3 | None:
        """(3,) unit, against gravity in the first frame's optical frame; None where unknown."""
        return self.looks[0].scene.up

    def first_from(self, view: int) -> Mat4 | None:
        """Return the (4, 4) pose of a frame's camera in the first one's optical frame; None where poses are missing."""
        if view == 0:
            return np.eye(4)
        first, other = self.looks[0].observation, self.looks[view].observation
        if first.world_from_camera is None or other.world_from_camera is None:
            return None
        if first.world_frame != other.world_frame:
            return None
        return rigid.inverse(first.world_from_camera) @ other.world_from_camera

    @cached_property
    def measured(self) -> tuple[SceneObject, ...] | None:
        """The things as measured, in the first frame's optical frame under the names 0, 1, 2...; None if one is not."""
        found = []
        for index, (thing, view) in enumerate(zip(self.things, self.views, strict=True)):
            pose = self.first_from(view)
            if thing.measured is None or pose is None:
                return None
            found.append(_renamed(thing.measured, str(index), pose))
        return tuple(found)

    @cached_property
    def relations(self) -> dict[tuple[str, str, tuple[str, ...]], SpatialRelation]:
        """What geometry states of the things, by subject, predicate and objects (their numbers)."""
        if not self.measured:
            return {}
        stated = relate(self.measured, self.up, self.config).stated
        return {(item.subject, item.predicate, item.objects): item for item in stated}

    def relation(self, predicate: str, subject: int, *objects: int) -> SpatialRelation | None:
        """Return what is stated of some of the things, given by their place in the question; with their own ids."""
        found = self.relations.get((str(subject), predicate, tuple(map(str, objects))))
        if found is None:
            return None
        ids = tuple(self.things[index].id for index in objects)
        return found._replace(subject=self.things[subject].id, objects=ids)


def _renamed(item: SceneObject, name: str, pose: Mat4) -> SceneObject:
    """Return an object under another name in another frame."""
    rotation = pose[:3, :3]
    spread = rotation @ np.diag(np.square(item.center_sigma)) @ rotation.T
    values = {**vars(item), "id": name, "obb": item.obb.transformed(pose), "center_sigma": np.sqrt(np.diag(spread))}
    return SceneObject(**{**values, "front": None if item.front is None else rotation @ item.front})

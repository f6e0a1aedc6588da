"""Questions about the demo's last frame: what geometry measures, what a model says, and what is true."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.config import AskConfig, Policy
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.reasoning.wording import number_in_words
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene, SceneObject, Status
from joyai_ros.sim.relations import true_objects
from joyai_ros.sim.shapes import NOUNS
from joyai_ros.sim.truth import FrameTruth
from joyai_ros.understanding.opening import OpenModel
from joyai_ros.understanding.tasks import TASKS

_SHOWN = 0.6  # share of an object that is seen where a question is about it
_PAIRS = ("left_right", "front_behind", "relative_height", "object_distance")
_SINGLE = ("camera_distance", "object_height")


@dataclass(frozen=True)
class QuestionCheck:
    """One question with every answer to it, in words.

    Attributes:
        text: the question.
        measured: geometry's answer; empty where only a model can tell.
        true: what the simulator knows.
        said: the model's answer; empty without one.
        verdict: how the model's answer fares against what was measured.
    """

    text: str
    measured: str
    true: str
    said: str = ""
    verdict: str = ""


def check_questions(observation: Observation, scene: Scene, truth: FrameTruth, model: OpenModel) -> list[QuestionCheck]:
    """Return questions about a frame with their answers.

    Args:
        observation, scene: the frame, and what was measured of it.
        truth: of the same frame.
        model: that is asked too; one without a backend is not.

    Raises:
        ModelError: the model cannot answer.
    """
    look, exact = Look(observation, scene), Look(observation, _exact(scene, truth))
    posed = list(_of_geometry(look, truth))
    true = [_value(answer, exact) for answer in Asker().ask_all(posed, [exact])]
    posed.append(Question("How many objects are in the image?", "count"))
    true.append(str(sum(view.visible_fraction > 0.0 for view in truth.views)))
    measured = [_value(answer, look) for answer in Asker().ask_all(posed, [look])]
    if model.backend is None:
        return [QuestionCheck(*row) for row in zip((item.text for item in posed), measured, true, strict=True)]
    for question, color in _of_colors(look, truth):
        posed.append(question)
        true.append(color)
        measured.append("")
    # By this policy an answer is the model's own, where geometry contradicts it too.
    said = Asker(model.backend, AskConfig(policy=Policy.MODEL)).ask_all(posed, [look])
    rows = zip((item.text for item in posed), measured, true, said, strict=True)
    return [QuestionCheck(*row[:3], _said(row[3], look), _VERDICT[row[3].status]) for row in rows]


_VERDICT = {Status.AGREE: "agrees", Status.CONTRADICT: "contradicted", Status.UNCHECKED: "unchecked"}


def _exact(scene: Scene, truth: FrameTruth) -> Scene:
    return Scene(
        stamp=scene.stamp,
        frame_id=scene.frame_id,
        objects=true_objects(truth),
        up=truth.up,
        up_source=scene.up_source,
        world_from_camera=truth.world_from_camera,
        world_frame=scene.world_frame,
    )


def _of_geometry(look: Look, truth: FrameTruth) -> Iterator[Question]:
    """Yield questions that geometry answers, each about the first objects for which it does."""
    things = _well_seen(look.scene, truth)
    for turn, task in enumerate((*_PAIRS, *_SINGLE)):
        turned = things[turn:] + things[:turn]  # not always about the same
        yield from _first_answered(task, itertools.combinations(turned, TASKS[task].objects[0]), look)


def _of_colors(look: Look, truth: FrameTruth) -> Iterator[tuple[Question, str]]:
    for thing in _well_seen(look.scene, truth)[:1]:
        owner = truth.world.object(thing.id)
        noun = NOUNS.get(owner.kind, owner.kind)
        yield Question(TASKS["color"].prompt.format(a=f"the {noun}"), "color", objects=(thing.id,)), owner.color


def _well_seen(scene: Scene, truth: FrameTruth) -> list[SceneObject]:
    """Return the objects of which most is seen and whose name only they have."""
    seen = {view.id: view.visible_fraction for view in truth.views}
    names = Counter(item.label for item in scene.objects)
    return [item for item in scene.objects if seen.get(item.id, 0.0) >= _SHOWN and names[item.label] == 1]


def _first_answered(task: str, candidates: Iterable[tuple[SceneObject, ...]], look: Look) -> Iterator[Question]:
    for things in candidates:
        named = dict(zip("ab", (f"the {thing.label}" for thing in things), strict=False))
        question = Question(TASKS[task].prompt.format(**named), task, objects=tuple(thing.id for thing in things))
        answer = Asker().ask(question, [look])
        if answer.choice or answer.value is not None:
            yield question
            return


def _value(answer: Answer, look: Look) -> str:
    if answer.choice:
        return {item.id: item.label for item in look.scene.objects}.get(answer.choice, answer.choice)
    return "cannot tell" if answer.value is None else number_in_words(answer.value, answer.unit, answer.sigma)


def _said(answer: Answer, look: Look) -> str:
    return _value(answer, look) if answer.model_value is None else number_in_words(answer.model_value, answer.unit)

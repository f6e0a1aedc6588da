"""From a question to its task and the things that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from joyai_ros.reasoning.mentions import Mention, mentions, only
from joyai_ros.reasoning.question import Asked, Look, Question, Thing
from joyai_ros.reasoning.task_from_words import task_of
from joyai_ros.scene.config import RelationConfig
from joyai_ros.understanding.formats import Choice
from joyai_ros.understanding.tasks import MOST_VIEWS, QuestionError, Task, task_named


def resolve(question: Question, looks: Sequence[Look], by_words: bool, config: RelationConfig) -> Asked:
    """Return a question with its task, frames and things.

    Args:
        question: what is asked.
        looks: the frames that it is about.
        by_words: whether a question without a task gets one from its words; else it is free.
        config: the margins of relations.

    Raises:
        QuestionError: the task is unknown, frames or objects are too few, too many or unknown, or a name is ambiguous.
    """
    if not looks:
        raise QuestionError("there is no image to ask about; give one")
    if len(looks) > MOST_VIEWS:
        raise QuestionError(f"a question is about at most {MOST_VIEWS} images and {len(looks)} came; leave some out")
    task = _task(question, by_words)
    least, most = task.views
    if len(looks) < least:
        raise QuestionError(f"task {task.name} is about {least} images and {len(looks)} came; give all of them")
    looks = tuple(looks[:most])
    things, views = _things(question, task, looks)
    least, most = task.objects
    if not least <= len(things) <= most:
        known = ", ".join(thing.id for look in looks for thing in look.things) or "none"
        wanted = str(least) if least == most else f"{least} to {most}"
        raise QuestionError(
            f"task {task.name} is about {wanted} objects and the question names {len(things)}; give their ids, "
            f"known are: {known}"
        )
    return Asked(question, task, looks, things, views, _options(question, task, things), config)


def _task(question: Question, by_words: bool) -> Task:
    if question.task:
        return task_named(question.task)
    if question.choices:
        return task_named("choice")
    return task_named(task_of(question.text) if by_words else "free")


def _things(question: Question, task: Task, looks: tuple[Look, ...]) -> tuple[tuple[Thing, ...], tuple[int, ...]]:
    """Return the things that a question is about and in which frame each is: by their ids, or as its words name them."""
    if question.objects:
        views = tuple(_view_of(task, index) for index in range(len(question.objects)))
        return tuple(_by_id(name, looks[view]) for name, view in zip(question.objects, views, strict=True)), views
    if task.objects[1] == 0 or task.name in ("count", "ground_boxes", "ground_points", "free", "choice"):
        return (), ()
    found = mentions(question.text, looks[0].things)
    things = _in_task_order(task, found, question.text)
    if task.asks_of != (0,):
        second = [only(item, question.text) for item in mentions(question.text, looks[1].things)]
        things = things[:1] + tuple(second[1:] or second)
    things = things[: task.objects[1]]
    return things, tuple(_view_of(task, index) for index in range(len(things)))


def _in_task_order(task: Task, found: list[Mention], text: str) -> tuple[Thing, ...]:
    """Return the mentioned things in the order in which the task speaks of them, each once."""
    if task.name == "depth_order":  # a plural names all candidates
        things = [thing for item in found for thing in item.things]
    else:
        things = [only(item, text) for item in found]
    if task.name == "relative_distance":  # what follows "closer to" is what both are compared with
        at = max((text.lower().find(f"{word} to ") for word in ("closer", "nearer", "closest", "nearest")), default=-1)
        reference = next((k for k, item in enumerate(found) if item.start >= at >= 0), 0)
        things = [things[reference], *things[:reference], *things[reference + 1 :]] if things else []
    return tuple({thing.id: thing for thing in things}.values())


def _view_of(task: Task, index: int) -> int:
    return task.asks_of[min(index, len(task.asks_of) - 1)]


def _by_id(name: str, look: Look) -> Thing:
    for thing in look.things:
        if thing.id == name:
            return thing
    known = ", ".join(thing.id for thing in look.things) or "none"
    raise QuestionError(f"no object has the id {name!r} in this frame; known are: {known}")


def _options(question: Question, task: Task, things: tuple[Thing, ...]) -> tuple[str, ...]:
    """Return what may be chosen, in the order shown: ids where the task chooses among objects."""
    if isinstance(task.answer, Choice):
        return task.answer.options
    if task.answer is not None:
        return ()
    if task.name == "choice":
        if len(set(question.choices)) < 2:
            raise QuestionError("a choice question needs at least two different choices")
        return question.choices
    first = 0 if task.name in ("relative_size", "relative_height", "depth_order", "cross_view_size") else 1
    return tuple(thing.id for thing in things[first:])

"""What a model is shown and told of a question: marks, the prompt, and the form of its answer.

Questions to a model and the data that it is trained on are made by the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.reasoning.question import Asked, Look
from joyai_ros.understanding.formats import AnswerFormat, Choice
from joyai_ros.understanding.listing import Marks
from joyai_ros.understanding.prompts import Referent, plain, prompt_for


def marks_of(asked: Asked) -> tuple[Marks, ...]:
    """Return the boxes that are numbered in each frame, as shares of the image; empty where the question is about none.

    They are those of all things in it, the same for every question about a frame, so that it is encoded once.
    """
    if not asked.things:
        return ()
    return tuple(
        marks_within([thing.box for thing in look.things], look.observation.camera.size) for look in asked.looks
    )


def marks_within(boxes: Sequence[Box2D | None], size: tuple[int, int]) -> Marks:
    """Return boxes in pixels as shares of an image of (width, height)."""
    width, height = size
    return tuple(
        None if box is None else (box[0] / width, box[1] / height, box[2] / width, box[3] / height) for box in boxes
    )


def prompt_of(asked: Asked, named: bool = True) -> str:
    """Return the prompt of a question; objects go by their mark alone where they are not ``named``."""
    referents = [
        _referent(asked.looks[view], thing.id, named) for thing, view in zip(asked.things, asked.views, strict=True)
    ]
    return prompt_for(asked.task, asked.question.text, referents, spelled(asked))


def format_of(asked: Asked) -> AnswerFormat:
    """Return the form of the answer."""
    if asked.options:
        return Choice(spelled(asked))
    assert asked.task.answer is not None
    return asked.task.answer


def spelled(asked: Asked) -> tuple[str, ...]:
    """Return the options as the model spells them: numbers for objects."""
    if not asked.options:
        return ()
    if isinstance(asked.task.answer, Choice) or asked.task.name == "choice":
        return tuple(plain(option) for option in asked.options)
    start = len(asked.things) - len(asked.options)
    marks = []
    for thing, view in zip(asked.things[start:], asked.views[start:], strict=True):
        marks.append(str(_referent(asked.looks[view], thing.id).mark or thing.id))
    return tuple(marks) if len(set(marks)) == len(marks) else tuple(f"{k + 1}" for k in range(len(marks)))


def _referent(look: Look, name: str, named: bool = True) -> Referent:
    for number, thing in enumerate(look.things, start=1):
        if thing.id == name:
            return Referent(thing.label if named else "", number if thing.box is not None else None)
    raise KeyError(name)

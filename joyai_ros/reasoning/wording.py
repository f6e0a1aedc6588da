"""Answers in words for people: the value, how sure it is, and who says so."""

from __future__ import annotations

import math

from joyai_ros.reasoning.compare import Said
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked, Thing
from joyai_ros.scene.types import Status

_NOTHING = "Geometry cannot tell: nothing was measured there, or it is too close to call."
_NO_CHECK = "Geometry alone cannot answer this: it measures, compares and counts. Ask a model, or name a task."
_ADVERB = {"left": "to the left of", "right": "to the right of", "near": "near", "far": "far from"}
# What the chosen object is, among the task's others.
_CHOOSES = {
    "relative_distance": "is closer to {first} than {others} is",
    "relative_size": "is bigger than {others}",
    "relative_height": "is taller than {others}",
    "depth_order": "is closer to the camera than {others}",
}
_MEASURED = {
    "object_distance": "{a} is {value} from {b}",
    "camera_distance": "{a} is {value} from the camera",
    "object_size": "the longest side of {a} is {value}",
    "height": "{a} is {value} tall",
    "clearance": "between {a} and {b} there are {value}",
    "count": "{value} found",
}


def name_of(thing: Thing) -> str:
    """Return what a person would call a thing."""
    return f"the {thing.label}" if thing.label else thing.id


def choice_in_words(asked: Asked, choice: str) -> str:
    """Return a choice as a sentence."""
    names = [name_of(thing) for thing in asked.things]
    check = asked.task.check
    if check in ("left_right", "front_behind", "above_below", "near_far"):
        return _sentence(f"{names[0]} is {_ADVERB.get(choice, choice)} {names[1]}")
    if check in _CHOOSES:
        compared = asked.things[1:] if check == "relative_distance" else asked.things
        chosen = next((name_of(thing) for thing in compared if thing.id == choice), choice)
        others = " and ".join(name_of(thing) for thing in compared if thing.id != choice)
        return _sentence(f"{chosen} {_CHOOSES[check].format(first=names[0], others=others)}")
    if check == "object_camera":
        return _sentence(f"{names[0]} is at {choice}")
    return _sentence(choice)


def number_in_words(value: float, unit: str, sigma: float | None = None) -> str:
    """Return a number with its unit; lengths below a metre in centimetres."""
    if unit == "1":
        return f"{value:g}"
    scale, shown = (100.0, "cm") if unit == "m" and abs(value) < 1.0 else (1.0, unit)
    spread = f" ± {scale * sigma:.{_decimals(scale * sigma)}f}" if sigma else ""
    decimals = _decimals(scale * sigma) if sigma else 1 if scale > 1 else 2
    return f"{scale * value:.{decimals}f}{spread} {shown}"


def value_in_words(asked: Asked, value: str) -> str:
    """Return a value that is written out already as a sentence about what it is of."""
    names = dict(zip("ab", (name_of(thing) for thing in asked.things), strict=False))
    return _sentence(_MEASURED.get(asked.task.check, "{value}").format(value=value, **names))


def measured_in_words(asked: Asked, measured: Measured | None) -> str:
    """Return what geometry says."""
    if measured is None:
        return _NOTHING if asked.task.check else _NO_CHECK
    if measured.choice:
        return choice_in_words(asked, measured.choice)
    if measured.boxes or measured.points:
        count = max(len(measured.boxes), len(measured.points))
        return f"{count} found."
    if measured.pose is not None:
        return f"The camera moved {number_in_words(math.dist(measured.pose[:3, 3], (0, 0, 0)), 'm')}."
    assert measured.value is not None
    return value_in_words(asked, number_in_words(measured.value, measured.unit, measured.sigma))


def said_in_words(asked: Asked, said: Said, unit: str, status: Status) -> str:
    """Return what the model says, and whether geometry agrees."""
    if said.choice:
        text = choice_in_words(asked, said.choice)
    elif said.value is not None:
        text = value_in_words(asked, number_in_words(said.value, unit))
    elif said.pose is not None:
        text = f"The camera moved {number_in_words(math.dist(said.pose[:3, 3], (0, 0, 0)), 'm')}."
    else:
        text = f"{max(len(said.boxes), len(said.points))} found."
    source = {
        Status.AGREE: "the measurement agrees",
        Status.CONTRADICT: "the measurement contradicts",
        Status.UNCHECKED: "the model's view, not measured",
    }[status]
    return f"{text[:-1]} ({source})."


def _decimals(value: float) -> int:
    """Return how many decimals show a standard deviation to two digits or less."""
    return 0 if value >= 10 else 1 if value >= 0.1 else 2


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

"""Answers in words for people: the value, how sure it is, and who says so."""

from __future__ import annotations

import math

from joyai_ros.reasoning.compare import Said
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked, Thing
from joyai_ros.scene.types import Status

_NOTHING = "Geometry cannot tell: nothing was measured there, or it is too close to call."
_ADVERB = {"left": "to the left of", "right": "to the right of", "near": "near", "far": "far from"}
_CHOOSES = {
    "relative_distance": "is closer to",
    "relative_size": "is bigger than the other",
    "relative_height": "is taller than the other",
    "depth_order": "is closest to the camera",
}  # fmt: skip


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
        chosen = next((name_of(thing) for thing in asked.things if thing.id == choice), choice)
        reference = f" {names[0]}" if check == "relative_distance" else ""
        return _sentence(f"{chosen} {_CHOOSES[check]}{reference}")
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


def measured_in_words(asked: Asked, measured: Measured | None) -> str:
    """Return what geometry says."""
    if measured is None:
        return _NOTHING
    if measured.choice:
        return choice_in_words(asked, measured.choice)
    if measured.boxes or measured.points:
        count = max(len(measured.boxes), len(measured.points))
        return f"{count} found."
    if measured.pose is not None:
        return f"The camera moved {number_in_words(math.dist(measured.pose[:3, 3], (0, 0, 0)), 'm')}."
    assert measured.value is not None
    return f"{number_in_words(measured.value, measured.unit, measured.sigma)}."


def said_in_words(asked: Asked, said: Said, unit: str, status: Status) -> str:
    """Return what the model says, and whether geometry agrees."""
    if said.choice:
        text = choice_in_words(asked, said.choice)
    elif said.value is not None:
        text = f"{number_in_words(said.value, unit)}."
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

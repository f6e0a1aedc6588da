"""By what answers are balanced: the choice, the place of the right option, the count, or the size of a number."""

from __future__ import annotations

import math

from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked
from joyai_ros.understanding.formats import Choice
from joyai_ros.understanding.tasks import Task

_BINS = 3  # of a length, for each doubling


def key_of(asked: Asked, measured: Measured) -> str:
    """Return the key of an answer."""
    if measured.choice and isinstance(asked.task.answer, Choice):
        return measured.choice
    if measured.choice:  # objects: which place, of how many
        return f"{asked.options.index(measured.choice) + 1} of {len(asked.options)}"
    if measured.boxes or measured.points:
        return str(max(len(measured.boxes), len(measured.points)))
    if measured.value is None:
        return ""
    if measured.unit == "1":
        return str(round(measured.value))
    low = 2.0 ** (math.floor(_BINS * math.log2(measured.value)) / _BINS)
    return f"{low:.2f} m or more"


def answers_of(task: Task, key: str) -> int:
    """Return how many answers there are to choose from; 0 for numbers, boxes and poses."""
    if isinstance(task.answer, Choice):
        return len(task.answer.options)
    return int(key.rpartition(" ")[2]) if " of " in key else 0

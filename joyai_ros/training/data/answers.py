"""Answers as a model must write them, and what such a text says against the geometry."""

from __future__ import annotations

import json
import math

from joyai_ros.geometry.boxes import box2d_iou
from joyai_ros.geometry.cameras import Camera
from joyai_ros.reasoning.compare import fields_from_pose, pose_from_fields
from joyai_ros.reasoning.measured import Measured
from joyai_ros.understanding.formats import GRID, AnswerFormat, AnswerFormatError, Boxes, Parsed, parse

_STEP = 0.01  # metres that lengths are rounded to; below ten of them to a tenth
_ROUNDING = 1.01  # of half a step: the last digit of a number that lies between two


def length_text(metres: float) -> str:
    """Return a length as JSON."""
    return json.dumps({"value": _rounded(metres), "unit": "m"})


def _rounded(metres: float) -> float:
    return round(metres, 2) if abs(metres) >= 10 * _STEP else round(metres, 3)


def answer_text(wanted: AnswerFormat, measured: Measured, choice: str, labels: tuple[str, ...], camera: Camera) -> str:
    """Return the text of what was measured.

    Args:
        wanted: the format.
        measured: the answer.
        choice: the option as the model spells it; empty where the task has none.
        labels: of the boxes or points.
        camera: of the first image; boxes are counted across its size.
    """
    if choice:
        return json.dumps({"answer": choice})
    if measured.pose is not None:
        return json.dumps(fields_from_pose(measured.pose))
    if measured.boxes and isinstance(wanted, Boxes):
        found = zip(measured.boxes, labels, strict=True)
        return json.dumps({"objects": [{"bbox_2d": _grid(box, camera), "label": label} for box, label in found]})
    if measured.points:
        marked = zip(measured.points, labels, strict=True)
        return json.dumps({"points": [{"point_2d": _grid(point, camera), "label": label} for point, label in marked]})
    assert measured.value is not None
    if measured.unit == "1":
        return json.dumps({"count": round(measured.value)})
    return length_text(measured.value)


def _grid(values: tuple[float, ...], camera: Camera) -> list[int]:
    sides = (camera.width, camera.height) * 2
    return [min(max(round(v / side * GRID), 0), GRID) for v, side in zip(values, sides, strict=False)]


def disagreement(wanted: AnswerFormat, stored: str, derived: str) -> str:
    """Return in words how a stored answer differs from the one that follows from the geometry; empty where it does not.

    Numbers may differ by their rounding.
    """
    if stored == derived:
        return ""
    try:
        said, true = parse(wanted, stored), parse(wanted, derived)
    except AnswerFormatError as error:
        return f"the answer cannot be read: {error}"
    return "" if _same(said, true) else f"the answer says {stored}, the geometry {derived}"


def _same(said: Parsed, true: Parsed) -> bool:
    if said.choice != true.choice or said.labels != true.labels or set(said.fields) != set(true.fields):
        return False
    if said.value is not None and true.value is not None:
        step = 0.0 if true.unit == "1" else _STEP if abs(true.value) >= 10 * _STEP else _STEP / 10
        return abs(said.value - true.value) <= _ROUNDING * step
    if true.fields:
        a, b = pose_from_fields(said.fields), pose_from_fields(true.fields)
        return bool(abs(a - b).max() < 0.011)
    if len(said.boxes) != len(true.boxes) or len(said.points) != len(true.points):
        return False
    boxes = all(box2d_iou(a, b) > 0.9 for a, b in zip(said.boxes, true.boxes, strict=True))
    return boxes and all(math.dist(a, b) < 2.0 / GRID for a, b in zip(said.points, true.points, strict=True))

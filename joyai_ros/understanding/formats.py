"""Answer formats: the JSON schema that decoding is held to, and the typed value that is read from the text.

Every format is bounded: its longest text is known, so an answer that the token limit cuts off cannot happen with a limit
of that many tokens (no token is shorter than a character).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jsonschema

from joyai_ros.errors import JoyaiError

Schema: TypeAlias = dict[str, Any]
GRID = 1000  # boxes and points count from 0 to this across the image, in both directions (Qwen3-VL's convention)
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_ANGLES = {"deg": math.pi / 180.0, "rad": 1.0}
_MOST = 1000  # metres, or anything else that is measured
_NUMBER_CHARACTERS = 12  # of the longest number that decoding allows: sign, four digits, point, six decimals
_UTF8 = 4  # bytes, and so tokens, of a character at most
_MAX_LABEL = 40  # characters


class AnswerFormatError(JoyaiError):
    """A model's text is not in the format that was asked for."""


@dataclass(frozen=True)
class Choice:
    """One of some options: ``{"answer": "left"}``."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """A number with its unit: ``{"value": 0.42, "unit": "m"}``.

    Attributes:
        unit: ``m`` (the model may say m, cm or mm), ``rad`` (deg or rad) or ``1`` (none).
        least: 0, or below for signed values.
    """

    unit: str
    least: float = 0.0


@dataclass(frozen=True)
class Count:
    """A whole number from 0 to ``most``: ``{"count": 3}``."""

    most: int = 99


@dataclass(frozen=True)
class Boxes:
    """Boxes on the 0-1000 grid: ``{"objects": [{"bbox_2d": [x0, y0, x1, y1], "label": "cup"}]}``."""

    most: int = 16


@dataclass(frozen=True)
class PointList:
    """Points on the 0-1000 grid: ``{"points": [{"point_2d": [x, y], "label": "cup"}]}``."""

    most: int = 16


@dataclass(frozen=True)
class Fields:
    """Bounded numbers and choices by name: ``{"yaw": 45, "pitch": 0, "zoom": 1.5, "target": "2"}``.

    Attributes:
        numbers: (name, least, most) of each.
        choices: (name, options) of each.
    """

    numbers: tuple[tuple[str, float, float], ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Triples:
    """Statements about marked objects: ``{"relations": [{"subject": "1", "relation": "left of", "object": "2"}]}``.

    Attributes:
        subjects: the marks.
        relations: what may be said of two of them.
        most: statements.
    """

    subjects: tuple[str, ...]
    relations: tuple[str, ...]
    most: int = 24


@dataclass(frozen=True)
class Text:
    """Free text of at most ``most`` characters: ``{"text": "..."}``."""

    most: int = 400


AnswerFormat: TypeAlias = Choice | Number | Count | Boxes | PointList | Fields | Triples | Text
Share4: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Parsed:
    """What an answer says, by type; the attributes that its format has not are empty.

    Attributes:
        choice: the option.
        value, unit: the number in m, rad or 1.
        boxes: (x0, y0, x1, y1) as shares of the image's width and height, 0 to 1, x0 < x1 and y0 < y1.
        points: (x, y) likewise.
        labels: of the boxes or points.
        fields: the named values.
        triples: (subject, relation, object) of each statement.
        text: free text.
    """

    choice: str = ""
    value: float | None = None
    unit: str = ""
    boxes: tuple[Share4, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[str, ...] = ()
    fields: dict[str, float | str] = field(default_factory=dict)
    triples: tuple[tuple[str, str, str], ...] = ()
    text: str = ""


def schema_of(wanted: AnswerFormat) -> Schema:
    """Return the JSON schema of a format: an object with all properties required, and none else."""
    if isinstance(wanted, Choice):
        return _object(answer={"enum": list(wanted.options)})
    if isinstance(wanted, Number):
        number = {"type": "number", "minimum": wanted.least, "maximum": _MOST}
        return _object(value=number, unit={"enum": list(_units(wanted.unit))})
    if isinstance(wanted, Count):
        return _object(count={"type": "integer", "minimum": 0, "maximum": wanted.most})
    if isinstance(wanted, Boxes):
        return _object(objects=_list(_object(bbox_2d=_grid(4), label=_string(_MAX_LABEL)), wanted.most))
    if isinstance(wanted, PointList):
        return _object(points=_list(_object(point_2d=_grid(2), label=_string(_MAX_LABEL)), wanted.most))
    if isinstance(wanted, Fields):
        numbers = {name: {"type": "number", "minimum": low, "maximum": high} for name, low, high in wanted.numbers}
        return _object(**numbers, **{name: {"enum": list(options)} for name, options in wanted.choices})
    if isinstance(wanted, Triples):
        marks, relations = {"enum": list(wanted.subjects)}, {"enum": list(wanted.relations)}
        return _object(relations=_list(_object(subject=marks, relation=relations, object=marks), wanted.most))
    return _object(text=_string(wanted.most))


def longest(wanted: AnswerFormat) -> int:
    """Return how many bytes, and so tokens, the longest text of a format has."""
    return len(_example(schema_of(wanted)))


def parse(wanted: AnswerFormat, text: str) -> Parsed:
    """Return what an answer says.

    Raises:
        AnswerFormatError: it is no JSON, or not in the format.
    """
    try:
        # Decoding lets tabs into strings, which strict JSON does not.
        content = json.loads(text, strict=False, parse_constant=_refuse)
        jsonschema.validate(content, schema_of(wanted))
    except (ValueError, jsonschema.ValidationError) as error:
        reason = error.message if isinstance(error, jsonschema.ValidationError) else str(error)
        raise AnswerFormatError(
            f"the answer {text[:80]!r} is not in the format that was asked for: {reason}"
        ) from error
    if isinstance(wanted, Choice):
        return Parsed(choice=content["answer"])
    if isinstance(wanted, Number):
        return Parsed(value=float(content["value"]) * _units(wanted.unit)[content["unit"]], unit=wanted.unit)
    if isinstance(wanted, Count):
        return Parsed(value=float(content["count"]), unit="1")
    if isinstance(wanted, Boxes):
        return _boxes(content["objects"])
    if isinstance(wanted, PointList):
        found = content["points"]
        points = tuple((item["point_2d"][0] / GRID, item["point_2d"][1] / GRID) for item in found)
        return Parsed(points=points, labels=tuple(item["label"] for item in found))
    if isinstance(wanted, Fields):
        return Parsed(fields={name: v if isinstance(v, str) else float(v) for name, v in content.items()})
    if isinstance(wanted, Triples):
        found = content["relations"]
        return Parsed(triples=tuple((item["subject"], item["relation"], item["object"]) for item in found))
    return Parsed(text=content["text"])


def _boxes(found: list[Schema]) -> Parsed:
    """Return boxes with their corners in order; those without an area are left out."""
    boxes, labels = [], []
    for item in found:
        x0, y0, x1, y1 = (value / GRID for value in item["bbox_2d"])
        if x0 != x1 and y0 != y1:
            boxes.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
            labels.append(item["label"])
    return Parsed(boxes=tuple(boxes), labels=tuple(labels))


def _units(unit: str) -> dict[str, float]:
    """Return the units in which a model may give a value, and what each is in the one that is wanted."""
    return {"m": _METRES, "rad": _ANGLES}.get(unit, {unit: 1.0})


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(item: Schema, most: int) -> Schema:
    return {"type": "array", "items": item, "minItems": 0, "maxItems": most}


def _grid(count: int) -> Schema:
    item = {"type": "integer", "minimum": 0, "maximum": GRID}
    return {"type": "array", "items": item, "minItems": count, "maxItems": count}


def _string(most: int) -> Schema:
    return {"type": "string", "maxLength": most}


def _example(schema: Schema) -> bytes:
    """Return a text as long as the longest that a schema allows."""
    if "enum" in schema:
        return json.dumps(max(schema["enum"], key=lambda option: len(json.dumps(option)))).encode()
    kind = schema["type"]
    if kind == "object":
        parts = (json.dumps(name).encode() + b": " + _example(part) for name, part in schema["properties"].items())
        return b"{" + b", ".join(parts) + b"}"
    if kind == "array":
        return b"[" + b", ".join([_example(schema["items"])] * schema["maxItems"]) + b"]"
    if kind == "string":
        return b'"' + b"x" * (_UTF8 * schema["maxLength"]) + b'"'
    return b"0" * (len(str(schema["maximum"])) if kind == "integer" else _NUMBER_CHARACTERS)

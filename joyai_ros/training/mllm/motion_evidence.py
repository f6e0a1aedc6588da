"""What of two listings follows how a camera moved: the line before that answer, worked out in small steps.

How far each thing shifted says how far a camera went up, down, ahead or back. Which way it went to the side seldom does: a
camera that goes round things turns to keep them in sight. So the turn is worked out from the way between two things, which
points elsewhere in the second view, and then where they would lie had the camera not turned. Nor does a camera that rises and
looks down at them see them shift: how far below it two things lie says how far it rose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from joyai_ros.understanding.listing import (
    EVIDENCE_END,
    STEPS,
    Entry,
    content_words,
    field_words,
    in_order,
    number_word,
)

_POINTER = "x"  # with it an entry of a listing begins: from it a model goes on to the next one's
_AROUND, _SEEN = "ra", "rad"
# How far a camera moved, and in which two directions, by the field whose numbers say it.
_WAYS = (
    ("r", "left", "right"),
    ("y", "up", "down"),
    ("a", "backward", "forward"),
    ("x", "turned left", "turned right"),
)
_WAY_STEP, _MIDDLE = 0.02, 50  # metres of one step, and the number of no way at all
_ANGLE, _ANGLE_STEP = "x", math.radians(3.0)
_BELOW, _BELOW_STEP = "y", 0.02  # metres

_Both: TypeAlias = tuple[Entry, Entry]  # a thing as two views list it


def motion_evidence(first: Sequence[Entry], second: Sequence[Entry], ways: Mapping[str, float]) -> tuple[str, str]:
    """Return the line before the answer how the camera moved, in two parts: where the things lie that both views name alike,
    seen from each place, and by how much that differs; and what follows from it: how the camera turned, how far it moved in
    each direction, and the furthest of these.

    Args:
        first, second: entries of the two listings.
        ways: metres, by direction; see :func:`joyai_ros.reasoning.camera_checks.camera_ways`.
    """
    quotes: list[str] = []
    again = {tuple(content_words(entry)): entry for entry in reversed(in_order(second))}
    shared: list[_Both] = []
    for entry in in_order(first):
        name = content_words(entry)
        quotes += [field_words(entry)[_POINTER], *name]
        if tuple(name) in again:
            shared.append((entry, again[tuple(name)]))
            quotes += shifted(*shared[-1])
    follows = _turned(shared[0], shared[-1]) if len(shared) > 1 else []
    moved = [(field, ways.get(more, 0.0) - ways.get(less, 0.0)) for field, less, more in _WAYS]
    furthest = max(moved, key=lambda way: abs(way[1]))
    follows += [number_word(field, _MIDDLE + way / _WAY_STEP) for field, way in (*moved, furthest)]
    return "".join(quotes), "".join(follows) + EVIDENCE_END


def shifted(first: Entry, second: Entry) -> tuple[str, str]:
    """Return where a thing lies, seen from two places, and by how much that differs, with 50 for not at all."""
    one, other = (field_words(entry) for entry in (first, second))
    quoted = [seen[field] for seen in (one, other) for field in _SEEN]
    by = [number_word(field, _MIDDLE + int(other[field][2:]) - int(one[field][2:])) for field in _SEEN]
    return "".join(quoted), "".join(by)


def _turned(one: _Both, other: _Both) -> list[str]:
    """Return, of each view, where two things lie and how far below the camera, the way from one to the other and where that
    points; by how much it points elsewhere in the second, and how much further below it they are there; the middle between the
    two in each, and that of the second as it would be without the turn.

    A camera that turns to the right by an angle sees things turned to the left by it.
    """
    words: list[str] = []
    points: list[int] = []
    middles: list[tuple[float, float]] = []
    below: list[int] = []
    for things in zip(one, other, strict=True):
        fields = [field_words(thing) for thing in things]
        (right, ahead), (far_right, far_ahead) = ([int(each[field][2:]) for field in _AROUND] for each in fields)
        to_right, to_front = far_right - right, far_ahead - ahead
        way = math.atan2(to_front * STEPS["a"], to_right * STEPS["r"])
        points.append(round(way / _ANGLE_STEP))
        for each in fields:
            below.append(_below(each))
            words += [each[field] for field in _SEEN]
            words.append(number_word(_BELOW, below[-1]))
        words += [number_word("r", _MIDDLE + to_right / 2), number_word("a", _MIDDLE + to_front)]
        words.append(number_word(_ANGLE, _MIDDLE + points[-1]))
        middles.append(((right + far_right) / 2, (ahead + far_ahead) / 2))
    turn = points[1] - points[0]
    words.append(number_word(_ANGLE, _MIDDLE + turn))
    words.append(number_word(_BELOW, _MIDDLE + (below[2] + below[3] - below[0] - below[1]) / 2))
    words += [number_word(field, value) for middle in middles for field, value in zip(_AROUND, middle, strict=True)]
    cos, sin = math.cos(turn * _ANGLE_STEP), math.sin(turn * _ANGLE_STEP)
    beside, before = (middles[1][0] - _MIDDLE) * STEPS["r"], middles[1][1] * STEPS["a"]
    words.append(number_word("r", _MIDDLE + (cos * beside + sin * before) / STEPS["r"]))
    words.append(number_word("a", (cos * before - sin * beside) / STEPS["a"]))
    return words


def _below(fields: Mapping[str, str]) -> int:
    """Return how far below the camera a thing lies, in steps, as far as what was quoted says it."""
    right, ahead, away = (int(fields[field][2:]) * STEPS[field] for field in _SEEN)
    aside = right - _MIDDLE * STEPS["r"]
    return round(math.sqrt(max(away**2 - aside**2 - ahead**2, 0.0)) / _BELOW_STEP)

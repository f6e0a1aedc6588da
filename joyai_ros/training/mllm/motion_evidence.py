"""What of two listings follows how a camera moved: the line before that answer, worked out in small steps.

How far each thing shifted says how far a camera went up, down, ahead or back. Which way it went to the side seldom does: a
camera that goes round things turns to keep them in sight. So the turn is worked out from the ways between things, which point
elsewhere in the second view, and then where they would lie had the camera not turned. Nor does a camera that rises and
looks down at them see them shift: how far below it things lie says how far it rose. And lengths are too inexact to tell a
small step ahead from none; that the things spread out in the image says it better. Nor do they always tell a step to the side
from a turn: of a step near things shift more than far ones, of a turn no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from joyai_ros.understanding.listing import (
    EVIDENCE_END,
    STEEP,
    STEPS,
    Entry,
    content_words,
    field_words,
    in_order,
    number_word,
)

_POINTER = "x"  # with it an entry of a listing begins: from it a model goes on to the next one's
_AROUND, _PLACE = "ra", "xyrab"
# How far a camera moved, and in which two directions, by the field whose numbers say it.
_WAYS = (
    ("r", "left", "right"),
    ("y", "up", "down"),
    ("a", "backward", "forward"),
    ("x", "turned left", "turned right"),
)
_WAY_STEP, _MIDDLE = 0.02, 50  # metres of one step, and the number of no way at all
_ANGLE, _ANGLE_STEP = "x", math.radians(2.0)
_SPREAD, _SPREAD_STEP = "w", 0.5  # hundredths of the image
_LEAST_SPREAD = 1.0  # steps

_Both: TypeAlias = tuple[Entry, Entry]  # a thing as two views list it


def motion_evidence(first: Sequence[Entry], second: Sequence[Entry], ways: Mapping[str, float]) -> tuple[str, str]:
    """Return the line before the answer how the camera moved, in two parts: where the things lie whose name both views give to
    one thing, seen from each place, and by how much that differs; and what follows from it: how the camera turned, by how much
    the things spread out, how much more the near ones shift, how far it moved in each direction, and the furthest of these.

    Args:
        first, second: entries of the two listings.
        ways: metres, by direction; see :func:`joyai_ros.reasoning.camera_checks.camera_ways`.
    """
    quotes: list[str] = []
    before, again = (_by_name(entries) for entries in (first, second))
    shared: list[_Both] = []
    for entry in in_order(first):
        name = content_words(entry)
        quotes += [field_words(entry)[_POINTER], *name]
        if len(before[tuple(name)]) == len(again.get(tuple(name), ())) == 1:
            shared.append((entry, again[tuple(name)][0]))
            quotes += shifted(*shared[-1])
    follows = _gone(shared) if len(shared) > 1 else []
    follows += _risen(shared) if shared else []
    follows += [*_spread_out(shared), *_slid(shared)] if len(shared) > 1 else []
    moved = [(field, ways.get(more, 0.0) - ways.get(less, 0.0)) for field, less, more in _WAYS]
    furthest = max(moved, key=lambda way: abs(way[1]))
    follows += [number_word(field, _MIDDLE + way / _WAY_STEP) for field, way in (*moved, furthest)]
    return "".join(quotes), "".join(follows) + EVIDENCE_END


def _by_name(entries: Sequence[Entry]) -> dict[tuple[str, ...], list[Entry]]:
    found: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        found.setdefault(tuple(content_words(entry)), []).append(entry)
    return found


def shifted(first: Entry, second: Entry) -> tuple[str, str]:
    """Return where a thing lies in the image and round the viewer, seen from two places, and by how much that differs, with 50
    for not at all.
    """
    one, other = (field_words(entry) for entry in (first, second))
    quoted = [seen[field] for seen in (one, other) for field in _PLACE]
    by = [number_word(field, _MIDDLE + _steps(other, field) - _steps(one, field)) for field in _PLACE]
    return "".join(quoted), "".join(by)


def _gone(shared: Sequence[_Both]) -> list[str]:
    """Return how a camera turned and where to it went on the level: what the outermost two things say of the turn, and what all
    say; the middle of all in each view, and that of the second as it would be without the turn; and the ways to the right and
    ahead.

    A camera that turns to the right by an angle sees things turned to the left by it.
    """
    words = _pointing(shared[0], shared[-1])
    first, second = (np.array([_around(thing) for thing in things]) for things in zip(*shared, strict=True))
    middles = first.mean(0), second.mean(0)
    # The turn that brings the things of one view nearest to those of the other, in two dimensions (Kabsch 1976).
    one, other = first - middles[0], second - middles[1]
    turn = round(math.atan2(_cross(one, other), float((one * other).sum())) / _ANGLE_STEP)
    words.append(number_word(_ANGLE, _MIDDLE + turn))
    cos, sin = math.cos(turn * _ANGLE_STEP), math.sin(turn * _ANGLE_STEP)
    right, ahead = middles[1].tolist()
    back = np.array([cos * right + sin * ahead, cos * ahead - sin * right])
    words += [word for place in (*middles, back) for word in _place_words(place)]
    return words + [
        number_word(field, _MIDDLE + way / _WAY_STEP) for field, way in zip(_AROUND, middles[0] - back, strict=True)
    ]


def _pointing(one: _Both, other: _Both) -> list[str]:
    """Return, of each view, where two things lie, the way from one to the other and where that points; and by how much it
    points elsewhere in the second.
    """
    words: list[str] = []
    points: list[int] = []
    for near, far in zip(one, other, strict=True):
        to_right, to_front = (_around(far) - _around(near)).tolist()
        points.append(round(math.atan2(to_front, to_right) / _ANGLE_STEP))
        words += [field_words(thing)[field] for thing in (near, far) for field in _AROUND]
        words += [number_word("r", _MIDDLE + to_right / _WAY_STEP), number_word("a", _MIDDLE + to_front / _WAY_STEP)]
        words.append(number_word(_ANGLE, _MIDDLE + points[-1]))
    return [*words, number_word(_ANGLE, _MIDDLE + points[1] - points[0])]


def _around(entry: Entry) -> NDArray[np.float64]:
    """Return where a thing lies to the right and ahead, (2,) metres, as far as a listing says it."""
    right, ahead = (_steps(field_words(entry), field) for field in _AROUND)
    return np.array([(right - _MIDDLE) * STEPS["r"], ahead * STEPS["a"]])


def _place_words(place: NDArray[np.float64]) -> list[str]:
    right, ahead = place.tolist()
    return [number_word("r", _MIDDLE + right / STEPS["r"]), number_word("a", ahead / STEPS["a"])]


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float((one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum())


def _risen(shared: Sequence[_Both]) -> list[str]:
    """Return how much further below the camera things are in the second view, and how steeply the first looks down at them: of
    a camera that looks down, up and ahead are not those on the level.
    """
    first, second = ([field_words(thing) for thing in things] for things in zip(*shared, strict=True))
    below, again = (sum(_steps(each, "b") for each in things) / len(things) for things in (first, second))
    ahead = sum(_steps(each, "a") for each in first) / len(first)
    steep = math.degrees(math.atan2(below * STEPS["b"], ahead * STEPS["a"]))
    return [number_word("b", _MIDDLE + again - below), number_word(STEEP, steep)]


def _spread_out(shared: Sequence[_Both]) -> list[str]:
    """Return where the middle of all things is in each image, and by how much that differs; how far from it they are on
    average, beside and above together; and the logarithm of how much further in the second, in hundredths.
    """
    first, second = (
        np.array([[_steps(field_words(thing), field) for field in "xy"] for thing in things])
        for things in zip(*shared, strict=True)
    )
    middles = [each.mean(0) for each in (first, second)]
    words = [number_word(field, way) for middle in middles for field, way in zip("xy", middle, strict=True)]
    words += [number_word(field, _MIDDLE + way) for field, way in zip("xy", middles[1] - middles[0], strict=True)]
    spreads = [
        max(float(np.abs(each - middle).sum(1).mean()) / _SPREAD_STEP, _LEAST_SPREAD)
        for each, middle in zip((first, second), middles, strict=True)
    ]
    words += [number_word(_SPREAD, spread) for spread in spreads]
    return [*words, number_word(_SPREAD, _MIDDLE + 100.0 * math.log(spreads[1] / spreads[0]))]


def _slid(shared: Sequence[_Both]) -> list[str]:
    """Return how far down the lowest and the highest thing of the first image are, for lower ones are nearer, how far each of
    them shifts to the side, and by how much both differ.
    """
    seen = [[field_words(each) for each in thing] for thing in shared]
    downs = [_steps(first, "y") for first, _ in seen]
    shifts = [_steps(second, "x") - _steps(first, "x") for first, second in seen]
    low, high = downs.index(max(downs)), downs.index(min(downs))
    words = [
        word for at in (low, high) for word in (number_word("y", downs[at]), number_word("x", _MIDDLE + shifts[at]))
    ]
    return [*words, number_word("y", downs[low] - downs[high]), number_word("x", _MIDDLE + shifts[low] - shifts[high])]


def _steps(fields: Mapping[str, str], field: str) -> int:
    return int(fields[field][2:])

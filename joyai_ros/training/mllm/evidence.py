"""What of a listing an answer follows from: a model writes it down before the answer, as one line.

It is one small step after the other: to find a number, to compare two that stand side by side, to keep the better of two, to go
on from a word to what follows it in the listing. Each of them is learned in a few hundred steps, all at once hardly ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from joyai_ros.training.mllm.motion_evidence import shifted
from joyai_ros.understanding.lines_of_sight import FOCAL
from joyai_ros.understanding.listing import (
    EVIDENCE_END,
    LESS,
    MORE,
    STEPS,
    UNKNOWN,
    Entry,
    content_words,
    field_words,
    in_order,
    kind_word,
    mark_word,
    number_word,
)
from joyai_ros.understanding.tasks import COLORS

# The fields of each thing that an answer follows from.
_FIELDS = {
    "left_right": "r",
    "front_behind": "a",
    "above_below": "yh",  # of things that lie on each other the upper one ends higher in the image
    "relative_distance": "ra",
    "camera_distance": "d",
    "object_distance": "ral",
    "object_size": "l",
    "object_height": "t",
    "object_camera": "ra",
    "direction_to_go": "ra",
}
# What is asked for the best of some things: its field, and whether it is the one with the most.
_BEST = {"depth_order": ("d", False), "relative_size": ("l", True), "relative_height": ("t", True)}
_SIDED = ("left_right", "front_behind", "above_below")  # two numbers, and how the second compares with the first
_NEARER = "relative_distance"  # to the first of three things: the one of the others with the least way between
_OF_TWO = (*_SIDED, "object_distance")
_FOUND = ("count", "existence")  # of what was found among all
_POINTER = "x"  # with it an entry of a listing begins: from it a model goes on to the next one's
_PLACE_AROUND = "ra"
_WIDE = "wdl"  # from what follows how wide a thing is
_WORD = 4  # characters of a number: a space, a letter, two digits
_Sum: TypeAlias = tuple[str, str]  # what is quoted, and what follows from it


def evidence_of(task: str, about: Sequence[int], entries: Mapping[int, Entry], named: str = "") -> str:
    """Return the line before an answer.

    Args:
        task: of the question.
        about: numbers of the things that it is about, or that were found.
        entries: of the listing, by number.
        named: what was to be found; it stands first, in the words of a listing.
    """
    known = [number for number in about if number in entries]
    if task in _FOUND:
        words = _gone_through(named, [entries[number] for number in known], list(entries.values()))
    elif task in _BEST:
        field, is_most = _BEST[task]
        words = _best({number: [field_words(entries[number])[field]] for number in known}, is_most)
    elif task == _NEARER:
        words = _best({number: _way_between(entries[known[0]], entries[number]) for number in known[1:]}, is_most=False)
    elif len(known) == 2 and task in _OF_TWO:
        words = list(of_two(task, *(entries[number] for number in known)))
    else:
        words = [_words(task, entries[number]) for number in known]
    return "".join(words) + EVIDENCE_END


def of_two(task: str, first: Entry, second: Entry) -> tuple[str, str]:
    """Return the line before an answer about two things in two parts: what is quoted, and what follows from that."""
    quoted = [_words(task, entry) for entry in (first, second)]
    follows: list[str] = []
    if task == "object_distance":
        follows = _apart(first, second)
    elif task == "above_below":
        follows = [_lower_edge(first), _lower_edge(second)]
    if task in _SIDED:
        one, other = [*quoted, *follows][-2:]
        follows.append(LESS if other < one else MORE)
    return "".join(quoted), "".join(follows)


def _gone_through(named: str, meant: Sequence[Entry], entries: Sequence[Entry]) -> list[str]:
    """Return what was to be found, and the whole listing in short, where what was found is counted."""
    words = [_listed(named)]
    count = 0
    for entry in in_order(entries):
        words += [field_words(entry)[_POINTER], *content_words(entry)]
        if entry in meant:
            count += 1
            words.append(mark_word(count))
    return words


def _listed(named: str) -> str:
    """Return kind and colour as an entry has them; what is not said of a thing is not known."""
    if named == "object":
        return UNKNOWN + UNKNOWN
    color, _, kind = named.partition(" ")
    return kind_word(kind) + f" {color}" if color in COLORS and kind else kind_word(named) + UNKNOWN


def _best(said: Mapping[int, Sequence[str]], is_most: bool) -> list[str]:
    """Return one thing after the other, each compared with the best of those before it, and the best of both.

    Args:
        said: of each thing the words that lead to its number, which is the last of them.
        is_most: whether the largest number is the best.
    """
    words: list[str] = []
    best = ""
    for number, (*before, value) in said.items():
        new = mark_word(number) + value
        words += [*before, new]
        if best:
            less = new[-2:] < best[-2:]
            best = best if less == is_most else new
            words += [LESS if less else MORE, best]
        else:
            best = new
    return words


def _words(task: str, entry: Entry) -> str:
    """Return what is quoted of one thing."""
    if task == "color":
        return content_words(entry)[1]
    fields = field_words(entry)
    return "".join(fields[field] for field in _FIELDS[task])


def _lower_edge(entry: Entry) -> str:
    """Return where a thing ends in the image, as far as what was quoted says it."""
    middle, tall = (_number(field_words(entry)[field]) for field in "yh")
    return number_word("y", middle + tall / 2)


def _way_between(first: Entry, second: Entry) -> list[str]:
    """Return what is quoted of two things, and how far apart they are worked out to be."""
    return [_words("object_distance", first), _words("object_distance", second), *_apart(first, second)]


def _apart(first: Entry, second: Entry) -> list[str]:
    """Return how far apart two things are, worked out from what was quoted: the way between their middles; of each how wide it
    is; and what half of both leaves of the way.
    """
    across, wide = _across(first, second), [_width(entry) for entry in (first, second)]
    return [across[1], *("".join(each) for each in wide), _left(across, *wide)[1]]


def _across(first: Entry, second: Entry) -> _Sum:
    """Return the way between the middles of two things, after how far to the right one is of the other, and how far ahead."""
    fields = [field_words(entry) for entry in (first, second)]
    right, ahead = (abs(_number(fields[0][field]) - _number(fields[1][field])) for field in _PLACE_AROUND)
    way = math.hypot(right * STEPS["r"], ahead * STEPS["a"])
    follows = number_word("r", right), number_word("a", ahead), number_word("r", way / STEPS["r"])
    return "".join(_words("object_distance", entry) for entry in (first, second)), "".join(follows)


def _width(entry: Entry) -> _Sum:
    """Return how wide a thing is: as the image shows it from that far away, and no more than its longest side."""
    fields = field_words(entry)
    seen = _number(fields["w"]) / 100 / FOCAL * _number(fields["d"]) * STEPS["d"]
    wide = number_word("l", min(seen / STEPS["l"], _number(fields["l"])))
    return "".join(fields[field] for field in _WIDE), wide


def _left(across: _Sum, *wide: _Sum) -> _Sum:
    """Return what half of how wide two things are leaves of the way between their middles."""
    way = across[1][-_WORD:]
    halves = sum(_number(each[1]) for each in wide) * STEPS["l"] / 2
    left = number_word("l", max(_number(way) * STEPS["r"] - halves, 0.0) / STEPS["l"])
    return way + "".join(map("".join, wide)), left


def _number(word: str) -> int:
    return int(word[2:])


# What is worked out about two things by more than to compare what is quoted: each returns what is quoted, and what follows. A
# long line is practised part by part, and of its parts that with the root twice as often.
WORKED_OUT: tuple[Callable[[Entry, Entry], _Sum], ...] = (
    _across,
    _across,
    lambda first, _: _width(first),
    lambda first, second: _left(_across(first, second), _width(first), _width(second)),
    partial(of_two, "above_below"),
    shifted,
)

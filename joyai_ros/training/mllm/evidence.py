"""What of a listing an answer follows from: a model writes it down before the answer, as one line.

It is one small step after the other: to find a number, to compare two that stand side by side, to keep the better of two, to go
on from a word to what follows it in the listing. Each of them is learned in a few hundred steps, all at once hardly ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
    "above_below": "y",  # of things that lie on each other the upper one stands higher in the image
    "relative_distance": "ra",
    "camera_distance": "d",
    "object_distance": "ral",  # and how far apart: to the right, ahead, and together
    "object_size": "l",
    "object_height": "t",
    "object_camera": "ra",
    "direction_to_go": "ra",
}
# What is asked for the best of some things: its field, and whether it is the one with the most.
_BEST = {"depth_order": ("d", False), "relative_size": ("l", True), "relative_height": ("t", True)}
_SIDED = ("left_right", "front_behind", "above_below")  # two numbers, and how the second compares with the first
_FOUND = ("count", "existence")  # of what was found among all
_PLACE, _PLACE_AROUND = "r", "ra"


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
        found = in_order([entries[number] for number in known])
        words = [_listed(named), *(_found(place, entry) for place, entry in enumerate(found, start=1))]
    elif task in _BEST:
        words = _best(*_BEST[task], {number: entries[number] for number in known})
    else:
        words = [_words(task, number, entries[number]) for number in known]
        if task == "object_distance" and len(known) == 2:
            words += _apart(*(entries[number] for number in known))
        if task in _SIDED and len(known) == 2:
            words.append(LESS if words[1] < words[0] else MORE)
    return "".join(words) + EVIDENCE_END


def _listed(named: str) -> str:
    """Return the kind, and the colour where one is said, as an entry has them; of any object, that it is one."""
    if named == "object":
        return UNKNOWN
    color, _, kind = named.partition(" ")
    return kind_word(kind) + f" {color}" if color in COLORS and kind else kind_word(named)


def _found(place: int, entry: Entry) -> str:
    """Return what is quoted of the first, second, ... thing that was found: in a listing the words follow each other."""
    return "".join([mark_word(place), *content_words(entry), field_words(entry)[_PLACE]])


def _best(field: str, is_most: bool, entries: Mapping[int, Entry]) -> list[str]:
    """Return one thing after the other, each compared with the best of those before it, and the best of both."""
    words: list[str] = []
    best = ""
    for number, entry in entries.items():
        new = mark_word(number) + field_words(entry)[field]
        words.append(new)
        if best:
            less = new[-2:] < best[-2:]
            best = best if less == is_most else new
            words += [LESS if less else MORE, best]
        else:
            best = new
    return words


def _words(task: str, number: int, entry: Entry) -> str:
    """Return what is quoted of one thing."""
    if task == "color":
        return content_words(entry)[1]
    fields = field_words(entry)
    quoted = "".join(fields[field] for field in _FIELDS[task])
    return mark_word(number) + quoted if task == "relative_distance" else quoted


def _apart(first: Entry, second: Entry) -> list[str]:
    """Return how far apart two things are, worked out from what was quoted: to the right, ahead, and the way between both."""
    fields = [field_words(entry) for entry in (first, second)]
    right, ahead = (abs(int(fields[0][field][2:]) - int(fields[1][field][2:])) for field in _PLACE_AROUND)
    way = math.hypot(right * STEPS["r"], ahead * STEPS["a"]) / STEPS["d"]
    return [number_word("r", right), number_word("a", ahead), number_word("d", way)]


def motion_evidence(first: Mapping[str, Entry], second: Mapping[str, Entry]) -> str:
    """Return the line before the answer how the camera moved: where two things lie, seen from both places.

    They are the outermost, to the left and to the right, of what both listings name alike and name once.

    Args:
        first, second: entries of the two listings, by object.
    """
    known = [name for name in first if name in second and _is_named_once(name, first) and _is_named_once(name, second)]
    known.sort(key=lambda name: first[name].box[0] + first[name].box[2])
    words = []
    for name in dict.fromkeys([*known[:1], *known[-1:]]):
        words += content_words(first[name])
        words += [field_words(entry)[field] for entry in (first[name], second[name]) for field in _PLACE_AROUND]
    return "".join(words) + EVIDENCE_END


def _is_named_once(name: str, listing: Mapping[str, Entry]) -> bool:
    named = content_words(listing[name])
    return sum(content_words(entry) == named for entry in listing.values()) == 1

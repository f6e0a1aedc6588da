"""The grounded listing: a model writes down what it sees, object by object, and answers from what it wrote.

An object is one entry, a listing its entries from left to right, ended by a full stop::

    37 52 12 20 mug 54 41 45 24 20 red; 61 40 30 18 box 59 47 50 18 11 blue.

The numbers before the kind are the middle, width and height of the 2D box in hundredths of the image. Those after it are in the
levelled frame of the viewer: how far to the right (cm, 50 is straight ahead), how far ahead and how far from the camera (in
steps of 2 cm), and the longest side and the height (in steps of 5 mm). The last word is the colour.

Where boxes are known, because a question points at marks, they are given to the model and it writes the rest. Each entry then
stands behind its mark, and a prompt quotes the entries of the marks that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from joyai_ros.geometry.boxes import Box2D

LIST = "List the objects."  # what a model is asked for a listing with
MOST_ENTRIES = 16
UNKNOWN = " thing"  # kind or colour that is not known
NUMBERS = tuple(f" {number:02d}" for number in range(100))
BOX_NUMBERS, OTHER_NUMBERS = 4, 5
Marks: TypeAlias = tuple[Box2D | None, ...]  # of one image, by number from 1; shares of its width and height, 0 to 1
_MARK = re.compile(r" \(mark \d+\)")
_RIGHT, _WAY, _SIZE = 0.01, 0.02, 0.005  # metres of one step
_AHEAD = 50  # steps: straight ahead


@dataclass(frozen=True)
class Entry:
    """One object of a listing; lengths in metres, levelled frame of the viewer.

    Attributes:
        box: (x0, y0, x1, y1) as shares of the image's width and height.
        kind, color: empty where unknown; of a kind the first word is written.
        right, ahead, distance: of the middle of its 3D box; distance is from the camera.
        longest, height: of its 3D box.
        mark: its number on the image; None where it has none.
    """

    box: Box2D
    kind: str
    color: str
    right: float
    ahead: float
    distance: float
    longest: float
    height: float
    mark: int | None = None


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of a listing: from left to right, and no more than it holds."""
    return sorted(entries, key=lambda entry: _place(entry.box))[:MOST_ENTRIES]


def listing_text(entries: Sequence[Entry]) -> str:
    """Return a listing as a model writes it, or with marks as it stands in a prompt."""
    return ";".join("".join(entry_words(entry)) for entry in in_order(entries)) + "."


def entry_words(entry: Entry) -> list[str]:
    """Return an entry word by word, each with the space before it."""
    mark = [] if entry.mark is None else [mark_word(entry.mark)]
    where = (entry.right / _RIGHT + _AHEAD, entry.ahead / _WAY, entry.distance / _WAY)
    numbers = [_number(value) for value in (*where, entry.longest / _SIZE, entry.height / _SIZE)]
    return [
        *mark,
        *box_words(entry.box),
        kind_word(entry.kind),
        *numbers,
        f" {entry.color}" if entry.color else UNKNOWN,
    ]


def box_words(box: Box2D) -> list[str]:
    """Return the four numbers of a box."""
    x0, y0, x1, y1 = box
    return [_number(100.0 * share) for share in ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)]


def kind_word(kind: str) -> str:
    """Return the first word of a kind, as a listing writes it."""
    found = re.match("[a-z]+", kind.lower())
    return f" {found[0]}" if found else UNKNOWN


def mark_word(number: int) -> str:
    """Return how a listing and a prompt speak of a mark."""
    return f" (mark {number})"


def quoted(listing: str, prompt: str) -> str:
    """Return what a prompt quotes of a listing, as a line before it: of one with marks the entries of the marks that the prompt
    names, in the order in which it does; else all of it.
    """
    entries = listing.removesuffix(".").split(";")
    named = [found[0] for found in _MARK.finditer(prompt)]
    chosen = [entry for mark in dict.fromkeys(named) for entry in entries if entry.startswith(mark)]
    return (";".join(chosen) + "." if chosen else listing) + "\n"


def marks_in_order(marks: Marks) -> list[tuple[int, Box2D]]:
    """Return the marks in sight with their numbers, in the order of a listing."""
    seen = [(number, box) for number, box in enumerate(marks, start=1) if box is not None]
    return sorted(seen, key=lambda item: _place(item[1]))[:MOST_ENTRIES]


def _place(box: Box2D) -> tuple[float, ...]:
    """Return by what entries are sorted."""
    return ((box[0] + box[2]) / 2.0, *box)


def _number(value: float) -> str:
    return NUMBERS[min(max(round(value), 0), len(NUMBERS) - 1)]

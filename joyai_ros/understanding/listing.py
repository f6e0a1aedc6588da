"""The grounded listing: a model writes down what it sees, object by object, and answers from what it wrote.

An object is one entry, a listing its entries from left to right, ended by a full stop::

    37 52 12 20 mug red 54 41 45 24 20; 61 40 30 18 box blue 59 47 50 18 11.

The numbers before the kind are the middle, width and height of the 2D box in hundredths of the image. Those after the colour
are in the levelled frame of the viewer: how far to the right (cm, 50 is straight ahead), how far ahead and how far from the
camera (in steps of 2 cm), and the longest side and the height (in steps of 5 mm).

The model writes it in two looks: at the whole image, of which it lists the boxes; then at what each box holds, cut out and
brought to one size, of which it writes the rest of the entry. So a small thing is seen as well as a large one. Where boxes are
known, because a question points at marks, they are given. Each entry then stands behind its mark, and a prompt quotes the
entries of the marks that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D

LIST = "List the objects."  # what a model is asked for the boxes of an image with
CUTOUT = 48  # pixels along the side of what is cut out
MOST_ENTRIES = 16
UNKNOWN = " thing"  # kind or colour that is not known
NUMBERS = tuple(f" {number:02d}" for number in range(100))
BOX_NUMBERS, OTHER_NUMBERS = 4, 5
Marks: TypeAlias = tuple[Box2D | None, ...]  # of one image, by number from 1; shares of its width and height, 0 to 1
_MARK = re.compile(r" \(mark \d+\)")
_RIGHT, _WAY, _SIZE = 0.01, 0.02, 0.005  # metres of one step
_AHEAD = 50  # steps: straight ahead
_MARGIN = 1.3  # side of what is cut out, over the longer side of the box
_LEAST_SIDE = 8  # pixels of an image that are cut out at least


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


def boxes_text(boxes: Sequence[Box2D]) -> str:
    """Return the boxes of a listing, in its order, as a model writes them of a whole image."""
    return ";".join("".join(box_words(box)) for box in sorted(boxes, key=_place)[:MOST_ENTRIES]) + "."


def entry_words(entry: Entry) -> list[str]:
    """Return an entry word by word, each with the space before it."""
    mark = [] if entry.mark is None else [mark_word(entry.mark)]
    return [*mark, *box_words(entry.box), *content_words(entry)]


def content_words(entry: Entry) -> list[str]:
    """Return what a model writes of what a box holds: kind, colour and numbers."""
    where = (entry.right / _RIGHT + _AHEAD, entry.ahead / _WAY, entry.distance / _WAY)
    numbers = [_number(value) for value in (*where, entry.longest / _SIZE, entry.height / _SIZE)]
    return [kind_word(entry.kind), f" {entry.color}" if entry.color else UNKNOWN, *numbers]


def cut_out(image: ColorImage, box: Box2D) -> ColorImage:
    """Return what a box holds, with a margin, as a square of :data:`CUTOUT` pixels; it is moved to lie in the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (x0, y0, x1, y1) as shares of the image's width and height.
    """
    height, width = image.shape[:2]
    x0, x1, y0, y1 = box[0] * width, box[2] * width, box[1] * height, box[3] * height
    side = min(max(round(_MARGIN * max(x1 - x0, y1 - y0)), _LEAST_SIDE), width, height)
    left = min(max(round((x0 + x1 - side) / 2), 0), width - side)
    top = min(max(round((y0 + y1 - side) / 2), 0), height - side)
    part = image[top : top + side, left : left + side]
    how = cv2.INTER_AREA if side > CUTOUT else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (CUTOUT, CUTOUT), interpolation=how), dtype=np.uint8)


def box_of(words: str) -> Box2D:
    """Return the box that four numbers of a listing say, within the image."""
    x, y, width, height = (int(word) / 100.0 for word in words.split())
    return max(x - width / 2, 0.0), max(y - height / 2, 0.0), min(x + width / 2, 1.0), min(y + height / 2, 1.0)


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

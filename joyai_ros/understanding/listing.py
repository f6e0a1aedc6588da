"""The grounded listing: a model writes down what it sees, object by object, and answers from what it wrote.

An object is one entry, a listing its entries from left to right, ended by a full stop::

    x37 y52 w12 h20 mug red r54 a41 d45 l24 t20; x61 y40 w30 h18 box blue r59 a47 d50 l18 t11.

Before the kind stand the middle, width and height of the 2D box in hundredths of the image. After the colour, in the levelled
frame of the viewer: how far to the right (cm, 50 is straight ahead), how far ahead and how far from the camera (in steps of
2 cm), and the longest side and how tall it is (in steps of 5 mm). A number says by its letter what it is of, so that a model
finds it without counting words.

The model writes it in three steps. It looks at the whole image and lists the boxes; it looks at what each box holds, cut out
and brought to one size, so that a small thing is seen as well as a large one, and names kind and colour; and from all boxes
with their names together it works out the lengths. Where boxes are known, because a question points at marks, they are given.
Each entry then stands behind its mark, and a prompt quotes the entries of the marks that it is about.

An answer begins with its evidence, a line with the words of the listing that it follows from; the JSON comes after it.
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
LEAD_END = "\n"  # of what a prompt quotes of a listing
EVIDENCE_END = "\n"  # of what a model quotes of its listing before an answer
LESS, MORE = " less", " more"  # how two numbers compare, in evidence
UNKNOWN = " thing"  # kind or colour that is not known
BOX_FIELDS, LENGTH_FIELDS = "xywh", "radlt"
# By field, the words for its numbers from 0.
NUMBERS = {field: tuple(f" {field}{number:02d}" for number in range(100)) for field in BOX_FIELDS + LENGTH_FIELDS}
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
    return [*mark, *box_words(entry.box), *content_words(entry), *_length_words(entry)]


def seen_text(entries: Sequence[Entry]) -> str:
    """Return what a model has seen of a listing when it works out the lengths: boxes, kinds and colours."""
    seen = ("".join([*box_words(entry.box), *content_words(entry)]) for entry in in_order(entries))
    return ";".join(seen) + "."


def content_words(entry: Entry) -> list[str]:
    """Return what a model writes of what a box holds: kind and colour."""
    return [kind_word(entry.kind), f" {entry.color}" if entry.color else UNKNOWN]


def field_words(entry: Entry) -> dict[str, str]:
    """Return the numbers of an entry by field."""
    return dict(zip(BOX_FIELDS + LENGTH_FIELDS, [*box_words(entry.box), *_length_words(entry)], strict=True))


def _length_words(entry: Entry) -> list[str]:
    where = (entry.right / _RIGHT + _AHEAD, entry.ahead / _WAY, entry.distance / _WAY)
    return _numbers(LENGTH_FIELDS, (*where, entry.longest / _SIZE, entry.height / _SIZE))


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
    x, y, width, height = (int(word[1:]) / 100.0 for word in words.split())
    return max(x - width / 2, 0.0), max(y - height / 2, 0.0), min(x + width / 2, 1.0), min(y + height / 2, 1.0)


def box_words(box: Box2D) -> list[str]:
    """Return the four numbers of a box."""
    x0, y0, x1, y1 = box
    return _numbers(BOX_FIELDS, [100.0 * share for share in ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)])


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
    return (";".join(chosen) + "." if chosen else listing) + LEAD_END


def quoted_of_all(listings: Sequence[str], prompt: str) -> str:
    """Return what a prompt quotes of the listings of several images: where it names marks, of those alone that have one.

    An imagined view has no marks, so it cannot say anything about what a mark means.
    """
    named = {found[0] for found in _MARK.finditer(prompt)}
    marked = [listing for listing in listings if named & {found[0] for found in _MARK.finditer(listing)}]
    return "".join(quoted(listing, prompt) for listing in marked or listings)


def marks_in_order(marks: Marks) -> list[tuple[int, Box2D]]:
    """Return the marks in sight with their numbers, in the order of a listing."""
    seen = [(number, box) for number, box in enumerate(marks, start=1) if box is not None]
    return sorted(seen, key=lambda item: _place(item[1]))[:MOST_ENTRIES]


def _place(box: Box2D) -> tuple[float, ...]:
    """Return by what entries are sorted."""
    return ((box[0] + box[2]) / 2.0, *box)


def _numbers(fields: str, values: Sequence[float]) -> list[str]:
    words = (NUMBERS[field] for field in fields)
    return [each[min(max(round(value), 0), len(each) - 1)] for each, value in zip(words, values, strict=True)]

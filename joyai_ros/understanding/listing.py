"""The grounded listing: a model writes down what it sees, object by object, and answers from what it wrote.

An object is one entry, a listing its entries from left to right, ended by a full stop::

    x37 y52 w12 h20 mug red y24 r54 a41 d45 y18 l24 t20; x61 y40 w30 h18 box blue y21 r59 a47 d50 y18 l18 t11.

Before the kind stand the middle, width and height of the 2D box in hundredths of the image. After the colour, in the levelled
frame of the viewer: how steeply the camera looks down at it (degrees), how far to the right (cm, 50 is straight ahead), how
far ahead, how far from the camera and how far below it (in steps of 2 cm), and the longest side and how tall it is (in steps of
5 mm). A number says by its letter what it is of, so that a model finds it without counting words; ``y`` is of all that points
down.

The model writes it in two steps. It looks at square windows of the image, cut out and brought to one size, so that a small
thing is seen as well as a large one, and writes the box, kind and colour of what is in the middle of each and how steeply it
is looked down at, which its shape shows; and from all of that together it works out the lengths. Windows over the whole image
find the things, windows round each show it closer. What a thing is, and the lengths, are asked of the mirror image as well,
and are what both say on average; then places are brought together with the boxes and with what stands on what
(:mod:`joyai_ros.understanding.lines_of_sight`). For that, windows also show how high a thing stands above what most things
stand on, which is not part of a listing (:mod:`joyai_ros.understanding.stacks`).
Where boxes are known, because a question points at marks, they are given. Each entry then stands behind its mark, and a prompt
quotes the entries of the marks that it is about.

An answer begins with its evidence, a line with the words of the listing that it follows from; the JSON comes after it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D

CUTOUT = 48  # pixels along the side of what is cut out
MIDDLE = 0.2  # share of a window's side: no further from its middle is that of what it shows
SCANNED = 0.3  # share of an image's longer side: side of the larger windows that find things
NOTHING = "."  # what is in the middle of a window where nothing is
MOST_ENTRIES = 16
LEAD_END = "\n"  # of what a prompt quotes of a listing
EVIDENCE_END = "\n"  # of what a model quotes of its listing before an answer
LESS, MORE = " less", " more"  # how two numbers compare, in evidence
UNKNOWN = " thing"  # kind or colour that is not known
BOX_FIELDS, LENGTH_FIELDS = "xywh", "radblt"
STEEP = "s"  # field of the degrees by which a thing is looked down at
RAISED = "u"  # field of how high the foot of a thing is above what most things stand on
_LETTERS = {"s": "y", "b": "y", "u": "t"}  # of fields that are written with another's
# By field, the words for its numbers from 0.
NUMBERS = {
    field: tuple(f" {_LETTERS.get(field, field)}{number:02d}" for number in range(100))
    for field in BOX_FIELDS + STEEP + RAISED + LENGTH_FIELDS
}
Marks: TypeAlias = tuple[Box2D | None, ...]  # of one image, by number from 1; shares of its width and height, 0 to 1
_MARK = re.compile(r" \(mark \d+\)")
STEPS = {
    "r": 0.01,
    "a": 0.02,
    "d": 0.02,
    "b": 0.02,
    "l": 0.005,
    "t": 0.005,
    RAISED: 0.005,
}  # metres of one step of a length
AHEAD = 50  # steps: straight ahead
MARGIN = 1.3  # side of what is cut out, over the longer side of the box
_LEAST_SIDE = 8  # pixels of an image that are cut out at least
# Of the windows that find things: the side, as a share of the image's longer one, and how far they lie apart, as a share of it.
_SCANS = ((SCANNED, 0.25), (0.18, 0.35))
_GREY = 128  # beyond an image


@dataclass(frozen=True)
class Entry:
    """One object of a listing; lengths in metres, levelled frame of the viewer.

    Attributes:
        box: (x0, y0, x1, y1) as shares of the image's width and height.
        kind, color: empty where unknown; of a kind the first word is written.
        right, ahead, distance, below: of the middle of its 3D box; distance is from the camera, as is how far below it.
        longest, height: of its 3D box.
        steep: radians by which the way from the camera to that middle points below the horizon.
        mark: its number on the image; None where it has none.
        raised: how high its foot is above what most things in the image stand on, metres.
    """

    box: Box2D
    kind: str
    color: str
    right: float
    ahead: float
    distance: float
    below: float
    longest: float
    height: float
    steep: float
    mark: int | None = None
    raised: float = 0.0


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of a listing: from left to right, and no more than it holds."""
    return sorted(entries, key=lambda entry: _place(entry.box))[:MOST_ENTRIES]


def listing_text(entries: Sequence[Entry]) -> str:
    """Return a listing as a model writes it, or with marks as it stands in a prompt."""
    return ";".join("".join(entry_words(entry)) for entry in in_order(entries)) + "."


def entry_words(entry: Entry) -> list[str]:
    """Return an entry word by word, each with the space before it."""
    mark = [] if entry.mark is None else [mark_word(entry.mark)]
    return [*mark, *_seen_words(entry), *_length_words(entry)]


def seen_text(entries: Sequence[Entry]) -> str:
    """Return what a model has seen of a listing when it works out the lengths."""
    return ";".join("".join(_seen_words(entry)) for entry in in_order(entries)) + "."


def content_words(entry: Entry) -> list[str]:
    """Return what a model writes of what a box holds: kind and colour."""
    return [kind_word(entry.kind), f" {entry.color}" if entry.color else UNKNOWN]


def steep_word(entry: Entry) -> str:
    """Return how steeply the camera looks down at a thing."""
    return number_word(STEEP, math.degrees(entry.steep))


def raised_word(entry: Entry) -> str:
    """Return how high a thing stands above what most things stand on, of which no listing says anything."""
    return number_word(RAISED, entry.raised / STEPS[RAISED])


def _seen_words(entry: Entry) -> list[str]:
    return [*box_words(entry.box), *content_words(entry), steep_word(entry)]


def field_words(entry: Entry) -> dict[str, str]:
    """Return the numbers of an entry by field."""
    return dict(zip(BOX_FIELDS + LENGTH_FIELDS, [*box_words(entry.box), *_length_words(entry)], strict=True))


def _length_words(entry: Entry) -> list[str]:
    lengths = (entry.right, entry.ahead, entry.distance, entry.below, entry.longest, entry.height)
    steps = [length / STEPS[field] for field, length in zip(LENGTH_FIELDS, lengths, strict=True)]
    return _numbers(LENGTH_FIELDS, (steps[0] + AHEAD, *steps[1:]))


def window_round(box: Box2D, shape: tuple[int, ...], margin: float = MARGIN) -> Box2D:
    """Return the square window that shows a box, which may reach beyond the image.

    Args:
        box: as shares of the image's width and height; so is the window.
        shape: of the image, pixels: height, width.
        margin: side of the window, over the longer side of the box.
    """
    height, width = shape[:2]
    side = max(margin * max((box[2] - box[0]) * width, (box[3] - box[1]) * height), _LEAST_SIDE)
    return window_at((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, side, shape)


def window_at(x: float, y: float, side: float, shape: tuple[int, ...]) -> Box2D:
    """Return the square window of a side in pixels round a point, which is given as shares of the image's width and height."""
    height, width = shape[:2]
    return x - side / width / 2, y - side / height / 2, x + side / width / 2, y + side / height / 2


def windows_over(shape: tuple[int, ...]) -> list[Box2D]:
    """Return windows of two sizes whose middles overlap and cover an image, pixels: height, width."""
    height, width = shape[:2]
    found = []
    for share, spacing in _SCANS:
        side = share * max(width, height)
        columns, rows = (max(math.ceil(length / (spacing * side)), 1) for length in (width, height))
        places = itertools.product(range(rows), range(columns))
        found += [window_at((column + 0.5) / columns, (row + 0.5) / rows, side, shape) for row, column in places]
    return found


def cut_out(image: ColorImage, window: Box2D) -> ColorImage:
    """Return what a window shows, as a square of :data:`CUTOUT` pixels; grey beyond the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        window: (x0, y0, x1, y1) as shares of the image's width and height.
    """
    height, width = image.shape[:2]
    side = max(round((window[2] - window[0]) * width), 1)
    left, top = round(window[0] * width), round(window[1] * height)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        return np.full((CUTOUT, CUTOUT, 3), _GREY, dtype=np.uint8)
    part = image[y0:y1, x0:x1]
    if part.shape[:2] != (side, side):
        beyond = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        part = cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=(_GREY, _GREY, _GREY))
    how = cv2.INTER_AREA if side > CUTOUT else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (CUTOUT, CUTOUT), interpolation=how), dtype=np.uint8)


def within(box: Box2D, window: Box2D) -> Box2D:
    """Return a box of an image as shares of a window's sides."""
    x0, y0, wide, high = *window[:2], window[2] - window[0], window[3] - window[1]
    return (box[0] - x0) / wide, (box[1] - y0) / high, (box[2] - x0) / wide, (box[3] - y0) / high


def in_image(box: Box2D, window: Box2D) -> Box2D:
    """Return a box of a window as shares of the image's sides, within the image."""
    x0, y0, wide, high = *window[:2], window[2] - window[0], window[3] - window[1]
    found = (x0 + box[0] * wide, y0 + box[1] * high, x0 + box[2] * wide, y0 + box[3] * high)
    left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in found)
    return left, top, right, bottom


def mirrored_box(box: Box2D) -> Box2D:
    """Return a box as a mirror shows it, as shares of the sides of an image or a window."""
    x0, y0, x1, y1 = box
    return 1.0 - x1, y0, 1.0 - x0, y1


def box_of(words: str) -> Box2D:
    """Return the box that four numbers of a listing say, within the image."""
    x, y, width, height = (int(word[1:]) / 100.0 for word in words.split())
    return max(x - width / 2, 0.0), max(y - height / 2, 0.0), min(x + width / 2, 1.0), min(y + height / 2, 1.0)


def box_words(box: Box2D) -> list[str]:
    """Return the four numbers of a box."""
    x0, y0, x1, y1 = box
    return _numbers(BOX_FIELDS, [100.0 * share for share in ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)])


def number_word(field: str, value: float) -> str:
    """Return a number of a field, in its steps."""
    words = NUMBERS[field]
    return words[min(max(round(value), 0), len(words) - 1)]


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


def images_quoted(marks: Sequence[Marks | None], prompt: str) -> list[int]:
    """Return the places of the images whose listings a prompt quotes: where it names marks, of those alone that have one.

    An imagined view has no marks, so it cannot say anything about what a mark means, and is not looked at.
    """
    named = {found[0] for found in _MARK.finditer(prompt)}
    marked = [
        place for place, known in enumerate(marks) if named & {mark_word(n) for n, _ in marks_in_order(known or ())}
    ]
    return marked or list(range(len(marks)))


def boxes_in_order(boxes: Sequence[Box2D]) -> list[Box2D]:
    """Return the boxes of a listing's entries, in its order, and no more than it holds."""
    return sorted(boxes, key=_place)[:MOST_ENTRIES]


def marks_in_order(marks: Marks) -> list[tuple[int, Box2D]]:
    """Return the marks in sight with their numbers, in the order of a listing."""
    seen = [(number, box) for number, box in enumerate(marks, start=1) if box is not None]
    return sorted(seen, key=lambda item: _place(item[1]))[:MOST_ENTRIES]


def _place(box: Box2D) -> tuple[float, ...]:
    """Return by what entries are sorted."""
    return ((box[0] + box[2]) / 2.0, *box)


def _numbers(fields: str, values: Sequence[float]) -> list[str]:
    return [number_word(field, value) for field, value in zip(fields, values, strict=True)]

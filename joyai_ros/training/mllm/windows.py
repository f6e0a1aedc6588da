"""Windows of an image that a model learns to look at, and what is in the middle of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.understanding.listing import (
    MIDDLE,
    NOTHING,
    SCANNED,
    Entry,
    box_words,
    content_words,
    raised_word,
    steep_word,
    window_at,
    window_round,
    within,
)

_KNOWN, _NEAR = 0.45, 0.4  # shares of the windows that show a box that is known, and that lie near a thing
_SIDES = (1.2, 4.0)  # of windows near a thing that show it closer, over the longer side of its box
_SCANNING = 0.4  # share of the windows near a thing that are as large as those that find things
_LARGEST = 0.6  # share of the image's width: side of a window
_ANYWHERE = (0.15, 0.45)  # and of those that lie anywhere
_OFF = 0.3  # of its side that a window's middle is away from a thing that it is near to, at most
_TELLING = 3  # times that what is there and what it stands on counts: most numbers cannot be told more exactly anyway
_RAISED, _OFTEN = 0.01, 3.0  # metres above what most stand on: such a thing is drawn that many times as often
_JITTER = 0.05  # standard deviation of the sides of a box that is looked into, over its size

# Of x, y, width, height, steepness and how high it stands: rows below the middle, columns to the right.
_ROUND = ((0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, 1))


@dataclass(frozen=True)
class Windows:
    """Draws windows of a frame.

    Attributes:
        every: all entries of the frame, by number.
        seen: those that are well in sight.
        shape: of its image: height, width.
    """

    every: Mapping[int, Entry]
    seen: Mapping[int, Entry]
    shape: tuple[int, int]

    def draw(self, random: np.random.Generator) -> tuple[Box2D, Entry | None]:
        """Return a window, and what is in its middle: of a box that is known what it holds, else the nearest thing."""
        height, width = self.shape
        way = random.random()
        if way < _KNOWN and self.every:
            entry = _one(self.every, random)
            return window_round(jittered(entry.box, random), self.shape), entry
        if way < _KNOWN + _NEAR and self.seen:
            x0, y0, x1, y1 = _one(self.seen, random).box
            longer = max((x1 - x0) * width, (y1 - y0) * height)
            closer = min(longer * float(np.exp(random.uniform(*np.log(_SIDES)))), _LARGEST * width)
            side = SCANNED * max(width, height) if random.random() < _SCANNING else closer
            off_x, off_y = random.uniform(-_OFF, _OFF, 2) * side
            window = window_at((x0 + x1) / 2 + off_x / width, (y0 + y1) / 2 + off_y / height, side, self.shape)
        else:
            x, y = random.random(2).tolist()
            window = window_at(x, y, random.uniform(*_ANYWHERE) * width, self.shape)
        return window, self._middle(window)

    def _middle(self, window: Box2D) -> Entry | None:
        """Return the thing nearest to the middle of a window, of those that are in its middle part; None without one."""
        found: dict[float, Entry] = {}
        for entry in self.seen.values():
            x0, y0, x1, y1 = within(entry.box, window)
            x, y = abs((x0 + x1) / 2 - 0.5), abs((y0 + y1) / 2 - 0.5)
            if max(x, y) <= MIDDLE:
                found[float(np.hypot(x, y))] = entry
        return found[min(found)] if found else None


def window_words(window: Box2D, entry: Entry | None) -> tuple[str, ...]:
    """Return the words for what is in the middle of a window: the box within it, kind, colour, how steep it is seen and how
    high it stands above what most things stand on.
    """
    if entry is None:
        return (NOTHING,)
    return (*box_words(within(entry.box, window)), *content_words(entry), steep_word(entry), raised_word(entry))


def shown_words(window: Box2D, entry: Entry | None) -> tuple[tuple[int, int, str], ...]:
    """Return these words with the image tokens that show them: kind and colour the middle one, each number one round it.

    One token cannot well show several numbers: what tells them apart is much the same for all fields.
    """
    if entry is None:
        return ((0, 0, NOTHING),) * _TELLING
    *box, kind, color, steep, raised = window_words(window, entry)
    numbers = ((*place, word) for place, word in zip(_ROUND, (*box, steep, raised), strict=True))
    return (*[(0, 0, kind)] * _TELLING, (0, 0, color), *numbers, *[(*_ROUND[-1], raised)] * (_TELLING - 1))


def jittered(box: Box2D, random: np.random.Generator, spread: float = _JITTER) -> Box2D:
    """Return a box as a model or a detector may give it; half of them as they are, the others' sides by so much of it off."""
    x0, y0, x1, y1 = box
    shifts = spread * random.standard_normal(4) * (random.random() < 0.5)
    moved = np.clip(np.asarray(box) + shifts * (x1 - x0, y1 - y0, x1 - x0, y1 - y0), 0.0, 1.0)
    return (
        float(moved[0]),
        float(moved[1]),
        max(float(moved[2]), float(moved[0])),
        max(float(moved[3]), float(moved[1])),
    )


def _one(entries: Mapping[int, Entry], random: np.random.Generator) -> Entry:
    """Return one of some things: few stand on others, so these are drawn more often."""
    every = list(entries.values())
    share = np.array([_OFTEN if entry.raised > _RAISED else 1.0 for entry in every])
    return every[int(random.choice(len(every), p=share / share.sum()))]

"""Has a model write its listings of images, and the evidence for its answers; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.understanding.chat import Chat, ChatEncoder
from joyai_ros.understanding.lines_of_sight import in_line
from joyai_ros.understanding.listing import (
    AHEAD,
    BOX_FIELDS,
    EVIDENCE_END,
    LENGTH_FIELDS,
    LESS,
    MORE,
    MOST_ENTRIES,
    STEPS,
    Marks,
    mark_word,
    marks_in_order,
    mirrored_box,
    number_word,
)
from joyai_ros.understanding.network import Features, Network, Prefix
from joyai_ros.understanding.pen import Pen, Script, median
from joyai_ros.understanding.stacks import stacked
from joyai_ros.understanding.window_reader import Seen, WindowReader

_T = TypeVar("_T")
_Start: TypeAlias = tuple[str, Box2D]  # of an entry: its mark, and its box
_NEXT, _END = ";", "."
_EVIDENCE = 360  # tokens, at most
_BOX, _CONTENT, _LENGTHS = len(BOX_FIELDS), 3, len(LENGTH_FIELDS)  # tokens of an entry


class ListingWriter:
    """Writes listings with a model that was trained to.

    Args:
        network: the model.
        tokenizer: of its folder.
        chat: encodes its prompts.
        look: returns what the model sees of images, (H, W, 3) uint8 RGB.

    Raises:
        ModelError: its tokenizer has not the words of a listing.
    """

    def __init__(
        self,
        network: Network,
        tokenizer: Any,
        chat: ChatEncoder,
        look: Callable[[Sequence[ColorImage]], list[Features]],
    ) -> None:
        self._script = Script(network, tokenizer, chat)
        self._reader = WindowReader(self._script, look)
        self._next = self._script.tokens([_NEXT])
        marks = self._script.tokens([mark_word(number) for number in range(1, MOST_ENTRIES + 1)])
        end, compared = self._script.tokens([EVIDENCE_END]), self._script.tokens([LESS, MORE])
        self._evidence_end = int(end)
        names = (self._script.colors[:-1], self._script.kinds)
        self._evidence_words = torch.cat([end, compared, marks, *self._script.numbers.values(), *names])

    def write(self, images: Sequence[ColorImage], marks: Sequence[Marks | None], together: int) -> list[str]:
        """Return the listings of some images, as they stand in prompts.

        Args:
            images: (H, W, 3) uint8 RGB, without marks drawn.
            marks: of each image, boxes that are known; the entries are of these. None: the model finds the objects itself.
            together: questions that are answered at the same time, at most.
        """
        places = [place for place, known in enumerate(marks) if known is None]
        found = iter(self._reader.boxes([images[place] for place in places], together))
        starts = [[("", box) for box in next(found)] if known is None else _given(known) for known in marks]
        boxes = [(place, box) for place, each in enumerate(starts) for _, box in each]
        contents = iter(self._reader.contents(images, boxes, together))
        seen = [[next(contents) for _ in each] for each in starts]
        lengths = self._with_lengths(seen, [image.shape[0] / image.shape[1] for image in images], together)
        return [
            _NEXT.join(mark + each.text + more for (mark, _), each, more in zip(*entries, strict=True)) + _END
            for entries in zip(starts, seen, lengths, strict=True)
        ]

    def with_evidence(self, chats: Sequence[Chat], prefixes: Sequence[Prefix]) -> list[Chat]:
        """Return questions with the evidence that the model writes for each: what of its listing the answer follows from.

        Args:
            chats: the questions, of any length.
            prefixes: of each; of one length.
        """
        lines = self._by_size(
            lambda some: self._evidence([chats[place].suffix for place in some], [prefixes[place] for place in some]),
            [len(chat.suffix) for chat in chats],
            len(chats),
        )
        return [replace(chat, suffix=(*chat.suffix, *line)) for chat, line in zip(chats, lines, strict=True)]

    def _evidence(self, suffixes: Sequence[Sequence[int]], prefixes: Sequence[Prefix]) -> list[list[int]]:
        """Return the evidence for questions of one length, each ended as it has to be."""
        pen = Pen(self._script.network, prefixes, len(suffixes[0]) + _EVIDENCE)
        logits = pen.put([list(suffix) for suffix in suffixes])
        end = self._evidence_end
        lines: list[list[int]] = [[] for _ in suffixes]
        going = list(range(len(suffixes)))
        while going:
            chosen = self._evidence_words[logits[:, self._evidence_words].argmax(-1)].tolist()
            for place, token in zip(going, chosen, strict=True):
                lines[place].append(token)
            kept = [row for row, token in enumerate(chosen) if token != end and len(lines[going[row]]) < _EVIDENCE]
            going = [going[row] for row in kept]
            pen.keep(kept)
            if going:
                logits = pen.put([[chosen[row]] for row in kept])
        return [line if line[-1] == end else [*line, end] for line in lines]

    def _with_lengths(
        self, entries: Sequence[Sequence[Seen]], aspects: Sequence[float], together: int
    ) -> list[list[str]]:
        """Return the lengths of the entries of each image: those worked out for it and for its mirror image, on average, and
        brought together with where the boxes are and what stands on what.

        Args:
            entries: of each image.
            aspects: of each, height over width.
            together: of images at the same time, at most.
        """
        mirrored = [[replace(seen, box=mirrored_box(seen.box)) for seen in reversed(each)] for each in entries]
        texts = [[seen.text for seen in each] for each in (*entries, *mirrored)]
        found = self._by_size(
            lambda some: self._lengths([texts[place] for place in some]), [len(each) for each in texts], together
        )
        both = zip(found[: len(entries)], found[len(entries) :], strict=True)
        return [
            _agreed(each, *lengths, aspect) if each else []
            for each, lengths, aspect in zip(entries, both, aspects, strict=True)
        ]

    def _by_size(
        self, write: Callable[[Sequence[int]], list[_T]], sizes: Sequence[Hashable], together: int
    ) -> list[_T]:
        """Return what is written about each of some things, those of one size at a time."""
        alike: dict[Hashable, list[int]] = {}
        for place, size in enumerate(sizes):
            alike.setdefault(size, []).append(place)
        written: dict[int, _T] = {}
        for places in alike.values():
            written |= zip(places, self._script.in_parts(write, places, together), strict=True)
        return [written[place] for place in range(len(sizes))]

    def _lengths(self, entries: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Return the lengths of the entries of images that have as many, in steps."""
        found: list[list[list[int]]] = [[] for _ in entries]
        if not entries[0]:
            return found
        room = len(entries[0]) * (_BOX + _CONTENT + _LENGTHS + 1)
        pen, _ = self._script.begin([_NEXT.join(each) + _END for each in entries], (), room)
        before: list[list[int]] = [[] for _ in entries]
        for column in zip(*entries, strict=True):
            given = [self._script.encoded(text) for text in column]
            logits = pen.put([[*last, *now] for last, now in zip(before, given, strict=True)])
            numbers = []
            for field in LENGTH_FIELDS:
                numbers.append(median(self._script.share(logits, field)))
                last = self._script.numbers[field][numbers[-1]][:, None]
                if field != LENGTH_FIELDS[-1]:
                    logits = pen.put(last.tolist())
            before = torch.cat([last, self._next.expand(len(last), 1)], dim=1).tolist()
            for each, lengths in zip(found, torch.stack(numbers, dim=1).tolist(), strict=True):
                each.append(lengths)
        return found


def _agreed(
    seen: Sequence[Seen], lengths: Sequence[Sequence[int]], mirrored: Sequence[Sequence[int]], aspect: float
) -> list[str]:
    """Return the lengths of the entries of an image, from what was worked out in steps for it and for its mirror image."""
    plain, other = np.array(lengths, dtype=np.float64), np.array(mirrored, dtype=np.float64)[::-1]
    ahead, steps = np.array([AHEAD, 0, 0, 0, 0, 0]), np.array([STEPS[field] for field in LENGTH_FIELDS])
    other[:, 0] = 2 * AHEAD - other[:, 0]
    found = ((plain + other) / 2 - ahead) * steps
    boxes, looks = [each.box for each in seen], np.array([each.on_another for each in seen])
    likely, under = stacked(boxes, found[:, 3], found[:, 5], looks)
    found[:, :4] = in_line(boxes, found[:, :4], found[:, 5], likely, under, aspect)
    return [
        "".join(number_word(field, value) for field, value in zip(LENGTH_FIELDS, entry, strict=True))
        for entry in (found / steps + ahead).tolist()
    ]


def _given(marks: Marks) -> list[_Start]:
    """Return the starts of the entries of boxes that are known."""
    return [(mark_word(number), box) for number, box in marks_in_order(marks)]

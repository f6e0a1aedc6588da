"""Has a model write its listings of images: what windows show, and lengths; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.understanding.backend import ModelError
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
    NOTHING,
    NUMBERS,
    STEEP,
    STEPS,
    UNKNOWN,
    Marks,
    box_of,
    box_words,
    boxes_in_order,
    cut_out,
    in_image,
    mark_word,
    marks_in_order,
    mirrored_box,
    number_word,
    window_round,
    windows_over,
    within,
)
from joyai_ros.understanding.network import Features, Network, Prefix
from joyai_ros.understanding.pen import Pen
from joyai_ros.understanding.tasks import COLORS

_T = TypeVar("_T")
_Seen: TypeAlias = tuple[Box2D, str]  # the box of an entry, and what it holds
_Start: TypeAlias = tuple[str, Box2D]  # of an entry: its mark, and its box
_View: TypeAlias = tuple[int, Box2D]  # the place of an image, and a window of it
_NEXT, _END = ";", "."
_EVIDENCE = 360  # tokens, at most
_BOX, _CONTENT, _LENGTHS = len(BOX_FIELDS), 3, len(LENGTH_FIELDS)  # tokens of an entry
_CLOSER = (1.6, 2.2, 3.0)  # sides of the windows that show once more what was found, over the longer side of its box
_LIKELY = 0.3  # that something is in the middle of a window over the image, for it to be looked at once more
_SURE = 0.7  # that something is there, on average over the closer windows
_HARDLY = 0.02  # so sure a window must be for its box to count
_SAME = 0.3  # two boxes that overlap more, intersection over union, are of one thing
_AT_ONCE = 8  # windows that are looked at together, for each question that is answered together


@dataclass(frozen=True)
class _Found:
    """What is in the middle of a window: its box as shares of the image, and how sure it is that something is there."""

    box: Box2D
    sure: float


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
        self._network, self._tokenizer, self._chat, self._look = network, tokenizer, chat, look
        self._numbers = {field: self._tokens(words) for field, words in NUMBERS.items()}
        self._colors = self._tokens([*(f" {color}" for color in COLORS), UNKNOWN])
        self._next, self._nothing = self._tokens([_NEXT]), self._tokens([NOTHING])
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        kinds = [token for token, word in enumerate(words) if _is_word(word)]
        self._kinds = torch.tensor(sorted({*kinds, *self._tokens([UNKNOWN]).tolist()}), device=network.device)
        marks = self._tokens([mark_word(number) for number in range(1, MOST_ENTRIES + 1)])
        end, compared = self._tokens([EVIDENCE_END]), self._tokens([LESS, MORE])
        self._evidence_end = int(end)
        numbers = self._numbers.values()
        self._evidence_words = torch.cat([end, compared, marks, *numbers, self._colors[:-1], self._kinds])
        self._word = lru_cache(maxsize=None)(lambda token: str(tokenizer.decode([token])))

    def write(self, images: Sequence[ColorImage], marks: Sequence[Marks | None], together: int) -> list[str]:
        """Return the listings of some images, as they stand in prompts.

        Args:
            images: (H, W, 3) uint8 RGB, without marks drawn.
            marks: of each image, boxes that are known; the entries are of these. None: the model finds the objects itself.
            together: questions that are answered at the same time, at most.
        """
        places = [place for place, known in enumerate(marks) if known is None]
        found = iter(self._found([images[place] for place in places], together))
        starts = [next(found) if known is None else _given(known) for known in marks]
        views = [
            (place, box, window_round(box, images[place].shape)) for place, each in enumerate(starts) for _, box in each
        ]
        contents = iter(self._contents(images, views, together))
        seen = [[(box, next(contents)) for _, box in each] for each in starts]
        lengths = self._with_lengths(seen, [image.shape[0] / image.shape[1] for image in images], together)
        return [
            _NEXT.join(mark + _seen(*each) + more for (mark, _), each, more in zip(*entries, strict=True)) + _END
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
        pen = Pen(self._network, prefixes, len(suffixes[0]) + _EVIDENCE)
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

    def _found(self, images: Sequence[ColorImage], together: int) -> list[list[_Start]]:
        """Return the starts of the entries that the model finds in each image: in windows over it, then in ones round each."""
        scanned = [(place, window) for place, image in enumerate(images) for window in windows_over(image.shape)]
        likely: list[list[_Found]] = [[] for _ in images]
        for (place, _), seen in zip(scanned, self._looks(images, scanned, _LIKELY, together), strict=True):
            likely[place] += [] if seen is None else [seen]
        sure = self._closer(images, [_apart(each) for each in likely], together)
        return [[("", box) for box in boxes_in_order([found.box for found in _apart(each)])] for each in sure]

    def _closer(
        self, images: Sequence[ColorImage], likely: Sequence[Sequence[_Found]], together: int
    ) -> list[list[_Found]]:
        """Return what is there of what may be in each image: several windows that show it closer agree on it and its box."""
        candidates = [(place, found.box) for place, each in enumerate(likely) for found in each]
        views = [(place, window_round(box, images[place].shape, side)) for place, box in candidates for side in _CLOSER]
        looks = self._looks(images, views, _HARDLY, together)
        sure: list[list[_Found]] = [[] for _ in images]
        for row, (place, _) in enumerate(candidates):
            seen = [found for found in looks[row * len(_CLOSER) : (row + 1) * len(_CLOSER)] if found is not None]
            share = sum(found.sure for found in seen) / len(_CLOSER)
            if share > _SURE:
                x0, y0, x1, y1 = np.median([found.box for found in seen], axis=0).tolist()
                sure[place].append(_Found((x0, y0, x1, y1), share))
        return sure

    def _looks(
        self, images: Sequence[ColorImage], views: Sequence[_View], least: float, together: int
    ) -> list[_Found | None]:
        """Return what windows show; None where nothing is, or less sure than that."""
        return self._in_parts(partial(self._glances, images, views, least), range(len(views)), together * _AT_ONCE)

    def _contents(
        self, images: Sequence[ColorImage], views: Sequence[tuple[int, Box2D, Box2D]], together: int
    ) -> list[str]:
        """Return what some boxes hold, each of an image and with the window that shows it: kind, colour and steepness, as it
        looks there and in a mirror, on average.
        """
        looks = [
            self._in_parts(partial(self._held, images, views, flip), range(len(views)), together * _AT_ONCE)
            for flip in (False, True)
        ]
        texts = []
        for both in zip(*looks, strict=True):
            kind, color, steep = (torch.stack(shares).mean(0) for shares in zip(*both, strict=True))
            words = (
                self._word(int(each[share.argmax()])) for each, share in ((self._kinds, kind), (self._colors, color))
            )
            texts.append("".join(words) + NUMBERS[STEEP][int(_median(steep))])
        return texts

    def _with_lengths(
        self, entries: Sequence[Sequence[_Seen]], aspects: Sequence[float], together: int
    ) -> list[list[str]]:
        """Return the lengths of the entries of each image: those worked out for it and for its mirror image, on average, and
        brought together with where the boxes are.

        Args:
            entries: of each image.
            aspects: of each, height over width.
            together: of images at the same time, at most.
        """
        mirrored = [[(mirrored_box(box), held) for box, held in reversed(each)] for each in entries]
        texts = [[_seen(*each) for each in some] for some in (*entries, *mirrored)]
        found = self._by_size(
            lambda some: self._lengths([texts[place] for place in some]), [len(each) for each in texts], together
        )
        both = zip(found[: len(entries)], found[len(entries) :], strict=True)
        return [
            _agreed([box for box, _ in each], *lengths, aspect) if each else []
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
            written |= zip(places, self._in_parts(write, places, together), strict=True)
        return [written[place] for place in range(len(sizes))]

    def _in_parts(self, write: Callable[[Sequence[int]], list[_T]], places: Sequence[int], together: int) -> list[_T]:
        """Return what is written about all, some at a time."""
        step = 1 if self._network.static else together
        return [text for at in range(0, len(places), step) for text in write(places[at : at + step])]

    def _glances(
        self, images: Sequence[ColorImage], views: Sequence[_View], least: float, some: Sequence[int]
    ) -> list[_Found | None]:
        """Return what is in the middle of some windows; None where it is less sure than that."""
        shown = [views[place] for place in some]
        cuts = [cut_out(images[place], window) for place, window in shown]
        pen, logits = self._windows(cuts, [window for _, window in shown], _BOX)
        first = torch.cat([self._nothing, self._numbers[BOX_FIELDS[0]]])
        sure = 1.0 - logits[:, first].softmax(-1)[:, 0]
        kept = (sure > least).nonzero()[:, 0].tolist()
        found: list[_Found | None] = [None] * len(shown)
        if not kept:
            return found
        pen.keep(kept)
        logits = logits[kept]
        texts = [""] * len(kept)
        for field in BOX_FIELDS:
            values = _median(self._share(logits, field))
            texts = [text + NUMBERS[field][value] for text, value in zip(texts, values.tolist(), strict=True)]
            if field != BOX_FIELDS[-1]:
                logits = pen.put(self._numbers[field][values][:, None].tolist())
        for row, text in zip(kept, texts, strict=True):
            found[row] = _Found(in_image(box_of(text), shown[row][1]), float(sure[row]))
        return found

    def _held(
        self, images: Sequence[ColorImage], views: Sequence[tuple[int, Box2D, Box2D]], flip: bool, some: Sequence[int]
    ) -> list[tuple[Tensor, ...]]:
        """Return how likely some boxes hold each kind and colour, and are seen how steeply, as it looks or in a mirror."""
        shown = [views[place] for place in some]
        cuts = [cut_out(images[place], window) for place, _, window in shown]
        boxes, windows = [within(box, window) for _, box, window in shown], [window for *_, window in shown]
        if flip:
            cuts = [np.ascontiguousarray(cut[:, ::-1]) for cut in cuts]
            boxes, windows = ([mirrored_box(each) for each in some] for some in (boxes, windows))
        pen, logits = self._windows(cuts, windows, _BOX + _CONTENT, ["".join(box_words(box)) for box in boxes])
        found = []
        for words in (self._kinds, self._colors):
            found.append(logits[:, words].softmax(-1))
            logits = pen.put(words[found[-1].argmax(-1)][:, None].tolist())
        return list(zip(*found, self._share(logits, STEEP), strict=True))

    def _windows(
        self, cuts: Sequence[ColorImage], windows: Sequence[Box2D], room: int, given: Sequence[str] = ()
    ) -> tuple[Pen, Tensor]:
        """Return where it is written what windows show, after what is given of it; and the first logits."""
        prompts = ["".join(box_words(window)) for window in windows]
        return self._pen(prompts, self._look(cuts), room, given)

    def _lengths(self, entries: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Return the lengths of the entries of images that have as many, in steps."""
        found: list[list[list[int]]] = [[] for _ in entries]
        if not entries[0]:
            return found
        room = len(entries[0]) * (_BOX + _CONTENT + _LENGTHS + 1)
        pen, _ = self._pen([_NEXT.join(each) + _END for each in entries], (), room)
        before: list[list[int]] = [[] for _ in entries]
        for column in zip(*entries, strict=True):
            given = [self._encoded(text) for text in column]
            logits = pen.put([[*last, *now] for last, now in zip(before, given, strict=True)])
            numbers = []
            for field in LENGTH_FIELDS:
                numbers.append(_median(self._share(logits, field)))
                last = self._numbers[field][numbers[-1]][:, None]
                if field != LENGTH_FIELDS[-1]:
                    logits = pen.put(last.tolist())
            before = torch.cat([last, self._next.expand(len(last), 1)], dim=1).tolist()
            for each, lengths in zip(found, torch.stack(numbers, dim=1).tolist(), strict=True):
                each.append(lengths)
        return found

    def _share(self, logits: Tensor, field: str) -> Tensor:
        """Return how likely each number of a field is."""
        return logits[:, self._numbers[field]].softmax(-1)

    def _pen(
        self, prompts: Sequence[str], images: Sequence[Features], room: int, given: Sequence[str] = ()
    ) -> tuple[Pen, Tensor]:
        """Return where answers to prompts of one length are written, and the first logits.

        Args:
            prompts: of each.
            images: of each one, all of one size; none for text alone.
            room: tokens that are written.
            given: with what each answer begins, of one length.
        """
        counts = [self._network.image_tokens(images[0].grid)] if images else []
        chats = [self._chat.encode("", prompt, counts) for prompt in prompts]
        shown = [[image] for image in images] or [[] for _ in prompts]
        prefixes = self._network.prefixes(chats[0].prefix, shown)
        pen = Pen(self._network, prefixes, len(chats[0].suffix) + room)
        begun = given or [""] * len(chats)
        return pen, pen.put([[*chat.suffix, *self._encoded(text)] for chat, text in zip(chats, begun, strict=True)])

    def _encoded(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def _tokens(self, words: Sequence[str]) -> Tensor:
        found = [self._encoded(word) for word in words]
        if any(len(tokens) != 1 for tokens in found):
            missing = next(word for word, tokens in zip(words, found, strict=True) if len(tokens) != 1)
            raise ModelError(
                f"the model's card says that it writes listings, but its tokenizer has no token {missing!r}; check the card"
            )
        return torch.tensor([tokens[0] for tokens in found], device=self._network.device)


def _median(shares: Tensor) -> Tensor:
    """Return numbers by their median, from how likely each is: of one that is not sure, half is to each side."""
    return (shares.cumsum(-1) < 0.5).sum(-1).clamp(max=shares.shape[-1] - 1)


def _agreed(
    boxes: Sequence[Box2D], lengths: Sequence[Sequence[int]], mirrored: Sequence[Sequence[int]], aspect: float
) -> list[str]:
    """Return the lengths of the entries of an image, from what was worked out in steps for it and for its mirror image."""
    plain, other = np.array(lengths, dtype=np.float64), np.array(mirrored, dtype=np.float64)[::-1]
    ahead, steps = np.array([AHEAD, 0, 0, 0, 0, 0]), np.array([STEPS[field] for field in LENGTH_FIELDS])
    other[:, 0] = 2 * AHEAD - other[:, 0]
    found = ((plain + other) / 2 - ahead) * steps
    found[:, :4] = in_line(boxes, found[:, :4], found[:, 5], aspect)
    return [
        "".join(number_word(field, value) for field, value in zip(LENGTH_FIELDS, entry, strict=True))
        for entry in (found / steps + ahead).tolist()
    ]


def _seen(box: Box2D, held: str) -> str:
    return "".join(box_words(box)) + held


def _given(marks: Marks) -> list[_Start]:
    """Return the starts of the entries of boxes that are known."""
    return [(mark_word(number), box) for number, box in marks_in_order(marks)]


def _apart(found: Sequence[_Found]) -> list[_Found]:
    """Return things that are found in several windows once each: where it is surest that one is there."""
    kept: list[_Found] = []
    for each in sorted(found, key=lambda each: -each.sure):
        if all(box2d_iou(each.box, other.box) <= _SAME for other in kept):
            kept.append(each)
    return kept


def _is_word(token: str) -> bool:
    """Whether a token is a space and a word in small letters, as byte-level vocabularies spell it."""
    return (
        len(token) > 1 and token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha() and token[1:].islower()
    )

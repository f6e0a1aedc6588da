"""Has a model write its listings of images, field by field; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.understanding.backend import ModelError
from joyai_ros.understanding.chat import ChatEncoder
from joyai_ros.understanding.listing import (
    BOX_NUMBERS,
    LIST,
    MOST_ENTRIES,
    NUMBERS,
    OTHER_NUMBERS,
    UNKNOWN,
    Marks,
    box_words,
    mark_word,
    marks_in_order,
)
from joyai_ros.understanding.network import Features, Network, Prefix
from joyai_ros.understanding.tasks import COLORS

_NEXT, _END = ";", "."
_Known: TypeAlias = list[tuple[int, Box2D]]  # marks and their boxes, in the order of a listing
_LINE = BOX_NUMBERS + 1 + OTHER_NUMBERS + 2  # tokens of an entry


class ListingWriter:
    """Writes listings with a model that was trained to.

    Args:
        network: the model.
        tokenizer: of its folder.
        chat: encodes its prompts.

    Raises:
        ModelError: its tokenizer has not the words of a listing.
    """

    def __init__(self, network: Network, tokenizer: Any, chat: ChatEncoder) -> None:
        self._network, self._tokenizer, self._chat = network, tokenizer, chat
        self._numbers = self._tokens(NUMBERS)
        self._colors = self._tokens([*(f" {color}" for color in COLORS), UNKNOWN])
        self._ends = self._tokens([_NEXT, _END])
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        kinds = [token for token, word in enumerate(words) if _is_word(word)]
        self._kinds = torch.tensor(sorted({*kinds, *self._tokens([UNKNOWN]).tolist()}), device=network.device)
        self._word = lru_cache(maxsize=None)(lambda token: str(tokenizer.decode([token])))

    def write(self, images: Sequence[Features], marks: Sequence[Marks | None], together: int) -> list[str]:
        """Return the listings of some images, as they stand in prompts.

        Args:
            images: what the model sees.
            marks: of each image, boxes that are known; the entries are of these. None: the model finds the objects itself.
            together: images of one size whose listings are written at the same time, at most.
        """
        known = [None if each is None else marks_in_order(each) for each in marks]
        alike: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        for place, (image, boxes) in enumerate(zip(images, known, strict=True)):
            alike.setdefault((boxes is None, tuple(image.grid[0].tolist())), []).append(place)
        step = 1 if self._network.static else together
        listings: dict[int, str] = {}
        for places in alike.values():
            for at in range(0, len(places), step):
                some = places[at : at + step]
                found = self._listed([images[place] for place in some], [known[place] for place in some])
                listings |= dict(zip(some, found, strict=True))
        return [listings[place] for place in range(len(images))]

    def _listed(self, images: Sequence[Features], known: Sequence[_Known | None]) -> list[str]:
        """Return the listings of images of one size, all with boxes that are known or all without."""
        chat = self._chat.encode("", LIST, [self._network.image_tokens(images[0].grid)])
        prefixes = [self._network.prefix(chat.prefix, [image]) for image in images]
        pen = _Pen(self._network, prefixes, len(chat.suffix) + _LINE * MOST_ENTRIES)
        logits = pen.put([list(chat.suffix)] * len(images))
        entries: list[list[str]] = [[] for _ in images]
        ends = logits.argmax(-1) == self._ends[1]
        going = [place for place, boxes in enumerate(known) if (not ends[place] if boxes is None else boxes)]
        logits = logits[going]
        pen.keep(going)
        while going:
            starts, logits = self._starts(pen, logits, [(known[place], len(entries[place])) for place in going])
            rests, logits = self._rests(pen, logits)
            for place, start, rest in zip(going, starts, rests, strict=True):
                entries[place].append(start + rest)
            ends = logits[:, self._ends].argmax(-1) == 1
            kept = [
                row
                for row, place in enumerate(going)
                if not _is_last(known[place], len(entries[place]), bool(ends[row]))
            ]
            going = [going[row] for row in kept]
            pen.keep(kept)
            if going:
                logits = pen.put([self._ends[:1].tolist()] * len(going))
        return [_NEXT.join(each) + _END for each in entries]

    def _starts(
        self, pen: _Pen, logits: Tensor, places: Sequence[tuple[_Known | None, int]]
    ) -> tuple[list[str], Tensor]:
        """Write the boxes of the next entries; of each listing, what is known and the number of the entry."""
        if places[0][0] is None:
            return self._written(pen, logits, self._numbers, BOX_NUMBERS)
        marks = [known[number] for known, number in places if known is not None]
        boxes = ["".join(box_words(box)) for _, box in marks]
        starts = [mark_word(number) + box for (number, _), box in zip(marks, boxes, strict=True)]
        return starts, pen.put([self._encoded(box) for box in boxes])

    def _rests(self, pen: _Pen, logits: Tensor) -> tuple[list[str], Tensor]:
        """Write what follows the boxes of entries."""
        texts, logits = self._written(pen, logits, self._kinds, 1)
        for _ in range(OTHER_NUMBERS):
            # The median: of a length that is not sure, half of the probability lies to each side.
            share = logits[:, self._numbers].softmax(-1).cumsum(-1)
            values = (share < 0.5).sum(-1).clamp(max=len(NUMBERS) - 1)
            texts = [text + NUMBERS[value] for text, value in zip(texts, values.tolist(), strict=True)]
            logits = pen.put(self._numbers[values][:, None].tolist())
        colors, logits = self._written(pen, logits, self._colors, 1)
        return [text + color for text, color in zip(texts, colors, strict=True)], logits

    def _written(self, pen: _Pen, logits: Tensor, allowed: Tensor, count: int) -> tuple[list[str], Tensor]:
        """Write the likeliest words of some, a few after each other."""
        texts = [""] * len(logits)
        for _ in range(count):
            chosen = allowed[logits[:, allowed].argmax(-1)].tolist()
            texts = [text + self._word(token) for text, token in zip(texts, chosen, strict=True)]
            logits = pen.put([[token] for token in chosen])
        return texts, logits

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


class _Pen:
    """What is written so far, side by side."""

    def __init__(self, network: Network, prefixes: Sequence[Prefix], room: int) -> None:
        self._network, self._position, self._rows = network, prefixes[0].position, len(prefixes)
        self._cache = network.branch(prefixes, room)

    def put(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Write as many tokens in each row; return the (rows, vocabulary) logits of the next ones."""
        ids = torch.tensor(tokens, device=self._network.device)
        positions = (self._position + torch.arange(ids.shape[1], device=ids.device)).expand_as(ids)
        self._position += ids.shape[1]
        return self._network.extend(self._cache, ids, positions, None)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows."""
        if rows and len(rows) < self._rows:
            self._cache.batch_select_indices(torch.tensor(rows, device=self._network.device))
            self._rows = len(rows)


def _is_last(known: _Known | None, entries: int, ends: bool) -> bool:
    """Whether a listing with so many entries is complete; without boxes that are known the model says where it ends."""
    return entries == MOST_ENTRIES or ends if known is None else entries == len(known)


def _is_word(token: str) -> bool:
    """Whether a token is a space and a word in small letters, as byte-level vocabularies spell it."""
    return (
        len(token) > 2 and token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha() and token[1:].islower()
    )

"""Has a model write its listings of images: boxes, then what each holds; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from joyai_ros.geometry.arrays import ColorImage
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
    box_of,
    box_words,
    cut_out,
    mark_word,
    marks_in_order,
)
from joyai_ros.understanding.network import Features, Network, Prefix
from joyai_ros.understanding.tasks import COLORS

_T = TypeVar("_T")
_Start: TypeAlias = tuple[str, str, Box2D]  # of an entry: its mark, its box in words, and its box
_NEXT, _END = ";", "."
_BOX, _CONTENT = BOX_NUMBERS + 1, 2 + OTHER_NUMBERS  # tokens of an entry


class ListingWriter:
    """Writes listings with a model that was trained to.

    Args:
        network: the model.
        tokenizer: of its folder.
        chat: encodes its prompts.
        look: returns what the model sees of an image, (H, W, 3) uint8 RGB.

    Raises:
        ModelError: its tokenizer has not the words of a listing.
    """

    def __init__(
        self, network: Network, tokenizer: Any, chat: ChatEncoder, look: Callable[[ColorImage], Features]
    ) -> None:
        self._network, self._tokenizer, self._chat, self._look = network, tokenizer, chat, look
        self._numbers = self._tokens(NUMBERS)
        self._colors = self._tokens([*(f" {color}" for color in COLORS), UNKNOWN])
        self._ends = self._tokens([_NEXT, _END])
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        kinds = [token for token, word in enumerate(words) if _is_word(word)]
        self._kinds = torch.tensor(sorted({*kinds, *self._tokens([UNKNOWN]).tolist()}), device=network.device)
        self._word = lru_cache(maxsize=None)(lambda token: str(tokenizer.decode([token])))

    def write(
        self, images: Sequence[ColorImage], seen: Sequence[Features], marks: Sequence[Marks | None], together: int
    ) -> list[str]:
        """Return the listings of some images, as they stand in prompts.

        Args:
            images: (H, W, 3) uint8 RGB.
            seen: what the model sees of each as a whole.
            marks: of each image, boxes that are known; the entries are of these. None: the model finds the objects itself.
            together: things of one size that are written about at the same time, at most.
        """
        found = self._found([image for image, known in zip(seen, marks, strict=True) if known is None], together)
        starts = [next(found) if known is None else _given(known) for known in marks]
        cuts = [cut_out(image, box) for image, each in zip(images, starts, strict=True) for _, _, box in each]
        words = [words for each in starts for _, words, _ in each]
        contents = iter(self._in_parts(partial(self._contents, cuts, words), range(len(cuts)), together))
        return [_NEXT.join(mark + words + next(contents) for mark, words, _ in each) + _END for each in starts]

    def _found(self, images: Sequence[Features], together: int) -> Iterator[list[_Start]]:
        """Return the starts of the entries that the model finds in each image."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            alike.setdefault(tuple(image.grid[0].tolist()), []).append(place)
        boxes: dict[int, list[str]] = {}
        for places in alike.values():
            of_some = self._in_parts(lambda some: self._boxes([images[place] for place in some]), places, together)
            boxes |= dict(zip(places, of_some, strict=True))
        return iter([[("", words, box_of(words)) for words in boxes[place]] for place in range(len(images))])

    def _in_parts(self, write: Callable[[Sequence[int]], list[_T]], places: Sequence[int], together: int) -> list[_T]:
        """Return what is written about all, some at a time."""
        step = 1 if self._network.static else together
        return [text for at in range(0, len(places), step) for text in write(places[at : at + step])]

    def _boxes(self, images: Sequence[Features]) -> list[list[str]]:
        """Return the boxes in images of one size, each as four numbers."""
        pen, logits = self._pen([LIST] * len(images), images, _BOX * MOST_ENTRIES)
        found: list[list[str]] = [[] for _ in images]
        going = [place for place, token in enumerate(logits.argmax(-1).tolist()) if token != int(self._ends[1])]
        logits = logits[going]
        pen.keep(going)
        while going:
            words, logits = self._written(pen, logits, self._numbers, BOX_NUMBERS)
            for place, text in zip(going, words, strict=True):
                found[place].append(text)
            ends = logits[:, self._ends].argmax(-1).tolist()
            kept = [row for row, place in enumerate(going) if not ends[row] and len(found[place]) < MOST_ENTRIES]
            going = [going[row] for row in kept]
            pen.keep(kept)
            if going:
                logits = pen.put([self._ends[:1].tolist()] * len(going))
        return found

    def _contents(self, cuts: Sequence[ColorImage], words: Sequence[str], some: Sequence[int]) -> list[str]:
        """Return what some boxes hold: the rest of their entries."""
        prompts, looks = [words[place] for place in some], [self._look(cuts[place]) for place in some]
        pen, logits = self._pen(prompts, looks, _CONTENT)
        texts, logits = self._written(pen, logits, self._kinds, 1)
        colors, logits = self._written(pen, logits, self._colors, 1)
        texts = [text + color for text, color in zip(texts, colors, strict=True)]
        for _ in range(OTHER_NUMBERS):
            # The median: of a length that is not sure, half of the probability lies to each side.
            share = logits[:, self._numbers].softmax(-1).cumsum(-1)
            values = (share < 0.5).sum(-1).clamp(max=len(NUMBERS) - 1)
            texts = [text + NUMBERS[value] for text, value in zip(texts, values.tolist(), strict=True)]
            logits = pen.put(self._numbers[values][:, None].tolist())
        return texts

    def _pen(self, prompts: Sequence[str], images: Sequence[Features], room: int) -> tuple[_Pen, Tensor]:
        """Return where answers to prompts of one length about images of one size are written, and the first logits."""
        count = self._network.image_tokens(images[0].grid)
        chats = [self._chat.encode("", prompt, [count]) for prompt in prompts]
        prefixes = [self._network.prefix(chat.prefix, [image]) for chat, image in zip(chats, images, strict=True)]
        pen = _Pen(self._network, prefixes, len(chats[0].suffix) + room)
        return pen, pen.put([list(chat.suffix) for chat in chats])

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


def _given(marks: Marks) -> list[_Start]:
    """Return the starts of the entries of boxes that are known."""
    return [(mark_word(number), "".join(box_words(box)), box) for number, box in marks_in_order(marks)]


def _is_word(token: str) -> bool:
    """Whether a token is a space and a word in small letters, as byte-level vocabularies spell it."""
    return (
        len(token) > 2 and token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha() and token[1:].islower()
    )

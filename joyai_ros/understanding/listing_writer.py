"""Has a model write its listing of an image, field by field; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

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
from joyai_ros.understanding.network import Features, Network
from joyai_ros.understanding.tasks import COLORS

_NEXT, _END = ";", "."
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

    def write(self, image: Features, marks: Marks | None) -> str:
        """Return the listing of an image, as it stands in a prompt.

        Args:
            image: what the model sees.
            marks: boxes that are known; the entries are those of these. None: the model finds the objects itself.
        """
        chat = self._chat.encode("", LIST, [self._network.image_tokens(image.grid)])
        prefix = self._network.prefix(chat.prefix, [image])
        pen = _Pen(self._network, prefix, len(chat.suffix) + _LINE * MOST_ENTRIES)
        known = None if marks is None else marks_in_order(marks)
        if known is not None and not known:
            return _END
        logits = pen.put(chat.suffix)
        entries: list[str] = []
        while True:
            if known is None:
                if not entries and int(logits.argmax()) == int(self._ends[1]):
                    return _END
                start, logits = self._written(pen, logits, self._numbers, BOX_NUMBERS)
            else:
                number, box = known[len(entries)]
                start = mark_word(number) + "".join(box_words(box))
                logits = pen.put(self._encoded("".join(box_words(box))))
            rest, logits = self._rest(pen, logits)
            entries.append(start + rest)
            last = len(entries) == (MOST_ENTRIES if known is None else len(known))
            if last or (known is None and int(logits[self._ends].argmax()) == 1):
                return _NEXT.join(entries) + _END
            logits = pen.put(self._ends[:1].tolist())

    def _rest(self, pen: _Pen, logits: Tensor) -> tuple[str, Tensor]:
        """Write what follows the box of an entry."""
        kind, logits = self._written(pen, logits, self._kinds, 1)
        numbers = ""
        for _ in range(OTHER_NUMBERS):
            # The median: of a length that is not sure, half of the probability lies to each side.
            share = logits[self._numbers].softmax(-1).cumsum(-1)
            value = min(int((share < 0.5).sum()), len(NUMBERS) - 1)
            numbers += NUMBERS[value]
            logits = pen.put([int(self._numbers[value])])
        color, logits = self._written(pen, logits, self._colors, 1)
        return kind + numbers + color, logits

    def _written(self, pen: _Pen, logits: Tensor, allowed: Tensor, count: int) -> tuple[str, Tensor]:
        """Write the likeliest words of some."""
        chosen = []
        for _ in range(count):
            chosen.append(int(allowed[logits[allowed].argmax()]))
            logits = pen.put(chosen[-1:])
        return str(self._tokenizer.decode(chosen)), logits

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
    """What is written so far."""

    def __init__(self, network: Network, prefix: Any, room: int) -> None:
        self._network, self._position = network, prefix.position
        self._cache = network.branch(prefix, 1, room)

    def put(self, tokens: Sequence[int]) -> Tensor:
        """Write tokens; return the (vocabulary,) logits of the next one."""
        device = self._network.device
        ids = torch.tensor([list(tokens)], device=device)
        positions = self._position + torch.arange(len(tokens), device=device)[None]
        self._position += len(tokens)
        return self._network.extend(self._cache, ids, positions, None)[0]


def _is_word(token: str) -> bool:
    """Whether a token is a space and a word in small letters, as byte-level vocabularies spell it."""
    return (
        len(token) > 2 and token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha() and token[1:].islower()
    )

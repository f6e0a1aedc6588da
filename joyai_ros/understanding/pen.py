"""Writing with a model's network token by token, several texts side by side, in the words of listings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from joyai_ros.understanding.backend import ModelError
from joyai_ros.understanding.chat import ChatEncoder
from joyai_ros.understanding.listing import NUMBERS, UNKNOWN
from joyai_ros.understanding.network import Features, Network, Prefix
from joyai_ros.understanding.tasks import COLORS

_T = TypeVar("_T")


class Pen:
    """What is written so far, side by side.

    Args:
        network: that reads it.
        prefixes: what each row begins with; of one length.
        room: tokens that a row has for more.
    """

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


class Script:
    """A model with the words of listings: as its tokens, and to begin texts with.

    Args:
        network: the model.
        tokenizer: of its folder.
        chat: encodes its prompts.

    Attributes:
        numbers: by field, the (100,) tokens of its numbers from 0.
        colors: the tokens of all colours, and of one that is not known.
        kinds: the tokens that can stand for a kind.

    Raises:
        ModelError: its tokenizer has not the words of a listing.
    """

    def __init__(self, network: Network, tokenizer: Any, chat: ChatEncoder) -> None:
        self.network, self._tokenizer, self._chat = network, tokenizer, chat
        self.numbers = {field: self.tokens(words) for field, words in NUMBERS.items()}
        self.colors = self.tokens([*(f" {color}" for color in COLORS), UNKNOWN])
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        kinds = [token for token, word in enumerate(words) if _is_word(word)]
        self.kinds = torch.tensor(sorted({*kinds, *self.tokens([UNKNOWN]).tolist()}), device=network.device)

    def tokens(self, words: Sequence[str]) -> Tensor:
        """Return the token of each word.

        Raises:
            ModelError: one of them is not a single token.
        """
        found = [self.encoded(word) for word in words]
        if any(len(tokens) != 1 for tokens in found):
            missing = next(word for word, tokens in zip(words, found, strict=True) if len(tokens) != 1)
            raise ModelError(
                f"the model's card says that it writes listings, but its tokenizer has no token {missing!r}; check the card"
            )
        return torch.tensor([tokens[0] for tokens in found], device=self.network.device)

    def encoded(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def word(self, token: int) -> str:
        """Return what a token says."""
        return str(self._tokenizer.decode([token]))

    def share(self, logits: Tensor, field: str) -> Tensor:
        """Return how likely each number of a field is, (rows, 100)."""
        return logits[:, self.numbers[field]].softmax(-1)

    def begin(
        self, prompts: Sequence[str], images: Sequence[Features], room: int, given: Sequence[str] = ()
    ) -> tuple[Pen, Tensor]:
        """Return where answers to prompts of one length are written, and the first logits.

        Args:
            prompts: of each.
            images: of each one, all of one size; none for text alone.
            room: tokens that are written.
            given: with what each answer begins, of one length.
        """
        counts = [self.network.image_tokens(images[0].grid)] if images else []
        chats = [self._chat.encode("", prompt, counts) for prompt in prompts]
        shown = [[image] for image in images] or [[] for _ in prompts]
        prefixes = self.network.prefixes(chats[0].prefix, shown)
        pen = Pen(self.network, prefixes, len(chats[0].suffix) + room)
        begun = given or [""] * len(chats)
        return pen, pen.put([[*chat.suffix, *self.encoded(text)] for chat, text in zip(chats, begun, strict=True)])

    def in_parts(self, write: Callable[[Sequence[int]], list[_T]], places: Sequence[int], together: int) -> list[_T]:
        """Return what is written about all of some things, so many at a time; one where the network takes no more."""
        step = 1 if self.network.static else together
        return [text for at in range(0, len(places), step) for text in write(places[at : at + step])]


def median(shares: Tensor) -> Tensor:
    """Return numbers by their median, from how likely each is, (..., N): of one that is not sure, half is to each side."""
    return (shares.cumsum(-1) < 0.5).sum(-1).clamp(max=shares.shape[-1] - 1)


def _is_word(token: str) -> bool:
    """Whether a token is a space and a word in small letters, as byte-level vocabularies spell it."""
    return (
        len(token) > 1 and token[0] == "\u0120" and token[1:].isascii() and token[1:].isalpha() and token[1:].islower()
    )

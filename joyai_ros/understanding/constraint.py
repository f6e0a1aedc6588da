"""What a format allows next, and what it leaves no choice about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
import xgrammar
from torch import Tensor

from joyai_ros.understanding.formats import AnswerFormat, schema_of

# No answer needs control characters; in a terminal or a log they do harm. Nor does it need the tokens of the chat
# template, which a grammar takes for the text that stands for them.
_CONTROL = frozenset((*range(0x20), 0x7F))


class Constraints:
    """Makes a :class:`Constraint` for each answer.

    Args:
        tokenizer: of the model.
        vocabulary: how many logits the model has.
        stop_tokens: end an answer; never part of one.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_tokens: Sequence[int]) -> None:
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocabulary, stop_token_ids=list(stop_tokens)
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self.tokenizer = tokenizer
        self.bytes: list[bytes] = info.decoded_vocab
        added = set(tokenizer.added_tokens_decoder)
        self.plain = bit_mask(
            [
                bool(content) and not _CONTROL & set(content) and token not in added
                for token, content in enumerate(self.bytes)
            ]
        )

    def start(self, wanted: AnswerFormat) -> Constraint:
        """Return the constraint of an answer that has not begun; a format is compiled at its first use."""
        grammar = self._compiler.compile_json_schema(json.dumps(schema_of(wanted)), any_whitespace=False)
        # The closing brace ends the answer; no pass of the network is spent on a token that says so again.
        return Constraint(self, xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True))


class Constraint:
    """One answer as it grows.

    Attributes:
        content: the bytes of the answer so far.
    """

    def __init__(self, shared: Constraints, matcher: Any) -> None:
        self._shared = shared
        self._matcher = matcher
        self._mask = torch.zeros_like(shared.plain)
        self.content = b""

    @property
    def is_complete(self) -> bool:
        """Whether the answer has ended."""
        return bool(self._matcher.is_terminated())

    def restrict(self, logits: Tensor) -> None:
        """Set the (vocabulary,) logits of all tokens that cannot come next to minus infinity."""
        self._matcher.fill_next_token_bitmask(self._mask)
        self._mask &= self._shared.plain
        xgrammar.apply_token_bitmask_inplace(logits, self._mask[0])

    def accept(self, token: int) -> bool:
        """Take a token as the next; return False, and change nothing, where it is not allowed."""
        if not self._matcher.accept_token(token):
            return False
        self.content += self._shared.bytes[token]
        return True

    def take_forced(self, most: int) -> list[int]:
        """Take the tokens that have to come now, at most so many, as the tokenizer itself would write them.

        The network is asked about none of them. A common beginning of several choices is left to it: cut in the middle,
        a word is not the token that the model has learned.
        """
        text = self._matcher.find_jump_forward_string() if not self.is_complete else ""
        if text and in_string(self.content + text.encode()):
            text = text[: text.rfind('"') + 1]
        taken: list[int] = []
        if text:
            tokens = self._shared.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
            for token in tokens[:most]:
                if not self.accept(token):  # the tokenizer wrote it in another way (a normalised letter)
                    break
                taken.append(token)
        return taken


def in_string(content: bytes) -> bool:
    """Return whether a beginning of a JSON text ends within a string."""
    inside = escaped = False
    for byte in content:
        if escaped:
            escaped = False
        elif inside and byte == 0x5C:  # a backslash
            escaped = True
        elif byte == 0x22:  # a quotation mark
            inside = not inside
    return inside


def bit_mask(allowed: Sequence[bool]) -> Tensor:
    """Return one row of xgrammar's bit mask: (1, tokens / 32) int32, the first token in the lowest bit."""
    bits = torch.tensor(allowed, dtype=torch.int64)
    words = torch.nn.functional.pad(bits, (0, -len(allowed) % 32)).view(1, -1, 32)
    # Shifted into 32 bits and read as signed.
    return (words << torch.arange(32)).sum(-1).to(torch.int32)

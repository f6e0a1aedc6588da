"""Tokens one by one, each among those that the answer's format still allows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import xgrammar
from torch import Tensor

from joyai_ros.understanding.backend import Finish, IsCanceled, ModelReply, OnText, Sampling
from joyai_ros.understanding.formats import AnswerFormat, schema_of
from joyai_ros.understanding.network import Network, Prefix

# No answer needs control characters; in a terminal or a log they do harm. Nor does it need the tokens of the chat
# template, which a grammar takes for the text that stands for them.
_CONTROL = frozenset((*range(0x20), 0x7F))


@dataclass
class Row:
    """One answer as it grows.

    Attributes:
        index: of its request, for ``on_text``.
        suffix: the tokens of the question.
        matcher: what its format allows next.
        limit: the most tokens.
        sampling: None for greedy.
    """

    index: int
    suffix: tuple[int, ...]
    matcher: Any
    limit: int
    sampling: Sampling | None
    generator: torch.Generator = field(default_factory=torch.Generator)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    content: bytes = b""
    finish: Finish | None = None

    def __post_init__(self) -> None:
        if self.sampling is not None:
            self.generator.manual_seed(self.sampling.seed)


class Decoder:
    """Holds answers to their formats.

    Args:
        network: the model.
        tokenizer: of the same folder.
        stop_tokens: end an answer; never part of one.
    """

    def __init__(self, network: Network, tokenizer: Any, stop_tokens: Sequence[int]) -> None:
        self._network = network
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=network.vocabulary, stop_token_ids=list(stop_tokens)
        )
        self._bytes: list[bytes] = info.decoded_vocab
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self._padding = int(stop_tokens[0])
        added = set(tokenizer.added_tokens_decoder)
        self._plain = _mask_of(
            [
                bool(content) and not _CONTROL & set(content) and token not in added
                for token, content in enumerate(self._bytes)
            ]
        )

    def row(self, index: int, suffix: tuple[int, ...], wanted: AnswerFormat, limit: int, how: Sampling | None) -> Row:
        """Return an answer that has not begun; its format is compiled at its first use."""
        grammar = self._compiler.compile_json_schema(json.dumps(schema_of(wanted)), any_whitespace=False)
        # The closing brace ends the answer; no pass of the network is spent on a token that says so again.
        matcher = xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
        return Row(index, suffix, matcher, limit, how)

    def run(self, prefix: Prefix, rows: Sequence[Row], on_text: OnText | None, is_canceled: IsCanceled | None) -> None:
        """Decode some questions about one prefix together, until each has its ``finish``."""
        longest = max(len(row.suffix) for row in rows)
        cache = self._network.branch(prefix, len(rows), longest + max(row.limit for row in rows))
        ids, mask, positions = self._question(prefix, rows, longest)
        masks = xgrammar.allocate_token_bitmask(1, self._network.vocabulary)
        running = list(rows)
        while running:
            if is_canceled is not None and is_canceled():
                for row in running:
                    row.finish = Finish.CANCELED
                return
            logits = self._network.extend(cache, ids, positions, mask).cpu()
            # With memory of fixed size a finished row keeps its place; it repeats a token that nobody reads.
            chosen = [
                self._next(row, logits[place], masks) if row.finish is None else self._padding
                for place, row in enumerate(running)
            ]
            for row in running:
                self._tell(row, on_text)
            kept = [place for place, row in enumerate(running) if row.finish is None]
            if not kept:
                return
            if not self._network.static and len(kept) < len(running):
                select = torch.tensor(kept, device=self._network.device)
                cache.batch_select_indices(select)
                running = [running[place] for place in kept]
                chosen = [chosen[place] for place in kept]
                positions = positions[select]
                mask = None if mask is None else mask[select]
            ids = torch.tensor(chosen, device=self._network.device)[:, None]
            positions = positions[:, -1:] + 1
            mask = None if mask is None else torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)

    def reply(self, row: Row) -> ModelReply:
        """Return a finished answer."""
        return ModelReply(
            text=row.content.decode("utf-8", errors="ignore"),
            finish=row.finish or Finish.CANCELED,
            tokens=len(row.tokens),
            token_logprobs=tuple(row.logprobs),
            token_texts=tuple(self._bytes[token].decode("utf-8", errors="replace") for token in row.tokens),
        )

    def _question(self, prefix: Prefix, rows: Sequence[Row], longest: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return the tokens, the mask and the positions of questions of different length, padded on the left."""
        device = self._network.device
        ids = torch.full((len(rows), longest), self._padding)
        mask = torch.ones((len(rows), prefix.length + longest), dtype=torch.long)
        positions = torch.full((len(rows), longest), prefix.position)
        for place, row in enumerate(rows):
            start = longest - len(row.suffix)
            ids[place, start:] = torch.tensor(row.suffix)
            mask[place, prefix.length : prefix.length + start] = 0
            positions[place, start:] += torch.arange(len(row.suffix))
        padded = bool((mask == 0).any())
        return ids.to(device), mask.to(device) if padded else None, positions.to(device)

    def _next(self, row: Row, logits: Tensor, masks: Tensor) -> int:
        """Choose a row's next token from its (vocabulary,) logits and note what it does to the answer."""
        row.matcher.fill_next_token_bitmask(masks)
        masks &= self._plain
        xgrammar.apply_token_bitmask_inplace(logits, masks[0])
        logprobs = logits.log_softmax(-1)
        token = int(logits.argmax()) if row.sampling is None else draw(logits, row.sampling, row.generator)
        row.matcher.accept_token(token)
        row.tokens.append(token)
        row.logprobs.append(float(logprobs[token]))
        row.content += self._bytes[token]
        if row.matcher.is_terminated():
            row.finish = Finish.STOP
        elif len(row.tokens) >= row.limit:
            row.finish = Finish.LENGTH
        return token

    def _tell(self, row: Row, on_text: OnText | None) -> None:
        if on_text is not None and row.tokens:
            on_text(row.index, row.content.decode("utf-8", errors="ignore"))


def _mask_of(allowed: Sequence[bool]) -> Tensor:
    """Return one row of xgrammar's bit mask: (1, tokens / 32) int32, the first token in the lowest bit."""
    bits = torch.tensor(allowed, dtype=torch.int64)
    words = torch.nn.functional.pad(bits, (0, -len(allowed) % 32)).view(1, -1, 32)
    # Shifted into 32 bits and read as signed.
    return (words << torch.arange(32)).sum(-1).to(torch.int32)


def draw(logits: Tensor, how: Sampling, generator: torch.Generator) -> int:
    """Return a token drawn from (vocabulary,) logits; those that are not allowed are minus infinity."""
    if how.temperature <= 0.0:
        return int(logits.argmax())
    best, tokens = logits.topk(min(how.top_k if how.top_k > 0 else len(logits), len(logits)))
    shares = (best / how.temperature).softmax(-1)
    # A token stays while those before it have less than top_p together: the best one always does.
    kept = shares.cumsum(-1) - shares < how.top_p
    place = torch.multinomial(shares * kept, 1, generator=generator)
    return int(tokens[place])

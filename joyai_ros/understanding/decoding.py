"""Tokens one by one, each among those that the answer's format still allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from joyai_ros.understanding.backend import Finish, IsCanceled, ModelReply, OnText, Sampling
from joyai_ros.understanding.constraint import Constraint, Constraints
from joyai_ros.understanding.formats import AnswerFormat
from joyai_ros.understanding.network import Network, Prefix


@dataclass
class Row:
    """One answer as it grows.

    Attributes:
        index: of its request, for ``on_text``.
        constraint: what its format allows next.
        limit: the most tokens.
        sampling: None for greedy.
        pending: tokens that the network has not been given yet.
    """

    index: int
    constraint: Constraint
    limit: int
    sampling: Sampling | None
    pending: list[int]
    generator: torch.Generator = field(default_factory=torch.Generator)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Finish | None = None

    def __post_init__(self) -> None:
        if self.sampling is not None:
            self.generator.manual_seed(self.sampling.seed)
        self._take_forced()

    @property
    def text(self) -> str:
        """The answer so far; a letter of which bytes are still to come is not part of it."""
        return self.constraint.content.decode("utf-8", errors="ignore")

    def choose(self, logits: Tensor) -> None:
        """Take the next token from (vocabulary,) logits, and all that have to follow it."""
        self.constraint.restrict(logits)
        token = int(logits.argmax()) if self.sampling is None else draw(logits, self.sampling, self.generator)
        self.constraint.accept(token)
        self.logprobs.append(float(logits.log_softmax(-1)[token]))
        self.tokens.append(token)
        self.pending.append(token)
        self._take_forced()

    def _take_forced(self) -> None:
        forced = self.constraint.take_forced(self.limit - len(self.tokens))
        self.tokens += forced
        self.pending += forced
        self.logprobs += [0.0] * len(forced)  # certain
        if self.constraint.is_complete:
            self.finish = Finish.STOP
        elif len(self.tokens) >= self.limit:
            self.finish = Finish.LENGTH


class Decoder:
    """Holds answers to their formats.

    Args:
        network: the model.
        tokenizer: of the same folder.
        stop_tokens: end an answer; never part of one.
    """

    def __init__(self, network: Network, tokenizer: Any, stop_tokens: Sequence[int]) -> None:
        self._network = network
        self._constraints = Constraints(tokenizer, network.vocabulary, stop_tokens)
        self._padding = int(stop_tokens[0])

    def row(self, index: int, suffix: Sequence[int], wanted: AnswerFormat, limit: int, how: Sampling | None) -> Row:
        """Return an answer to a question, of which as much is written as its format leaves no choice about."""
        return Row(index, self._constraints.start(wanted), limit, how, list(suffix))

    def run(
        self,
        prefixes: Sequence[Prefix],
        rows: Sequence[Row],
        on_text: OnText | None,
        is_canceled: IsCanceled | None,
    ) -> None:
        """Decode some questions together, each after its prefix, until each has its ``finish``; prefixes are of one length."""
        _tell(rows, on_text)
        started = [(prefix, row) for prefix, row in zip(prefixes, rows, strict=True) if row.finish is None]
        if not started:
            return
        running = [row for _, row in started]
        longest = max(len(row.pending) for row in running)
        room = longest + max(row.limit for row in running)
        cache = self._network.branch([prefix for prefix, _ in started], room)
        ids, mask, positions = self._first(started[0][0], running, longest)
        while True:
            if is_canceled is not None and is_canceled():
                for row in running:
                    row.finish = row.finish or Finish.CANCELED
                return
            logits = self._network.extend(cache, ids, positions, mask).cpu()
            asked = [place for place, row in enumerate(running) if row.finish is None and not row.pending]
            for place in asked:
                running[place].choose(logits[place])
            _tell([running[place] for place in asked], on_text)
            kept = [place for place, row in enumerate(running) if row.finish is None]
            if not kept:
                return
            if not self._network.static and len(kept) < len(running):
                select = torch.tensor(kept, device=self._network.device)
                cache.batch_select_indices(select)
                running = [running[place] for place in kept]
                positions = positions[select]
                mask = None if mask is None else mask[select]
            ids = self._further(running)
            steps = torch.arange(1, ids.shape[1] + 1, device=self._network.device)
            positions = positions[:, -1:] + steps
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(ids.shape)], dim=1)

    def reply(self, row: Row) -> ModelReply:
        """Return a finished answer."""
        content = [self._constraints.bytes[token] for token in row.tokens]
        return ModelReply(
            text=row.text,
            finish=row.finish or Finish.CANCELED,
            tokens=len(row.tokens),
            token_logprobs=tuple(row.logprobs),
            token_texts=tuple(piece.decode("utf-8", errors="replace") for piece in content),
        )

    def _first(self, prefix: Prefix, rows: Sequence[Row], longest: int) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return tokens, mask and positions of questions of different length, padded on the left; prefixes are like this."""
        device = self._network.device
        ids = torch.full((len(rows), longest), self._padding)
        mask = torch.ones((len(rows), prefix.length + longest), dtype=torch.long)
        positions = torch.full((len(rows), longest), prefix.position)
        for place, row in enumerate(rows):
            start = longest - len(row.pending)
            ids[place, start:] = torch.tensor(row.pending)
            mask[place, prefix.length : prefix.length + start] = 0
            positions[place, start:] += torch.arange(len(row.pending))
            row.pending.clear()
        padded = bool((mask == 0).any())
        return ids.to(device), mask.to(device) if padded else None, positions.to(device)

    def _further(self, rows: Sequence[Row]) -> Tensor:
        """Return the next tokens of each row: as many as all of them have, so that none has to be padded.

        With memory of fixed size a finished row keeps its place; it repeats a token that nobody reads.
        """
        count = min(len(row.pending) for row in rows if row.finish is None)
        ids = [row.pending[:count] if row.finish is None else [self._padding] * count for row in rows]
        for row in rows:
            del row.pending[:count]
        return torch.tensor(ids, device=self._network.device)


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


def _tell(rows: Sequence[Row], on_text: OnText | None) -> None:
    for row in rows:
        if on_text is not None and row.tokens:
            on_text(row.index, row.text)

"""First-block cache: where the first block says nothing new, the others are not asked again.

From step to step the network's blocks change their input in much the same way. The change by the first block alone
tells how much: where it differs by less than a threshold from what it was when all blocks last ran, the change by the
other blocks is taken from then. Each row decides for itself, so a view does not depend on what it is batched with.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from joyai_ros.imagination.mmdit.denoiser import Denoiser, Positions, Streams, TokenBatch, TorchDenoiser


@dataclass(frozen=True)
class _Known:
    """What a row's blocks did when all ran: both (image tokens, width)."""

    by_first: Tensor
    by_others: Tensor


class FirstBlockCache:
    """A denoiser for one drawing, which remembers what its rows' blocks did.

    Attributes:
        reused: rows whose other blocks were not run, so far.
    """

    def __init__(self, denoiser: TorchDenoiser, threshold: float) -> None:
        """Take a threshold relative to the change by the first block; the larger, the faster and the less exact."""
        self._denoiser = denoiser
        self._threshold = threshold
        self._known: dict[tuple[int, bool], _Known] = {}
        self.reused = 0

    def __call__(self, batch: TokenBatch) -> Tensor:
        """See :class:`Denoiser`."""
        start = self._denoiser.embed(batch)
        after = self._denoiser.run(start, 0, 1)
        by_first = after.image - start.image
        stale = [index for index, row in enumerate(batch.rows) if not self._is_fresh(row, by_first[index])]
        self.reused += len(batch.rows) - len(stale)
        if stale:
            end = self._denoiser.run(_chosen(after, stale), 1, self._denoiser.blocks)
            for place, index in enumerate(stale):
                # Copies of single rows, so that no row keeps the memory of a whole batch.
                others = end.image[place] - after.image[index]
                self._known[batch.rows[index]] = _Known(by_first[index].clone(), others)
        others = torch.stack([self._known[row].by_others for row in batch.rows])
        return self._denoiser.project(after.image + others)

    def _is_fresh(self, row: tuple[int, bool], by_first: Tensor) -> bool:
        known = self._known.get(row)
        if known is None:
            return False
        size = known.by_first.float().norm()
        return bool((by_first - known.by_first).float().norm() < self._threshold * size)


def with_step_cache(denoiser: Denoiser, threshold: float | None) -> Denoiser:
    """Return a denoiser for one drawing; engines run their blocks as one, so they are returned as they are."""
    if threshold is None or not isinstance(denoiser, TorchDenoiser):
        return denoiser
    return FirstBlockCache(denoiser, threshold)


def _chosen(streams: Streams, rows: list[int]) -> Streams:
    """Return some rows of the streams; all of them without a copy."""
    if len(rows) == streams.image.shape[0]:
        return streams
    at = streams.positions
    mask = None if at.mask is None else at.mask[rows]
    return Streams(streams.image[rows], streams.text[rows], streams.steering[rows], Positions(at.cos, at.sin, mask))

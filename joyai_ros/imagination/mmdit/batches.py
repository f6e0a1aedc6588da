"""What goes through the network in each step: the rows of all views, put together once for a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from joyai_ros.imagination.mmdit.denoiser import TokenBatch
from joyai_ros.imagination.mmdit.tokens import Rotary


@dataclass(frozen=True)
class Conditions:
    """What stays the same in all steps of a drawing.

    Attributes:
        references: (views, tokens, token size) float32; no tokens where there is no reference.
        prompted, unprompted: the (tokens, width) states of each view; no unprompted ones without guidance.
        positions: of the image's and the references' tokens.
    """

    references: Tensor
    prompted: Sequence[Tensor]
    unprompted: Sequence[Tensor]
    positions: Rotary


@dataclass(frozen=True)
class _Call:
    """The part of a call of the network that stays the same; see :class:`TokenBatch`."""

    rows: tuple[tuple[int, bool], ...]
    views: Tensor
    text: Tensor
    text_mask: Tensor | None


class Batches:
    """Makes the calls of each step.

    A view is one row, and with guidance two: one with the prompt and one with the negative one. Rows whose texts differ
    in length share a call by a mask over the keys; where all are of one length there is none, and attention runs on its
    fastest kernels.
    """

    def __init__(self, conditions: Conditions, rows_at_once: int | None) -> None:
        """Take what stays the same, and the most rows of one call (None: all)."""
        self._conditions = conditions
        rows = [(view, True) for view in range(len(conditions.prompted))]
        both = rows + [(view, False) for view in range(len(conditions.unprompted))]
        self._plain = self._calls(rows, rows_at_once)
        self._guided = self._calls(both, rows_at_once)

    def calls(self, tokens: Tensor, timestep: Tensor, with_guidance: bool) -> Iterator[TokenBatch]:
        """Yield the calls of one step; their rows are all views with their prompt, then all with the negative one.

        Args:
            tokens: (views, tokens, token size) of the images so far.
            timestep: scalar.
            with_guidance: whether the rows with the negative prompt are there.
        """
        joint = torch.cat([tokens, self._conditions.references], dim=1)
        for call in self._guided if with_guidance else self._plain:
            mask = None
            if call.text_mask is not None:
                images = call.text_mask.new_ones((len(call.rows), joint.shape[1]))
                mask = torch.cat([images, call.text_mask], dim=1)
            yield TokenBatch(
                tokens=joint[call.views],
                timestep=timestep.to(joint.device).expand(len(call.rows)),
                text=call.text,
                mask=mask,
                rotary=self._conditions.positions,
                rows=call.rows,
            )

    def _calls(self, rows: list[tuple[int, bool]], at_once: int | None) -> list[_Call]:
        size = at_once or len(rows)
        return [self._call(rows[first : first + size]) for first in range(0, len(rows), size)]

    def _call(self, rows: list[tuple[int, bool]]) -> _Call:
        known, device = self._conditions, self._conditions.references.device
        states = [(known.prompted if prompted else known.unprompted)[view] for view, prompted in rows]
        text = torch.nn.utils.rnn.pad_sequence(states, batch_first=True).to(device)
        lengths = torch.tensor([len(state) for state in states], device=device)
        mask = torch.arange(text.shape[1], device=device) < lengths[:, None]
        views = torch.tensor([view for view, _ in rows], device=device)
        return _Call(tuple(rows), views, text, None if bool(mask.all()) else mask)

"""Packs: documents one after the other in one row, without padding, each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from joyai_ros.training.mllm.documents import Document


@dataclass(frozen=True)
class Pack:
    """Some documents as one row; L tokens, A of them in answers, and S that say what they show.

    Attributes:
        tokens: (1, L) long.
        positions: (4, 1, L) long; the first counts from 0 in every document, which keeps them apart.
        lengths: of the documents.
        before: (A,) long, the places from which the answers' tokens are foretold.
        wanted: (A,) long, these tokens.
        weights: (A,) float, of these tokens in the loss.
        general: (A,) bool, whether they are of general samples.
        shows, shown: (S,) long, image tokens that learn to say what they show, and the words for it.
        patches, grids: of all images; None without images.
    """

    tokens: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    before: Tensor
    wanted: Tensor
    weights: Tensor
    general: Tensor
    shows: Tensor
    shown: Tensor
    patches: Tensor | None
    grids: Tensor | None

    def inputs(self, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
        """Return what the model's forward pass takes, with logits of answers alone."""
        images: dict[str, Any] = {}
        if self.patches is not None and self.grids is not None:
            images = {"pixel_values": self.patches.to(device, dtype), "image_grid_thw": self.grids.to(device)}
        return {
            "input_ids": self.tokens.to(device),
            "position_ids": self.positions.to(device),
            "documents": self.lengths,
            "logits_to_keep": self.before.to(device),
            "use_cache": False,
            **images,
        }


def pack(documents: Sequence[Document]) -> Pack:
    """Return the documents as one row."""
    lengths = tuple(len(document) for document in documents)
    starts = [0, *torch.tensor(lengths).cumsum(0).tolist()]
    placed = list(zip(starts, documents, strict=False))
    patches = [document.patches for document in documents if document.patches is not None]
    grids = [document.grids for document in documents if document.grids is not None]
    return Pack(
        tokens=torch.cat([document.tokens for document in documents])[None],
        positions=torch.cat([document.positions for document in documents], dim=1)[:, None],
        lengths=lengths,
        before=torch.cat([start + document.before for start, document in placed]),
        wanted=torch.cat([document.wanted for document in documents]),
        weights=torch.cat([torch.full(document.wanted.shape, document.weight) for document in documents]),
        general=torch.cat([torch.full(document.wanted.shape, document.general) for document in documents]),
        shows=torch.cat([start + document.shows for start, document in placed]),
        shown=torch.cat([document.shown for document in documents]),
        patches=torch.cat(patches) if patches else None,
        grids=torch.cat(grids) if grids else None,
    )

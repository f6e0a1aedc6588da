"""Attention over a pack: every document for itself, without a mask.

A mask over a whole pack costs the square of its length. Here each document is one causal call, so a pack costs what its
documents cost. The lengths of the documents travel as the argument ``documents`` of the model's forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NAME = "joyai_packed"


def pack_attention(model: Any) -> None:
    """Have the language model of a Qwen3-VL attend within documents alone.

    Args:
        model: ``Qwen3VLForConditionalGeneration``; what it writes to disk stays as it was.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    model.model.language_model.config._attn_implementation = NAME


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    documents: tuple[int, ...] = (),
    **arguments: Any,
) -> tuple[Tensor, None]:
    """Attend over (1, heads, tokens, head size) queries, keys and values; returns (1, tokens, heads, head size)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    attend: Any = sdpa_attention_forward

    del attention_mask  # there is none for an attention that transformers does not know
    arguments["is_causal"] = True
    if len(documents) < 2:
        return attend(module, query, key, value, None, **arguments)
    parts = zip(*(torch.split(each, list(documents), dim=2) for each in (query, key, value)), strict=True)
    return torch.cat([attend(module, *part, None, **arguments)[0] for part in parts], dim=1), None

"""Attention over a pack: every document for itself, without a mask, and in float32 whatever the rest is computed in.

A mask over a whole pack costs the square of its length. Here each document is one causal call, so a pack costs what its
documents cost. The lengths of the documents travel as the argument ``documents`` of the model's forward pass.

On processors the backward pass of attention in bfloat16 is slower than in float32, which would eat up what the rest gains.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

NAME = "joyai_packed"


def pack_attention(model: Any) -> None:
    """Have the language model of a Qwen3-VL attend within documents alone, and its vision encoder within images as ever.

    Args:
        model: ``Qwen3VLForConditionalGeneration``; what it writes to disk stays as it was.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    model.model.language_model.config._attn_implementation = NAME
    model.model.visual.config._attn_implementation = NAME


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
    arguments["is_causal"] = module.is_causal
    on_cpu = query.device.type == "cpu"
    kept = query.dtype
    with torch.autocast("cpu", enabled=False) if on_cpu else nullcontext():
        every = [each.float() if on_cpu else each for each in (query, key, value)]
        if len(documents) < 2 or not module.is_causal:  # the vision encoder's images are rows, or come one by one
            return attend(module, *every, None, **arguments)[0].to(kept), None
        parts = zip(*(torch.split(each, list(documents), dim=2) for each in every), strict=True)
        return torch.cat([attend(module, *part, None, **arguments)[0] for part in parts], dim=1).to(kept), None

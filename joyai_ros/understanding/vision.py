"""A Qwen3-VL vision encoder in fewer, larger operations; its weights and what it computes stay as they are.

The library embeds patches by a convolution whose steps are as large as its kernel, which is one matrix product but on
processors takes several times as long, above all backwards. And it attends to one image after the other, where images of one
size can be attended to at once: windows of an image are small and many.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional


def quicken(visual: Any) -> None:
    """Have an encoder embed patches by a matrix product, and attend at once to images of one size.

    Args:
        visual: ``Qwen3VLVisionModel``, whole on one device.
    """
    visual.patch_embed.forward = partial(_embedded, visual.patch_embed)
    for block in visual.blocks:
        block.attn.forward = partial(_attended, block.attn, block.attn.forward)


def _embedded(embed: Any, patches: Tensor) -> Tensor:
    """Return (patches, width) of (patches, values)."""
    kernel = embed.proj.weight
    return functional.linear(patches.to(kernel.dtype), kernel.flatten(1), embed.proj.bias)


def _attended(
    attention: Any,
    one_by_one: Callable[..., Tensor],
    states: Tensor,
    cu_seqlens: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    **arguments: Any,
) -> Tensor:
    """Return (patches, width) of as many states, those of each image attended to among themselves.

    Args:
        attention: ``Qwen3VLVisionAttention``.
        one_by_one: its own forward pass, for images of several sizes.
        states: (patches, width).
        cu_seqlens: (images + 1,) where each image begins and ends.
        position_embeddings: cosines and sines, (patches, head size).
        arguments: further ones of its forward pass.
    """
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

    lengths = cu_seqlens.diff()
    if bool((lengths != lengths[0]).any()):
        return one_by_one(states, cu_seqlens=cu_seqlens, position_embeddings=position_embeddings, **arguments)
    query, key, value = attention.qkv(states).unflatten(-1, (3, attention.num_heads, -1)).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    of_images = (each.reshape(len(lengths), -1, *each.shape[1:]).transpose(1, 2) for each in (query, key, value))
    attend: Any = ALL_ATTENTION_FUNCTIONS[attention.config._attn_implementation]
    seen, _ = attend(attention, *of_images, None, dropout=0.0, scaling=attention.scaling, is_causal=False)
    projected: Tensor = attention.proj(seen.flatten(0, 1).flatten(1))
    return projected

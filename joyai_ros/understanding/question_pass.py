"""Qwen3-VL's language model over the tokens of questions and answers: the arithmetic of the stock pass, and no more.

A step of one token is over so soon that the stock pass spends most of it around its arithmetic: masks that hide nothing,
positions in three dimensions that are equal for text, norms of seven operations. Images are no concern of this pass; they
are in the prefix, which the stock pass computes once per frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class QuestionPass:
    """The layers of a loaded language model, one after the other.

    Args:
        language: ``Qwen3VLTextModel`` on one device; its weights are used where they are.
    """

    def __init__(self, language: Any) -> None:
        self._layers = list(language.layers)
        self._norm = language.norm
        self._rotary = language.rotary_emb

    def __call__(self, hidden: Tensor, positions: Tensor, mask: Tensor | None, cache: Any) -> Tensor:
        """Return the (rows, width) states after the last token.

        Args:
            hidden: (rows, tokens, width) embedded tokens, padded on the left.
            positions: (rows, tokens) long.
            mask: (rows, all tokens so far) long, 0 where a token is padding; None where there is none.
            cache: keys and values of all tokens so far; grows.
        """
        turn = self._turn(positions, hidden.dtype)
        visible = _visible(hidden.shape[1], cache.get_seq_length(), mask, hidden.device)
        for index, layer in enumerate(self._layers):
            hidden = hidden + _attend(
                layer.self_attn, _norm(layer.input_layernorm, hidden), turn, visible, cache, index
            )
            hidden = hidden + layer.mlp(_norm(layer.post_attention_layernorm, hidden))
        return _norm(self._norm, hidden[:, -1])

    def _turn(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cosine and sine by which positions turn keys and queries: (rows, tokens, 1, head size) each."""
        angles = positions[..., None, None].float() * self._rotary.inv_freq
        cos, sin = angles.cos() * self._rotary.attention_scaling, angles.sin() * self._rotary.attention_scaling
        return torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)


def _norm(norm: Any, x: Tensor) -> Tensor:
    return functional.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _visible(tokens: int, before: int, mask: Tensor | None, device: torch.device) -> Tensor | None:
    """Return what each new token sees, (rows or 1, 1, tokens, all tokens) bool; None where it is everything."""
    shown = None if mask is None else mask[:, None, None].bool()
    if tokens == 1:
        return shown
    past = torch.ones((tokens, before + tokens), dtype=torch.bool, device=device).tril(before)
    return past[None, None] if shown is None else shown & past


def _attend(
    attention: Any, x: Tensor, turn: tuple[Tensor, Tensor], visible: Tensor | None, cache: Any, index: int
) -> Tensor:
    """Return what one layer's attention adds, (rows, tokens, width); its keys and values go into the cache."""
    heads = (*x.shape[:2], -1, attention.head_dim)
    queries = _turned(_norm(attention.q_norm, attention.q_proj(x).view(heads)), turn)
    keys = _turned(_norm(attention.k_norm, attention.k_proj(x).view(heads)), turn)
    values = attention.v_proj(x).view(heads).transpose(1, 2)
    keys, values = cache.update(keys, values, index)
    seen = functional.scaled_dot_product_attention(
        queries, keys, values, visible, scale=attention.scaling, enable_gqa=True
    )
    added: Tensor = attention.o_proj(seen.transpose(1, 2).flatten(2))
    return added


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Return (rows, tokens, heads, head size) turned by their positions, as (rows, heads, tokens, head size)."""
    return torch.addcmul(x * turn[0], x.roll(x.shape[-1] // 2, -1), turn[1]).transpose(1, 2)

"""Qwen3-VL's language model over the tokens of questions and answers: the arithmetic of the stock pass, and no more.

A step of one token is over so soon that the stock pass spends most of it around its arithmetic: masks that hide nothing,
positions in three dimensions that are equal for text, norms of seven operations, five products where two do. Images are no
concern of this pass; they are in the prefix, which the stock pass computes once per frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class QuestionPass:
    """The layers of a loaded language model, one after the other.

    Args:
        language: ``Qwen3VLTextModel`` on one device. It keeps its weights; those of a layer that are multiplied with the
            same input move next to each other in memory.
    """

    def __init__(self, language: Any) -> None:
        self._layers = [_Layer(layer, index) for index, layer in enumerate(language.layers)]
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
        for layer in self._layers:
            hidden = layer(hidden, turn, visible, cache)
        return _norm(self._norm, hidden[:, -1])

    def _turn(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cosine and sine by which positions turn queries and keys: (rows, tokens, 1, head size) each."""
        angles = positions[..., None, None].float() * self._rotary.inv_freq
        cos, sin = angles.cos() * self._rotary.attention_scaling, angles.sin() * self._rotary.attention_scaling
        return torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)


class _Layer:
    """One layer: attention to all tokens so far, and the network of each token."""

    def __init__(self, layer: Any, index: int) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._index = index
        self._before, self._between = layer.input_layernorm, layer.post_attention_layernorm
        self._heads = _joined([attention.q_proj, attention.k_proj, attention.v_proj])
        self._size, self._scale = int(attention.head_dim), float(attention.scaling)
        self._queries = int(attention.config.num_attention_heads)
        keys = int(attention.config.num_key_value_heads)
        self._turned = self._queries + keys
        norms = attention.q_norm.weight.expand(self._queries, -1), attention.k_norm.weight.expand(keys, -1)
        self._head_norm, self._eps = torch.cat(norms).detach(), float(attention.q_norm.variance_epsilon)
        self._out, self._down, self._act = attention.o_proj, mlp.down_proj, mlp.act_fn
        self._wide = _joined([mlp.gate_proj, mlp.up_proj])

    def __call__(self, hidden: Tensor, turn: tuple[Tensor, Tensor], visible: Tensor | None, cache: Any) -> Tensor:
        """Return the states after this layer, and put its keys and values into the cache; see :class:`QuestionPass`."""
        heads = self._heads(_norm(self._before, hidden)).view(*hidden.shape[:2], -1, self._size)
        turned = functional.rms_norm(heads[:, :, : self._turned], (self._size,), None, self._eps) * self._head_norm
        turned = torch.addcmul(turned * turn[0], turned.roll(self._size // 2, -1), turn[1]).transpose(1, 2)
        queries, keys = turned[:, : self._queries], turned[:, self._queries :]
        keys, values = cache.update(keys, heads[:, :, self._turned :].transpose(1, 2), self._index)
        seen = functional.scaled_dot_product_attention(
            queries, keys, values, visible, scale=self._scale, enable_gqa=True
        )
        hidden = hidden + self._out(seen.transpose(1, 2).flatten(2))
        gate, up = self._wide(_norm(self._between, hidden)).chunk(2, -1)
        return hidden + self._down(self._act(gate) * up)


def _joined(linears: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    """Return what gives the outputs of several linear layers of one input side by side: (..., inputs) to (..., outputs).

    Plain layers without bias are one product from now on, and keep their weights as parts of one tensor: for a moment both
    are in memory. Others, with weights of 8 or 4 bits, are run one after the other.
    """
    plain = [linear for linear in linears if type(linear) is nn.Linear and linear.bias is None]
    if len(plain) < len(linears):
        return lambda x: torch.cat([linear(x) for linear in linears], -1)
    weight = torch.cat([linear.weight.detach() for linear in plain])
    for linear, part in zip(plain, torch.split(weight, [linear.out_features for linear in plain]), strict=True):
        linear.weight = nn.Parameter(part, requires_grad=False)
    return lambda x: functional.linear(x, weight)


def _norm(norm: Any, x: Tensor) -> Tensor:
    return functional.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _visible(tokens: int, before: int, mask: Tensor | None, device: torch.device) -> Tensor | None:
    """Return what each new token sees, (rows or 1, 1, tokens, all tokens) bool; None where it is everything."""
    shown = None if mask is None else mask[:, None, None].bool()
    if tokens == 1:
        return shown
    past = torch.ones((tokens, before + tokens), dtype=torch.bool, device=device).tril(before)
    return past[None, None] if shown is None else shown & past

"""One call of the network: tokens in, velocities out. Engines take the place of :class:`TorchDenoiser`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from joyai_ros.imagination.mmdit.tokens import Rotary

# From query, key and value, each (rows, heads, tokens, head size), and a mask (rows, 1, 1, tokens) or None, to what is seen.
Attend: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class TokenBatch:
    """What one call of the network gets.

    Attributes:
        tokens: (rows, image tokens, token size) float32: the image to be drawn, then its references.
        timestep: (rows,) float32.
        text: (rows, text tokens, text width), zero behind the end of a row's text.
        mask: (rows, image and text tokens) bool, true where a token is one; None where all are.
        rotary: positions of the image tokens.
        rows: what each row is: the index of its view, and whether it has the prompt (or the negative one). A step
            cache tells rows apart by it.
    """

    tokens: Tensor
    timestep: Tensor
    text: Tensor
    mask: Tensor | None
    rotary: Rotary
    rows: tuple[tuple[int, bool], ...]


class Denoiser(Protocol):
    """Runs the MMDiT."""

    def __call__(self, batch: TokenBatch) -> Tensor:
        """Return the (rows, image tokens, token size) float32 velocities, in the order of the tokens."""


@dataclass(frozen=True)
class Positions:
    """What a block's attention needs besides its streams: it travels where diffusers' blocks hand on their RoPE.

    Attributes:
        cos, sin: (1, image tokens, 1, head size) float32.
        mask: (rows, 1, 1, image and text tokens) bool; None where all tokens are ones.
    """

    cos: Tensor
    sin: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Streams:
    """The two streams between two blocks, and what steers both.

    Attributes:
        image: (rows, image tokens, width).
        text: (rows, text tokens, width).
        steering: (rows, 6, width), of the timestep.
        positions: for attention.
    """

    image: Tensor
    text: Tensor
    steering: Tensor
    positions: Positions


class MaskedAttention:
    """The joint attention of diffusers' JoyImage blocks, with keys masked and positions used as they come.

    The stock one has no mask, so that rows with texts of different length would be wrong, and copies the positions to
    the device in each block.
    """

    def __init__(self, attend: Attend = functional.scaled_dot_product_attention) -> None:
        """Take how queries, keys and values become what is seen."""
        self._attend = attend

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        image_rotary_emb: Positions,
        attention_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the (rows, tokens, width) of both streams; the mask is in the positions."""
        image_q, image_k, image_v = self._heads(attn.img_attn_qkv(hidden_states), attn.heads)
        text_q, text_k, text_v = self._heads(attn.txt_attn_qkv(encoder_hidden_states), attn.heads)
        image_q = _rotate(attn.img_attn_q_norm(image_q), image_rotary_emb)
        image_k = _rotate(attn.img_attn_k_norm(image_k), image_rotary_emb)
        query = torch.cat([image_q, attn.txt_attn_q_norm(text_q)], dim=1)
        key = torch.cat([image_k, attn.txt_attn_k_norm(text_k)], dim=1)
        value = torch.cat([image_v, text_v], dim=1)
        out = self._attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), image_rotary_emb.mask)
        joint = out.transpose(1, 2).flatten(2, 3).to(query.dtype)
        images = hidden_states.shape[1]
        return attn.img_attn_proj(joint[:, :images]), attn.txt_attn_proj(joint[:, images:])

    @staticmethod
    def _heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value, each (rows, tokens, heads, head size)."""
        query, key, value = qkv.reshape(*qkv.shape[:2], 3, heads, -1).unbind(2)
        return query, key, value


def _rotate(x: Tensor, at: Positions) -> Tensor:
    """Return (rows, tokens, heads, head size) turned to their positions."""
    wide = x.float()
    real, imaginary = wide.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    turned = torch.stack([-imaginary, real], dim=-1).flatten(3)
    return (wide * at.cos + turned * at.sin).type_as(x)


class TorchDenoiser:
    """Runs diffusers' modules by PyTorch.

    The transformer's attention processors are replaced, so diffusers' own ``forward`` of it no longer works.
    """

    def __init__(self, transformer: Any, compiler: str | None = None) -> None:
        """Take the network, and what torch.compile is to compile its blocks with.

        Args:
            transformer: diffusers' ``JoyImageEditTransformer3DModel``, or the one of Edit-Plus.
            compiler: a backend of torch.compile, such as ``inductor``, which needs a C++ compiler; the first image of a
                size then takes much longer. None to run the blocks as they are.
        """
        self.transformer = transformer
        self._dtype: torch.dtype = transformer.img_in.weight.dtype
        for block in transformer.double_blocks:
            block.attn.set_processor(MaskedAttention())
        if compiler is not None:
            transformer.compile_repeated_blocks(backend=compiler, fullgraph=True)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.transformer.double_blocks)

    def __call__(self, batch: TokenBatch) -> Tensor:
        """See :class:`Denoiser`."""
        return self.project(self.run(self.embed(batch), 0, self.blocks).image)

    def embed(self, batch: TokenBatch) -> Streams:
        """Return what goes into the first block."""
        net = self.transformer
        # The convolution of a patch, as the product that it is; a token's values are in the order of the output.
        weight = net.img_in.weight.permute(0, 2, 3, 4, 1).flatten(1)
        image = functional.linear(batch.tokens.to(self._dtype), weight, net.img_in.bias)
        _, steering, text = net.condition_embedder(batch.timestep, batch.text.to(self._dtype))
        mask = None if batch.mask is None else batch.mask[:, None, None]
        positions = Positions(batch.rotary.cos[None, :, None], batch.rotary.sin[None, :, None], mask)
        return Streams(image, text, steering.reshape(steering.shape[0], 6, -1), positions)

    def run(self, streams: Streams, first: int, end: int) -> Streams:
        """Return the streams after the blocks from ``first`` up to ``end``, exclusive."""
        image, text = streams.image, streams.text
        for block in self.transformer.double_blocks[first:end]:
            image, text = block(image, text, streams.steering, streams.positions)
        return Streams(image, text, streams.steering, streams.positions)

    def project(self, image: Tensor) -> Tensor:
        """Return the velocities of the image stream after the last block."""
        net = self.transformer
        velocity: Tensor = net.proj_out(net.norm_out(image))
        return velocity.float()

"""Rectified-flow training of the MMDiT: from noise, or from the measured surface with noise, straight to the picture.

At level t a picture is mixed with noise, and the network says how the mixture changes with t. A drawing that begins at the
measured surface (``strength`` below 1) begins with that surface and noise at a level s; on the way from there the mixture
still holds the share t / s of what is wrong with the surface. The network sees the same kind of input as for a drawing from
noise, and learns to mend what a warp cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from joyai_ros.imagination.mmdit.denoiser import MaskedAttention
from joyai_ros.imagination.mmdit.token_network import TokenNetwork
from joyai_ros.imagination.mmdit.tokens import rotary
from joyai_ros.training.view.cache import Halves, States

_STEPS = 1000.0  # the network counts levels in thousandths


@dataclass(frozen=True)
class Material:
    """What the MMDiT learns from, by examples. *Sides* are images as they are and, where that is asked for, mirrored.

    Attributes:
        frames: (frames, sides, tokens, token size) of all images.
        targets: (examples,) which frame is to be drawn.
        sources: (examples,) which one is its reference; None to draw from words alone.
        prompts: states of each example's prompt.
        wordless: states of each frame without a prompt; None where all have one.
        starts: (examples, sides, tokens, token size) of the measured surface, seen from the target; None where no drawing
            begins there.
        grid: rows and columns of patches of an image.
    """

    frames: Halves
    targets: NDArray[np.int64]
    sources: NDArray[np.int64] | None
    prompts: States
    wordless: States | None
    starts: Halves | None
    grid: tuple[int, int]


@dataclass(frozen=True)
class Shares:
    """How examples are shown.

    Attributes:
        batch: examples at a time.
        wordless: share of them without their prompt.
        guided: share of them that begin at the measured surface.
        levels: between which share of noise these begin.
    """

    batch: int
    wordless: float = 0.0
    guided: float = 0.0
    levels: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class FlowBatch:
    """Some examples.

    Attributes:
        target: (batch, tokens, token size) of the pictures.
        start: the same of where the way to them begins, beside noise: the pictures themselves, or the measured surface.
        begin: (batch, 1, 1) level at which it begins.
        reference: (batch, tokens, token size); no tokens without a reference.
        text: (batch, words, width).
        is_word: (batch, words) bool.
    """

    target: Tensor
    start: Tensor
    begin: Tensor
    reference: Tensor
    text: Tensor
    is_word: Tensor


class FlowLearner:
    """Learns velocities; see :class:`joyai_ros.training.loop.Learner`."""

    def __init__(self, transformer: Any, material: Material, shares: Shares, shift: float, seed: int) -> None:
        """Take the MMDiT.

        Args:
            transformer: whose weights that want a gradient are trained; its attention is replaced by ours, which masks.
            material: what it learns from.
            shares: how it is shown.
            shift: of the scheduler: how much more noise there is at most levels.
            seed: of what is chosen.
        """
        self.module: nn.Module = TokenNetwork(transformer)
        self._material, self._shares, self._shift, self._seed = material, shares, shift, seed
        for block in transformer.double_blocks:
            block.attn.set_processor(MaskedAttention(attend))
        config = transformer.config
        head = config.hidden_size // config.num_attention_heads
        images = [material.grid] * (1 if material.sources is None else 2)
        self._at = rotary(images, config.rope_dim_list or [head // 3] * 3, config.theta, torch.device("cpu"))
        # Of the last block only the image comes out.
        last = transformer.double_blocks[-1]
        for dead in (last.txt_mlp, last.attn.txt_attn_proj):
            dead.requires_grad_(False)

    def groups(self) -> list[dict[str, Any]]:
        """Return what wants a gradient."""
        return [{"params": [weight for weight in self.module.parameters() if weight.requires_grad]}]

    def batch(self, step: int, part: int) -> FlowBatch:
        """Return some examples, each on one of its sides."""
        shown, shares = self._material, self._shares
        random = np.random.default_rng([self._seed, 3, step, part])
        count = shares.batch
        chosen = random.integers(len(shown.targets), size=count)
        sides = random.integers(shown.frames.shape[1], size=count)
        target = _tensor(shown.frames[shown.targets[chosen], sides])
        start, begin = target, np.ones(count, np.float32)
        if shown.starts is not None:
            guided = random.random(count) < shares.guided
            begin = np.where(guided, random.uniform(*shares.levels, size=count), 1.0).astype(np.float32)
            start = torch.where(torch.from_numpy(guided)[:, None, None], _tensor(shown.starts[chosen, sides]), target)
        reference = target[:, :0]
        if shown.sources is not None:
            reference = _tensor(shown.frames[shown.sources[chosen], sides])
        text, lengths = shown.prompts.values[chosen, sides], shown.prompts.lengths[chosen, sides]
        if shown.wordless is not None and shown.sources is not None:
            empty = random.random(count) < shares.wordless
            frames = shown.sources[chosen[empty]]
            text[empty], lengths[empty] = 0.0, shown.wordless.lengths[frames, sides[empty]]
            text[empty, : shown.wordless.values.shape[2]] = shown.wordless.values[frames, sides[empty]]
        words = int(lengths.max())
        is_word = torch.arange(words)[None] < torch.from_numpy(lengths)[:, None]
        return FlowBatch(
            target, start, torch.from_numpy(begin)[:, None, None], reference, _tensor(text[:, :words]), is_word
        )

    def loss(self, batch: FlowBatch, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the squared error of the velocity by how long the way is, and those from noise and from the surface."""
        count, tokens = batch.target.shape[:2]
        uniform = torch.rand((count, 1, 1), generator=generator)
        level = batch.begin * self._shift * uniform / (1.0 + (self._shift - 1.0) * uniform)
        noise = torch.randn(batch.target.shape, generator=generator)
        wrong = (1.0 - batch.begin) / batch.begin * (batch.start - batch.target)
        velocity = noise - batch.target + wrong
        mixture = batch.target + level * velocity
        seen = torch.cat([torch.ones((count, len(self._at.cos)), dtype=torch.bool), batch.is_word], dim=1)
        device = next(self.module.parameters()).device
        given = (torch.cat([mixture, batch.reference], dim=1), _STEPS * level[:, 0, 0], batch.text, seen)
        told = self.module(*(value.to(device) for value in (*given, self._at.cos, self._at.sin)))[:, :tokens]
        errors = (told - velocity.to(device)).square().mean(dim=(1, 2))
        # An error counts by what it does to the picture: from the measured surface, the way is short and steep.
        begin = batch.begin[:, 0, 0]
        counted = (begin.square().to(device) * errors).mean()
        return counted, self._apart(errors.detach().cpu(), begin < 1.0)

    def _apart(self, errors: Tensor, is_guided: Tensor) -> dict[str, float]:
        """Return the errors of both kinds of examples by how many of them a batch has on average.

        So the mean over many batches is the mean error of a kind, and a batch without that kind says 0.
        """
        guided = self._shares.guided if self._material.starts is not None else 0.0
        kinds = {"from_noise": (~is_guided, 1.0 - guided), "from_surface": (is_guided, guided)}
        return {
            name: float(errors[which].sum()) / (share * len(errors)) for name, (which, share) in kinds.items() if share
        }


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return PyTorch's scaled dot product attention of (rows, heads, tokens, head size), on the CPU by plain products.

    There PyTorch's own take twice as long, forward and backward: the fused one is slow backwards, and the plain one multiplies
    half precision in float32.
    """
    if query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value, mask)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
    if mask is not None:
        scores = scores + torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, torch.finfo(scores.dtype).min)
    return torch.matmul(scores.softmax(dim=-1), value)


def _tensor(values: Halves) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))

"""The MMDiT as engines see it: tensors by name in, velocities out, of any number of rows, tokens and words.

What an engine cannot do well stays outside: patches, positions and what is remembered between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from joyai_ros.imagination.mmdit.denoiser import TokenBatch, TorchDenoiser
from joyai_ros.imagination.mmdit.tokens import Rotary, rotary

INPUTS = ("tokens", "timestep", "text", "mask", "cos", "sin")
OUTPUT = "velocity"
# The free axes of each input by name, None where a size is the network's own; an exporter takes these.
AXES: Mapping[str, tuple[str | None, ...]] = {
    "tokens": ("rows", "tokens", None),
    "timestep": ("rows",),
    "text": ("rows", "words", None),
    "mask": ("rows", "tokens+words"),
    "cos": ("tokens", None),
    "sin": ("tokens", None),
}


class TokenNetwork(nn.Module):
    """The network as a module that can be exported; its inputs are :data:`INPUTS`."""

    def __init__(self, transformer: Any, compiler: str | None = None) -> None:
        """Take diffusers' transformer, and what compiles its blocks, as :class:`TorchDenoiser` does."""
        super().__init__()
        self.transformer = transformer
        self._denoiser = TorchDenoiser(transformer, compiler)

    def forward(self, tokens: Tensor, timestep: Tensor, text: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return the (rows, image tokens, token size) float32 velocities; see :class:`TokenBatch` for the shapes."""
        return self._denoiser(TokenBatch(tokens, timestep, text, mask, Rotary(cos, sin), ()))


def example_inputs(config: Any, rows: int, grid: tuple[int, int], words: int, seed: int = 0) -> dict[str, Tensor]:
    """Return random inputs of the network: for exports, and for comparing an engine with PyTorch.

    Args:
        config: of the transformer.
        rows: how many; the last one has a text that is three tokens shorter.
        grid: rows and columns of patches of the view, and of its one reference.
        words: tokens of text, four or more.
        seed: of the values.
    """
    draw = torch.Generator().manual_seed(seed)
    head = config.hidden_size // config.num_attention_heads
    at = rotary([grid, grid], config.rope_dim_list or [head // 3] * 3, config.theta, torch.device("cpu"))
    mask = torch.ones((rows, len(at.cos) + words), dtype=torch.bool)
    mask[-1, -3:] = False
    values = (
        torch.randn((rows, len(at.cos), config.in_channels * config.patch_size[1] ** 2), generator=draw),
        1000 * torch.rand(rows, generator=draw),
        torch.randn((rows, words, config.text_dim), generator=draw),
        *(mask, at.cos, at.sin),
    )
    return dict(zip(INPUTS, values, strict=True))


class EngineDenoiser:
    """A denoiser whose network is run by an engine."""

    def __init__(self, run: Callable[[Mapping[str, Tensor]], Tensor], words: int = 1) -> None:
        """Take the engine's call, and of how many words the length of a text is a multiple.

        Args:
            run: from tensors by the names of :data:`INPUTS` to the velocities.
            words: texts are filled up to it, so that prompts of nearly the same length have the same sizes.
        """
        self._run = run
        self._words = words

    def __call__(self, batch: TokenBatch) -> Tensor:
        """See :class:`denoiser.Denoiser`; an engine always has a mask, so that one graph serves all batches."""
        mask = batch.mask
        if mask is None:
            keys = batch.tokens.shape[1] + batch.text.shape[1]
            mask = torch.ones((len(batch.tokens), keys), dtype=torch.bool, device=batch.tokens.device)
        filling = -batch.text.shape[1] % self._words
        text, mask = functional.pad(batch.text.float(), (0, 0, 0, filling)), functional.pad(mask, (0, filling))
        values = (batch.tokens, batch.timestep, text, mask, batch.rotary.cos, batch.rotary.sin)
        return self._run(dict(zip(INPUTS, values, strict=True)))

"""The small MMDiT in token space, and inputs for it of any size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.small_pipeline import small_transformer
from joyai_ros.imagination.mmdit.token_network import INPUTS, TokenNetwork
from joyai_ros.imagination.mmdit.tokens import rotary

EXAMPLE = (2, (3, 4), 7)
# Rows, patches of each of two images, words: three resolutions, two batch sizes, three lengths of text.
SAMPLES = [(1, (4, 4), 5), (2, (4, 4), 9), (1, (8, 6), 23), (2, (12, 12), 23)]


def small_network(half: bool = False, **config) -> TokenNetwork:
    torch.manual_seed(0)
    transformer = small_transformer(**({"num_layers": 2} | config)).requires_grad_(False)
    if half:
        transformer.half()
        for name, module in transformer.named_modules():
            if name.rpartition(".")[2] in transformer._keep_in_fp32_modules:  # as when diffusers loads it
                module.float()
    return TokenNetwork(transformer).eval()


def inputs(rows: int, grid: tuple[int, int], words: int, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs; the last row has a shorter text."""
    draw = torch.Generator().manual_seed(seed)
    at = rotary([grid, grid], [8, 8, 8], 10000.0, torch.device("cpu"))
    mask = torch.ones((rows, len(at.cos) + words), dtype=torch.bool)
    mask[-1, -3:] = False
    values = (
        torch.randn((rows, len(at.cos), 64), generator=draw),
        1000 * torch.rand(rows, generator=draw),
        torch.randn((rows, words, 192), generator=draw),
        *(mask, at.cos, at.sin),
    )
    return dict(zip(INPUTS, values, strict=True))


def samples() -> list[dict[str, Tensor]]:
    return [inputs(*shape, seed) for seed, shape in enumerate(SAMPLES, start=1)]


def by_name(network: nn.Module):
    return lambda values: network(**values)

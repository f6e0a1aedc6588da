"""A vision encoder with more layers that begins as computing what it did with fewer."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import torch

from joyai_ros.errors import ConfigError


def deep_places(layers: int) -> list[int]:
    """Return after which of an encoder's layers what it sees enters the language model's first ones, too."""
    return sorted({layers // 3, 2 * layers // 3})


def deepen_vision(model: Any, layers: int) -> None:
    """Put layers into a model's vision encoder that begin as doing nothing: copies of others whose outputs are zero.

    Training goes on from where it was (Chen et al. 2016, Net2Net, there with layers that are the identity).

    Args:
        model: ``Qwen3VLForConditionalGeneration``; changed, with its config.
        layers: that it then has.

    Raises:
        ConfigError: it has more already, or they cannot be spread over it.
    """
    visual, config = model.model.visual, model.config.vision_config
    blocks, places = list(visual.blocks), deep_places(layers)
    before, after = _sizes(config.deepstack_visual_indexes, len(blocks)), _sizes(places, layers)
    if len(before) != len(after) or any(has < had for had, has in zip(before, after, strict=True)):
        raise ConfigError(
            f"a vision encoder of {len(blocks)} layers cannot have {layers}; set vision_layers higher, or to 0"
        )
    found: list[Any] = []
    for had, has in zip(before, after, strict=True):
        found += blocks[:had]
        found += [_idle(found[-1]) for _ in range(has - had)]
        blocks = blocks[had:]
    visual.blocks = torch.nn.ModuleList(found)
    config.depth, config.deepstack_visual_indexes = layers, places
    visual.deepstack_visual_indexes = places


def _sizes(places: list[int], layers: int) -> list[int]:
    """Return how many layers there are up to each place, and after the last."""
    ends = [0, *(place + 1 for place in places), layers]
    return [end - start for start, end in itertools.pairwise(ends)]


def _idle(block: Any) -> Any:
    """Return a copy of a layer that adds nothing to what goes through it."""
    idle = copy.deepcopy(block)
    with torch.no_grad():
        for last in (idle.attn.proj, idle.mlp.linear_fc2):
            last.weight.zero_()
            last.bias.zero_()
    return idle

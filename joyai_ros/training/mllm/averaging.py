"""A vision encoder that is the mean of several: it sees better than each of them what none has learned by heart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from joyai_ros.errors import ConfigError

_SIZES = (
    *("depth", "hidden_size", "intermediate_size", "num_heads", "out_hidden_size"),
    *("patch_size", "spatial_merge_size", "temporal_patch_size", "num_position_embeddings", "deepstack_visual_indexes"),
)


def check_same_sizes(model: Any, folder: Path) -> None:
    """Refuse a model whose vision encoder cannot be averaged with another's.

    Args:
        model: ``Qwen3VLForConditionalGeneration``.
        folder: of the other.

    Raises:
        ConfigError: its encoder has other sizes.
    """
    own = model.config.vision_config.to_dict()
    other = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("vision_config", {})
    unlike = [name for name in _SIZES if own.get(name) != other.get(name)]
    if unlike:
        raise ConfigError(
            f"vision_mean names {folder}, whose vision encoder differs in {', '.join(unlike)}; leave that model out"
        )


def average_vision(model: Any, others: Sequence[tuple[Any, float]]) -> None:
    """Make a model's vision encoder the mean of its own and others', weight by weight.

    Of trainings that began with each other the mean errs less than each (Wortsman et al. 2022, Model soups).

    Args:
        model: ``Qwen3VLForConditionalGeneration``; changed.
        others: models whose encoders are of the same sizes, and the share of each; what they leave is its own.
    """
    own = model.model.visual.state_dict()
    mean = {name: (1.0 - sum(share for _, share in others)) * weight for name, weight in own.items()}
    for other, share in others:
        for name, weight in other.model.visual.state_dict().items():
            mean[name] = mean[name] + share * weight.to(mean[name])
    with torch.no_grad():
        model.model.visual.load_state_dict({name: weight.to(own[name].dtype) for name, weight in mean.items()})

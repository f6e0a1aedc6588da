"""A model that is the mean of several: it knows better than each of them what none has learned by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from joyai_ros.errors import ConfigError

_EYES = "model.visual."
_SIZES: Mapping[str, tuple[str, ...]] = {
    "vision_config": (
        *("depth", "hidden_size", "intermediate_size", "num_heads", "out_hidden_size"),
        *("patch_size", "spatial_merge_size", "temporal_patch_size", "num_position_embeddings"),
        "deepstack_visual_indexes",
    ),
    "text_config": (
        *("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"),
        *("head_dim", "vocab_size"),
    ),
}


def check_alike(model: Any, base: Path, folder: Path, whole: bool) -> None:
    """Refuse a model that cannot be averaged with another.

    Args:
        model: ``Qwen3VLForConditionalGeneration``.
        base: folder it was loaded from.
        folder: of the other.
        whole: all weights are averaged, not the vision encoder's alone.

    Raises:
        ConfigError: what is averaged has other sizes there, or other tokens.
    """
    parts = {"vision_config": "vision encoder", **({"text_config": "language model"} if whole else {})}
    others = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for part, called in parts.items():
        own, other = getattr(model.config, part).to_dict(), others.get(part, {})
        unlike = [name for name in _SIZES[part] if own.get(name) != other.get(name)]
        if unlike:
            raise ConfigError(
                f"mean names {folder}, whose {called} differs in {', '.join(unlike)}; leave that model out"
            )
    if whole and _tokens(base) != _tokens(folder):
        raise ConfigError(
            f"mean names {folder}, whose tokens are others; set its whole to false, or leave that model out"
        )


def _tokens(folder: Path) -> Any:
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]


def average(model: Any, others: Sequence[tuple[Any, float, bool]]) -> None:
    """Make a model the mean of its own and others', weight by weight.

    Of trainings that began with each other the mean errs less than each (Wortsman et al. 2022, Model soups).

    Args:
        model: ``Qwen3VLForConditionalGeneration``; changed.
        others: models of the same sizes, the share of each, and whether it is of all weights or of the vision
            encoder's alone; what the shares leave is its own.
    """
    weights = [(dict(other.named_parameters()), share, whole) for other, share, whole in others]
    with torch.no_grad():
        for name, own in model.named_parameters():
            used = [(named[name], share) for named, share, whole in weights if whole or name.startswith(_EYES)]
            mean = (1.0 - sum(share for _, share in used)) * own
            for weight, share in used:
                mean = mean + share * weight.to(own)
            own.copy_(mean)

"""Low-rank changes of a model's layers."""

from __future__ import annotations

from typing import Any

from joyai_ros.training.mllm.config import LoraSettings

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")
_VISION = r".*visual\.(blocks|merger|deepstack_merger_list)\..*\b(qkv|proj|linear_fc1|linear_fc2)"


def with_lora(model: Any, settings: LoraSettings) -> Any:
    """Return peft's wrapper of a ``Qwen3VLForConditionalGeneration``, in which the changes alone are trained.

    Without a rank it is the model itself.
    """
    if not settings.rank:
        return model
    from peft import LoraConfig, get_peft_model

    layers = "|".join(_ATTENTION + _MLP if settings.mlp else _ATTENTION)
    language = rf".*language_model.*\.({layers})"
    how = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=f"{language}|{_VISION}" if settings.vision else language,
    )
    return get_peft_model(model, how)


def merged(module: Any, settings: LoraSettings) -> Any:
    """Return the model with the changes in its weights."""
    return module.merge_and_unload() if settings.rank else module

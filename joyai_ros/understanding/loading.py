"""A Qwen3-VL folder into memory: safetensors alone, no remote code, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from joyai_ros.models.devices import device_of, dtype_of
from joyai_ros.models.precision import Weights
from joyai_ros.models.shared import Way, shared_model
from joyai_ros.models.weight_only import quantize_layers
from joyai_ros.understanding.backend import ModelError
from joyai_ros.understanding.config import Attention, Loading
from joyai_ros.understanding.vision import quicken


def load_model(folder: Path, how: Loading) -> Any:
    """Return ``Qwen3VLForConditionalGeneration`` from a folder, ready to answer.

    Raises:
        ModelError: the folder is not one of such a model, or the settings do not go together.
        ConfigError: there is no such device.
    """
    from transformers import Qwen3VLForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    device = _checked_device(how)
    is_whole = how.weights is Weights.FULL
    disable_progress_bar()  # type: ignore[no-untyped-call]  # its bars would stand in the logs of nodes
    kind: Any = Qwen3VLForConditionalGeneration
    try:
        model, info = kind.from_pretrained(
            folder,
            dtype=dtype_of(how.precision.value, device),
            attn_implementation=how.attention.value,
            # Weights that will be smaller are made so before they go to the device.
            device_map=("auto" if how.device == "spread" else str(device)) if is_whole else "cpu",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the model in {folder} cannot be loaded: {reason}; check the folder") from error
    if info["missing_keys"]:  # the library would fill them with random numbers
        missing = sorted(info["missing_keys"])[0]
        raise ModelError(f"the model in {folder} lacks the tensor {missing}, among others; pull it again")
    if not is_whole:
        quantize_layers(model.model.language_model.layers, how.weights)
        model.to(device)
    # What moves weights between devices hangs on the forward passes, which are left alone then.
    if how.attention is Attention.SDPA and how.device != "spread":
        quicken(model.model.visual)
    return model.eval()


def load_shared(folder: Path, how: Loading) -> Any:
    """Return the same for who changes nothing in it: the copy that this process has of these weights, or a new one.

    Raises:
        ModelError: as :func:`load_model`.
        ConfigError: there is no such device.
    """
    device = _checked_device(how)
    named = "spread" if how.device == "spread" else str(device)
    way = Way(named, dtype_of(how.precision.value, device), how.weights, how.attention.value)
    return shared_model(folder, way, lambda: load_model(folder, how))


def _checked_device(how: Loading) -> torch.device:
    """Return the device on which inputs come; settings that do not go together are refused."""
    if how.compile and not how.static_cache:
        raise ModelError("compile needs static_cache: a step is compiled for memory of fixed size; set both")
    if how.weights is not Weights.FULL and how.device == "spread":
        raise ModelError("fp8, int8 and int4 weights are not spread over devices; name one device")
    return device_of("auto" if how.device == "spread" else how.device)


def stop_tokens(model: Any, processor: Any) -> list[int]:
    """Return the tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = processor.tokenizer.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends)

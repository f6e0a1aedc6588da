"""Whether a folder's tensors have the names and shapes that its configuration asks for; no weight is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.pipeline_folder import PLUS
from joyai_ros.models.weight_files import Tensor


def meta_model(config: Any) -> Any:
    """Return ``Qwen3VLForConditionalGeneration`` of a configuration on the meta device: shapes without memory."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config)


def expected_shapes(config: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that a configuration asks for; tied ones under their first name."""
    model = meta_model(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop("lm_head.weight", None)
    return shapes


def expected_pipeline_shapes(folder: Path, kind: str) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shape of each tensor that the configurations of a pipeline's parts ask for.

    Args:
        folder: of the pipeline.
        kind: ``pipeline_folder.EDIT`` or ``pipeline_folder.PLUS``.

    Raises:
        ModelFolderError: a configuration is none.
    """
    import torch
    from diffusers import AutoencoderKLWan
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel
    from diffusers.models.transformers.transformer_joyimage_edit_plus import JoyImageEditPlusTransformer3DModel

    mmdit: Any = JoyImageEditPlusTransformer3DModel if kind == PLUS else JoyImageEditTransformer3DModel
    shapes = {"text_encoder": expected_shapes(read_config(folder / "text_encoder"))}
    for part, network in {"transformer": mmdit, "vae": AutoencoderKLWan}.items():
        try:
            with torch.device("meta"):
                model = network.from_config(json.loads((folder / part / "config.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ModelFolderError(f"{folder / part / 'config.json'} is no configuration of it: {reason}") from error
        shapes[part] = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return shapes


def compare_shapes(folder: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare what the weights' headers say with what the configuration asks for.

    Raises:
        ModelFolderError: the first tensor that is missing or has another shape.
    """
    for name, shape in expected.items():
        if name not in tensors:
            raise ModelFolderError(f"{folder} lacks the tensor {name} that its config.json asks for; pull it again")
        if tensors[name].shape != shape:
            raise ModelFolderError(
                f"{folder}: the tensor {name} has shape {tensors[name].shape} where config.json asks for {shape}; "
                "configuration and weights are of different models"
            )


def read_config(folder: Path) -> Any:
    """Return a folder's ``Qwen3VLConfig``.

    Raises:
        ModelFolderError: ``config.json`` is not one.
    """
    from transformers import Qwen3VLConfig

    try:
        return Qwen3VLConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ModelFolderError(f"{folder / 'config.json'} is no Qwen3-VL configuration: {reason}") from error

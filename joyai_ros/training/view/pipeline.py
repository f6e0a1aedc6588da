"""The parts of a pipeline in training: from a folder, and into one that diffusers itself loads."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch

from joyai_ros.errors import InputError, OutputError
from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.models.pipeline_folder import EDIT, INDEX
from joyai_ros.training.mllm.config import Kept
from joyai_ros.training.view.scratch import Parts

_NETWORKS = ("transformer", "vae", "text_encoder")
# Where a LoRA stands, by the names of diffusers' JoyImage blocks.
_LORA = ["img_attn_qkv", "img_attn_proj", "txt_attn_qkv", "txt_attn_proj", "img_mlp.net.0.proj", "img_mlp.net.2"]


def loaded_parts(folder: Path) -> Parts:
    """Return the parts of a pipeline's folder, in float32, to be trained.

    Raises:
        ModelFolderError: the folder is not one of such a pipeline.
        InputError: it is the pipeline for several references.
    """
    found = load_pipeline(folder, PipelineLoading(precision="float32", device="cpu"))
    if found.kind != EDIT:
        raise InputError(f"{folder} holds a pipeline for several references; only one for one reference can be trained")
    for network in (found.transformer, found.vae):
        network.requires_grad_(True)
    return Parts(found.transformer, found.vae, found.text_encoder, found.processor, found.scheduler)


def write_pipeline(parts: Parts, folder: Path, kept: Kept) -> None:
    """Write the parts as diffusers' pipeline, whole or not at all; what stood there goes.

    Raises:
        OutputError: it cannot be written.
    """
    from diffusers import JoyImageEditPipeline
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    dtype = getattr(torch, kept.value)
    kind: Any = JoyImageEditPipeline
    verbosity = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()  # that some layers are better run in float32 is for who runs them
    try:
        halved = {name: copy.deepcopy(getattr(parts, name)).to(dtype).eval() for name in _NETWORKS}
    finally:
        diffusers.utils.logging.set_verbosity(verbosity)
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        pipeline = kind(
            **halved, tokenizer=parts.processor.tokenizer, processor=parts.processor, scheduler=parts.scheduler
        )
        pipeline.save_pretrained(partial, safe_serialization=True)
        # It may be a subclass of ours, without a video processor, which any installation loads as the stock one.
        index = json.loads((partial / INDEX).read_text(encoding="utf-8"))
        index["processor"] = ["transformers", "Qwen3VLProcessor"]
        (partial / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}); make room and run it again"
        ) from error


def with_lora(transformer: Any, rank: int) -> None:
    """Give the MMDiT's blocks a LoRA of this rank; only its weights want a gradient then."""
    from peft import LoraConfig, inject_adapter_in_model

    transformer.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=_LORA), transformer)


def merge_lora(transformer: Any) -> None:
    """Put the weights of the LoRA into those that they stand beside."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(transformer.named_modules()):
        if isinstance(layer, LoraLayer):
            merged: Any = layer
            merged.merge()
            owner, _, own = name.rpartition(".")
            setattr(transformer.get_submodule(owner), own, merged.get_base_layer())

"""What a run leaves: an ordinary ``from_pretrained`` folder, and its card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError

from joyai_ros.errors import OutputError
from joyai_ros.models.folder import ARCHITECTURE
from joyai_ros.training.mllm.config import Kept

# What a folder holds besides weights and their configuration, by any of the names that transformers gave it.
_PROCESSOR = (
    *(
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
    ),
    *("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"),
    *("chat_template.jinja", "chat_template.json"),
)


def write_model(model: Any, processor_folder: Path, folder: Path, kept: Kept) -> None:
    """Write the folder, whole or not at all.

    Args:
        model: ``Qwen3VLForConditionalGeneration``; is changed to the type in which it is written.
        processor_folder: whose tokenizer and image processor it has.
        folder: is replaced.
        kept: type of the weights.

    Raises:
        OutputError: it cannot be written.
    """
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        model.to(getattr(torch, kept.value)).save_pretrained(partial, safe_serialization=True)
        for name in _PROCESSOR:
            if (processor_folder / name).is_file():
                shutil.copyfile(processor_folder / name, partial / name)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise OutputError(
            f"the model cannot be written to {folder} ({reason}); the training is whole: make room and run the same "
            "command again"
        ) from error


def write_card(
    path: Path,
    name: str,
    what: str,
    kept: Kept,
    parameters: int,
    training: Mapping[str, Any],
    architecture: str = ARCHITECTURE,
    listing: bool = False,
) -> None:
    """Write the card of a trained model; its scores are empty until somebody fills them in from ``joyai-ros eval``.

    Args:
        path: YAML file.
        name: of the model; the file must be called like it where cards are looked for.
        what: one sentence.
        kept: type of the weights.
        parameters: how many.
        training: what it was trained on and how.
        architecture: class of the model or pipeline.
        listing: whether it lists what it sees before it answers.

    Raises:
        OutputError: it cannot be written.
    """
    content = {
        "name": name,
        "what": what,
        "licence": None,
        "architecture": architecture,
        "dtype": kept.value,
        "repository": None,
        "parameters": parameters,
        "confidence": None,
        "listing": listing,
        "training": dict(training),
        "scores": {},
    }
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})") from error

"""Whether a folder holds a whole JoyImage pipeline that is safe to load; nothing is loaded to find out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.models.errors import PipelineFolderError
from joyai_ros.models.folder import LOCK, compare_lock
from joyai_ros.models.weight_files import Tensor, read_weights, refuse_pickles

INDEX = "model_index.json"
EDIT = "JoyImageEditPipeline"  # none or one reference, of the size of the image
PLUS = "JoyImageEditPlusPipeline"  # up to five references of any size
_TRANSFORMERS = {EDIT: "JoyImageEditTransformer3DModel", PLUS: "JoyImageEditPlusTransformer3DModel"}
_PARTS = {
    "scheduler": "FlowMatchEulerDiscreteScheduler",
    "vae": "AutoencoderKLWan",
    "text_encoder": "Qwen3VLForConditionalGeneration",
    "processor": "Qwen3VLProcessor",
}
# What a download needs: these, and the tokenizer apart from the processor, which diffusers itself asks for.
PART_FOLDERS = ("transformer", *_PARTS, "tokenizer")
_CONFIGS = {"scheduler": "scheduler_config.json", "processor": "tokenizer.json"}
_WEIGHTS = {"transformer": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


@dataclass(frozen=True)
class PipelineFolder:
    """A folder that can be loaded.

    Attributes:
        folder: where it is.
        kind: :data:`EDIT` or :data:`PLUS`.
        size: bytes of weights of each part that has any.
        tensors: of each part that has any, by name.
        hashed: files whose SHA-256 was compared with the lock file.
    """

    folder: Path
    kind: str
    size: Mapping[str, int]
    tensors: Mapping[str, Mapping[str, Tensor]]
    hashed: int

    def parameters(self, part: str, below: str = "") -> int:
        """Return how many weights a part has, or those whose names begin so; 0 where it has none."""
        held = self.tensors.get(part, {})
        return sum(math.prod(tensor.shape) for name, tensor in held.items() if name.startswith(below))


def check_pipeline(
    folder: Path, text_encoder: bool = True, hashes: bool = False, on_file: Callable[[str], None] | None = None
) -> PipelineFolder:
    """Check a pipeline's folder without loading it.

    Args:
        folder: as ``save_pretrained`` writes it.
        text_encoder: whether the MLLM must be in it; not where another one gives the states.
        hashes: whether to read all files and compare them with the lock file of the download, where there is one.
        on_file: called with each file's name before it is read whole.

    Raises:
        PipelineFolderError: the first thing that is wrong with the pipeline, where, and what to do.
        ModelFolderError: the same of a file of one of its parts.
    """
    kind, index = _read_index(folder)
    expected = {"transformer": _TRANSFORMERS[kind], **_PARTS}
    if not text_encoder:
        del expected["text_encoder"]
    sizes: dict[str, int] = {}
    tensors: dict[str, Mapping[str, Tensor]] = {}
    for part, wanted in expected.items():
        named = index.get(part)
        if not isinstance(named, list) or len(named) != 2 or named[1] != wanted:
            raise PipelineFolderError(f"{folder / INDEX} names {named} as its {part}; only {wanted} can be loaded")
        _check_part(folder / part, part)
        if part in _WEIGHTS:
            weights = read_weights(folder / part, _WEIGHTS[part])
            sizes[part], tensors[part] = weights.size, weights.tensors
    hashed = compare_lock(folder, on_file) if hashes and (folder / LOCK).is_file() else 0
    return PipelineFolder(folder, kind, sizes, tensors, hashed)


def pipeline_kind(folder: Path) -> str:
    """Return which pipeline a folder holds: :data:`EDIT` or :data:`PLUS`; its parts are not looked at.

    Raises:
        PipelineFolderError: it holds none of these.
    """
    return _read_index(folder)[0]


def _read_index(folder: Path) -> tuple[str, Mapping[str, Any]]:
    path = folder / INDEX
    if not folder.is_dir():
        raise PipelineFolderError(f"there is no folder {folder}; pull the model, or give the folder that holds it")
    if not path.is_file():
        raise PipelineFolderError(f"{folder} lacks {INDEX}, so it holds no pipeline; give the folder that does")
    try:
        index = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PipelineFolderError(f"{path} is no JSON mapping ({error}); pull the model again") from error
    kind = index.get("_class_name")
    if kind not in _TRANSFORMERS:
        raise PipelineFolderError(f"{path} names the pipeline {kind}; only {' and '.join(_TRANSFORMERS)} can be loaded")
    return str(kind), index


def _check_part(folder: Path, part: str) -> None:
    config = folder / _CONFIGS.get(part, "config.json")
    if not config.is_file():
        raise PipelineFolderError(f"{folder} lacks {config.name}, so the pipeline has no {part}; pull the model again")
    refuse_pickles(folder)

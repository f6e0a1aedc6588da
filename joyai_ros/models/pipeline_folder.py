"""Whether a folder holds a whole JoyImage pipeline that is safe to load; nothing is loaded to find out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.models.errors import ModelFolderError, PipelineFolderError
from joyai_ros.models.folder import LOCK, PICKLES, Tensor, compare_lock, read_tensors

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
        PipelineFolderError: the first thing that is wrong, where, and what to do.
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
            sizes[part], tensors[part] = _weights(folder / part, part)
    hashed = 0
    if hashes and (folder / LOCK).is_file():
        try:
            hashed = compare_lock(folder, on_file)
        except ModelFolderError as error:
            raise PipelineFolderError(str(error)) from error
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
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            raise PipelineFolderError(
                f"{path} is a pickle, which can run code when it is loaded; only safetensors are used: convert or delete it"
            )


def _weights(folder: Path, part: str) -> tuple[int, Mapping[str, Tensor]]:
    """Return the bytes of a part's weights, and its tensors."""
    shards, promised = _shards(folder, _WEIGHTS[part])
    try:
        held = read_tensors(folder, shards)
    except ModelFolderError as error:
        raise PipelineFolderError(str(error)) from error
    absent = sorted(promised - set(held))
    if absent:
        raise PipelineFolderError(f"{folder}: no file holds the tensor {absent[0]} of its index; pull the model again")
    return sum((folder / name).stat().st_size for name in shards), held


def _shards(folder: Path, stem: str) -> tuple[list[str], set[str]]:
    """Return the files of weights of a part, and the tensors that its index promises."""
    index, single = folder / f"{stem}.safetensors.index.json", f"{stem}.safetensors"
    if not index.is_file():
        if not (folder / single).is_file():
            raise PipelineFolderError(f"{folder} has no weights ({single} or {index.name}); pull the model again")
        return [single], set()
    try:
        weights = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in weights.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PipelineFolderError(f"{index} is no index of weights ({error}); pull the model again") from error
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise PipelineFolderError(f"{index} lists {name!r}, which is no safetensors file of this folder")
        if not (folder / name).is_file():
            raise PipelineFolderError(f"{folder} lacks the shard {name}, one of {len(names)}; pull the model again")
    return names, set(weights)

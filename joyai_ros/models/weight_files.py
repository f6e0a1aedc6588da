"""Files of weights in a folder, as their headers and their index tell of them: safetensors, whole, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from joyai_ros.models.errors import ModelFolderError

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_HEADER_MOST = 100_000_000  # bytes; safetensors' own limit


@dataclass(frozen=True)
class Tensor:
    """What a safetensors header says of one tensor: its type (``BF16``) and its shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class WeightFiles:
    """The weights of a folder.

    Attributes:
        shards: names of the files.
        tensors: what they hold, by name.
        size: bytes of the files.
    """

    shards: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    size: int


def read_weights(folder: Path, stem: str) -> WeightFiles:
    """Return the weights of a folder; only headers and the index are read.

    Args:
        folder: holds ``STEM.safetensors``, or shards and ``STEM.safetensors.index.json``.
        stem: as their writer names them.

    Raises:
        ModelFolderError: a file or a tensor is missing, or a file is no safetensors file.
    """
    shards, promised = _shards(folder, stem)
    tensors = read_tensors(folder, shards)
    absent = sorted(promised - set(tensors))
    if absent:
        raise ModelFolderError(f"{folder}: no file holds the tensor {absent[0]} of its index; pull the model again")
    return WeightFiles(tuple(shards), tensors, sum((folder / name).stat().st_size for name in shards))


def read_tensors(folder: Path, shards: Iterable[str]) -> dict[str, Tensor]:
    """Return what the headers of safetensors files say of their tensors; no weight is read.

    Raises:
        ModelFolderError: a file is cut off, or no safetensors file.
    """
    found: dict[str, Tensor] = {}
    for name in shards:
        path = folder / name
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > _HEADER_MOST:
                    raise ValueError(f"a header of {length} bytes")
                header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            tensors = {key: Tensor(entry["dtype"], tuple(entry["shape"])) for key, entry in header.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ModelFolderError(f"{path} is no safetensors file ({error}); pull the model again") from error
        if path.stat().st_size != 8 + length + end:
            raise ModelFolderError(
                f"{path} has {path.stat().st_size} bytes where its header says {8 + length + end}; pull the model again"
            )
        found.update(tensors)
    return found


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder with files that can run code.

    Raises:
        ModelFolderError: there is one.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            raise ModelFolderError(
                f"{path} is a pickle, which can run code when it is loaded; only safetensors are used: convert or delete it"
            )


def _shards(folder: Path, stem: str) -> tuple[list[str], set[str]]:
    """Return the files of weights, and the tensors that the index promises."""
    index, single = folder / f"{stem}.safetensors.index.json", f"{stem}.safetensors"
    if not index.is_file():
        if not (folder / single).is_file():
            raise ModelFolderError(f"{folder} has no weights ({single} or {index.name}); pull the model again")
        return [single], set()
    try:
        weights = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in weights.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"{index} is no index of weights ({error}); pull the model again") from error
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelFolderError(f"{index} lists {name!r}, which is no safetensors file of this folder")
        if not (folder / name).is_file():
            raise ModelFolderError(f"{folder} lacks the shard {name}, one of {len(names)}; pull the model again")
    return names, set(weights)

"""Whether a folder holds a whole Qwen3-VL model that is safe to load, and is still what was downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.weight_files import read_weights, refuse_pickles

ARCHITECTURE = "Qwen3VLForConditionalGeneration"
AUTHORS_FOLDER = "JoyAI-Image-Und"  # where JoyAI-Image's authors put the model in their checkpoint
LOCK = "joyai.lock.json"
_TOKENIZER = (("tokenizer.json",), "tokenizer")
_IMAGE_PROCESSOR = (("preprocessor_config.json", "processor_config.json"), "image processor")  # the latter is newer
_CHUNK = 1 << 22


@dataclass(frozen=True)
class FolderReport:
    """What a good folder holds.

    Attributes:
        folder: where the model itself lies.
        architecture: from its ``config.json``.
        shards: names of the files of weights.
        tensors: how many.
        size: bytes of weights.
        hashed: files whose SHA-256 was compared with the lock file; 0 where there is no lock file.
    """

    folder: Path
    architecture: str
    shards: tuple[str, ...]
    tensors: int
    size: int
    hashed: int


def model_folder(path: Path) -> Path:
    """Return the folder of the model: the one given, or the one of the authors' layout inside it."""
    inner = path / AUTHORS_FOLDER
    return inner if not (path / "config.json").is_file() and inner.is_dir() else path


def check_folder(path: Path, hashes: bool = True, on_file: Callable[[str], None] | None = None) -> FolderReport:
    """Check a model's folder without loading it.

    Args:
        path: the folder, or one with the authors' layout.
        hashes: whether to read all weights and compare them with the lock file.
        on_file: called with each file's name before it is read whole.

    Raises:
        ModelFolderError: the first thing that is wrong, where, and what to do.
    """
    if not path.is_dir():
        raise ModelFolderError(f"there is no folder {path}; pull the model, or give the folder that holds it")
    folder = model_folder(path)
    architecture = _architecture(folder)
    refuse_pickles(folder)
    for names, what in (_TOKENIZER, _IMAGE_PROCESSOR):
        if not any((folder / name).is_file() for name in names):
            raise ModelFolderError(f"{folder} lacks {names[0]}, its {what}; pull the model again")
    if not _has_chat_template(folder):
        raise ModelFolderError(f"{folder} has no chat template (chat_template.jinja); pull the model again")
    weights = read_weights(folder, "model")
    hashed = compare_lock(folder, on_file) if hashes and (folder / LOCK).is_file() else 0
    return FolderReport(folder, architecture, weights.shards, len(weights.tensors), weights.size, hashed)


def write_lock(folder: Path, repository: str, revision: str) -> None:
    """Record the size and SHA-256 of every file of a folder, and where they came from."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    content = {
        "repository": repository,
        "revision": revision,
        "files": {
            path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256(path)} for path in files
        },
    }
    (folder / LOCK).write_text(json.dumps(content, indent=1) + "\n")


def read_lock(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's lock file.

    Raises:
        ModelFolderError: it cannot be read.
    """
    try:
        content = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        if not isinstance(content["files"], dict):
            raise TypeError("files is no mapping")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder / LOCK} cannot be read ({error}); pull the model again") from error
    return dict(content)


def known_hashes(root: Path, paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield files with their SHA-256: of a download, as noted when they came, where their sizes are still the same.

    Args:
        root: where a lock file may lie.
        paths: of files below it.
    """
    noted = read_lock(root)["files"] if (root / LOCK).is_file() else {}
    for path in paths:
        known = noted.get(path.relative_to(root).as_posix(), {})
        yield path, known["sha256"] if known.get("size") == path.stat().st_size else sha256(path)


def compare_lock(folder: Path, on_file: Callable[[str], None] | None = None) -> int:
    """Compare every file with the lock file and return how many there are.

    Raises:
        ModelFolderError: a file is missing or has changed since the download.
    """
    files = read_lock(folder)["files"]
    for name, recorded in files.items():
        path = folder / name
        if on_file is not None:
            on_file(name)
        if not path.is_file():
            raise ModelFolderError(f"{folder} lacks {name}, which its lock file lists; pull the model again")
        if path.stat().st_size != recorded["size"] or sha256(path) != recorded["sha256"]:
            raise ModelFolderError(f"{path} is not what was downloaded (its SHA-256 differs); pull the model again")
    return len(files)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _architecture(folder: Path) -> str:
    """Return the architecture that ``config.json`` names, which must be the one that can be loaded."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelFolderError(f"{folder} lacks config.json, so it is no model's folder; give the one that holds it")
    try:
        named = json.loads(path.read_text(encoding="utf-8")).get("architectures") or ["none"]
    except (OSError, ValueError, AttributeError) as error:
        raise ModelFolderError(f"{path} is no JSON mapping ({error}); pull the model again") from error
    if ARCHITECTURE not in named:
        raise ModelFolderError(f"{path} names the architecture {named[0]}; only {ARCHITECTURE} can be loaded")
    return ARCHITECTURE


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return False

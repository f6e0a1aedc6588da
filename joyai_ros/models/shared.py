"""One copy of an MLLM in a process: what answers questions and what tells the MMDiT what to draw may be the same weights."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from joyai_ros.models.folder import LOCK, known_hashes
from joyai_ros.models.precision import Weights

_Stat = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Way:
    """How an MLLM is loaded: the device, the type that it computes in, its weights and its attention."""

    device: str
    dtype: Any
    weights: Weights
    attention: str = "sdpa"


@dataclass(frozen=True)
class _Loaded:
    """A model that lives: where it came from, what its files were then, and how it was loaded."""

    folder: Path
    files: _Stat
    how: Way
    model: ReferenceType[Any]


_CONFIG = "config.json"
_NOTES = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
_LOADING, _ASKING = threading.Lock(), threading.Lock()
_LOADED: list[_Loaded] = []
_LOCKS: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()


def shared_model(folder: Path, how: Way, load: Callable[[], Any]) -> Any:
    """Return the model of a folder: the one that this process has of the same weights, else a new one.

    It is given back when nobody holds it any more. Whoever runs it, does so within :func:`running`, and changes nothing.

    Args:
        folder: with the weights in safetensors.
        how: it is loaded; models that were loaded otherwise are others.
        load: loads it.
    """
    with _LOADING:
        found = _find(folder, how)
        if found is None:
            files = _stat(folder)
            found = load()
            _LOADED.append(_Loaded(folder, files, how, ref(found)))
        return found


def is_loaded(folder: Path, how: Way) -> bool:
    """Return whether this process has the model already."""
    with _LOADING:
        return _find(folder, how) is not None


@contextmanager
def running(model: Any) -> Iterator[None]:
    """Have a model for oneself: what one caller hooks into it, another one's pass would run through."""
    with _ASKING:
        lock = _LOCKS.setdefault(model, threading.Lock())
    with lock:
        yield


def _find(folder: Path, how: Way) -> Any:
    _LOADED[:] = [one for one in _LOADED if one.model() is not None]
    sizes = _weights(_stat(folder))
    for one in _LOADED:
        # What was written over after it was loaded is another model, and cannot be compared any more.
        is_whole = one.how == how and _weights(one.files) == sizes and _stat(one.folder) == one.files
        if is_whole and (one.folder == folder or _content(one.folder) == _content(folder)):
            return one.model()
    return None


def _weights(files: _Stat) -> list[int]:
    return [size for name, size, _ in files if name != _CONFIG]


def _stat(folder: Path) -> _Stat:
    """Return name, size and time of change of the configuration and the files of weights."""
    paths = [*folder.glob(_CONFIG), *sorted(folder.glob("*.safetensors"))]
    found = ((path.name, path.stat()) for path in paths)
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def _content(folder: Path) -> tuple[Any, list[str]]:
    """Return what makes a model: its configuration, and the SHA-256 of the files of weights."""
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None  # loading it will say so
    root = next((one for one in (folder, folder.parent) if (one / LOCK).is_file()), folder)
    return _sizes(config), [digest for _, digest in known_hashes(root, sorted(folder.glob("*.safetensors")))]


def _sizes(value: Any) -> Any:
    """Return a configuration without what says nothing of the network: by whom it was written, and in which type."""
    if isinstance(value, dict):
        return {key: _sizes(inner) for key, inner in value.items() if key not in _NOTES}
    return value

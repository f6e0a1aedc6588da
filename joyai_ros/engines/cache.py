"""Built engines are kept in folders named by everything that they depend on.

A folder holds the engine's files and ``engine.json``, which says what it was built from and what each file's SHA-256
is. It is written as ``<name>.partial`` under a lock and renamed when it is whole, so no reader sees half an engine.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from joyai_ros.engines.errors import EngineError, EngineFileError, ForeignEngineError
from joyai_ros.models.folder import sha256

MANIFEST = "engine.json"
VARIABLE = "JOYAI_ENGINES"


@dataclass(frozen=True)
class EngineKey:
    """What an engine depends on: where one of these differs, it is another engine.

    Attributes:
        weights: SHA-256 of the weights' files.
        shapes: the sizes that it was built for, as text.
        precision: such as ``fp32``, ``fp16`` or ``int8``.
        library: name and version of what built it, such as ``onnxruntime 1.31.1``.
        gpu: architecture that it was built for, such as ``sm89``; ``cpu`` where it needs none.
    """

    weights: str
    shapes: str
    precision: str
    library: str
    gpu: str = "cpu"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value:
                raise EngineError(f"an engine's key needs {name}")

    @property
    def name(self) -> str:
        """Name of the engine's folder."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.gpu}-{self.precision}-{digest[:20]}"


def engines_root() -> Path:
    """Return the folder of all engines of this user: ``$JOYAI_ENGINES``, or one in the user's cache."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "joyai_ros" / "engines"


def cached_engine(cache: Path, key: EngineKey, build: Callable[[Path], None]) -> Path:
    """Return the folder of an engine, which is built where there is none or a broken one.

    Args:
        cache: folder of all engines; is made.
        key: what the engine depends on.
        build: writes the engine's files into the folder that it is given. Where it raises, nothing remains.

    Raises:
        EngineError: it wrote no file.
    """
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / key.name
    with _only_one(cache / f"{key.name}.lock"):
        try:
            return open_engine(folder, key)
        except EngineFileError:
            shutil.rmtree(folder, ignore_errors=True)
        partial = cache / f"{key.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)  # of a build that was cut off
        partial.mkdir()
        try:
            build(partial)
            _write_manifest(partial, key)
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def open_engine(folder: Path, key: EngineKey, hashes: bool = True) -> Path:
    """Return the folder if it holds this engine, whole.

    Args:
        folder: of the engine.
        key: what the engine is to be.
        hashes: whether to read all files and compare them with what was written; otherwise only their sizes are.

    Raises:
        EngineFileError: files are missing or not what was written.
        ForeignEngineError: it is an engine of another key.
    """
    content = _manifest(folder)
    wanted = asdict(key)
    for name, value in wanted.items():
        if content["key"].get(name) != value:
            raise ForeignEngineError(
                f"{folder} was built for {name} {content['key'].get(name)}, not {value}; build an engine for this one"
            )
    for name, written in content["files"].items():
        path = folder / name
        if not path.is_file():
            raise EngineFileError(f"{folder} lacks {name}; build the engine again")
        if path.stat().st_size != written["size"] or (hashes and sha256(path) != written["sha256"]):
            raise EngineFileError(f"{path} is not what was built; build the engine again")
    return folder


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the content of an engine's manifest."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        complete = isinstance(content["key"], dict) and isinstance(content["files"], dict) and content["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineFileError(f"{folder} is no engine: its {MANIFEST} cannot be read ({error}); build it") from error
    if not complete:
        raise EngineFileError(f"{path} lists no key or no files; build the engine again")
    return content


def _write_manifest(folder: Path, key: EngineKey) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise EngineError("the build wrote no file")
    listed = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256(path)} for path in files
    }
    (folder / MANIFEST).write_text(json.dumps({"key": asdict(key), "files": listed}, indent=2) + "\n")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file, and hold it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

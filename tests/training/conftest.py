"""Small stores: made once, copied by tests that break them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from joyai_ros.errors import MissingDependencyError
from joyai_ros.settings import load
from joyai_ros.sim.graphics import open_context

pytest.importorskip("pyarrow", reason="data is stored with pyarrow")

import pyarrow.parquet

from joyai_ros.training.data import tables
from joyai_ros.training.data.build import build_store, simulator_sources
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.store import FILES, SHARDS, Store, size_and_hash, write_manifest

SMALL = (
    "simulator.longest_side=240",
    "shard_scenes=2",
    "split.test=0.4",
    "split.validation=0",
    "questions.per_scene=2",
)


@pytest.fixture(scope="session", autouse=True)
def _drawing() -> None:
    try:
        open_context(64, 48).free()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def small_config() -> DataConfig:
    return load(DataConfig, None, SMALL)


@pytest.fixture(scope="session")
def made_store(tmp_path_factory, small_config) -> Path:
    """Four scenes in shards of two splits; tests that change it take ``store``."""
    folder = tmp_path_factory.mktemp("store") / "made"
    manifest = build_store(folder, simulator_sources(4, 1), 1, small_config)
    assert {entry.split for entry in manifest.shards} == {"train", "test"}
    return folder


@pytest.fixture
def store(made_store, tmp_path) -> Path:
    shutil.copytree(made_store, tmp_path / "store")
    return tmp_path / "store"


def rows_of(folder: Path, shard: str, name: str) -> list[dict]:
    return pyarrow.parquet.read_table(folder / SHARDS / shard / name).to_pylist()


def plant(folder: Path, shard: str, name: str, change: Callable[[list[dict]], None]) -> None:
    """Change the rows of a table and seal it again, so that only the geometry can tell."""
    path = folder / SHARDS / shard / name
    table = pyarrow.parquet.read_table(path)
    rows = table.to_pylist()
    before = json.dumps(rows, default=str)
    change(rows)
    assert json.dumps(rows, default=str) != before, "nothing was planted"
    schema = dict(zip(FILES, (tables.FRAMES, tables.OBJECTS, tables.ITEMS, tables.PAIRS), strict=True))[name]
    pyarrow.parquet.write_table(type(table).from_pylist(rows, schema), path)
    seal(folder)


def seal(folder: Path) -> None:
    """Write the sizes and hashes of all tables, as they are now, into the manifest."""
    manifest = Store(folder).manifest
    entries = [
        replace(entry, files={name: size_and_hash(folder / SHARDS / entry.name / name) for name in FILES})
        for entry in manifest.shards
    ]
    write_manifest(folder, replace(manifest, shards=tuple(entries)))

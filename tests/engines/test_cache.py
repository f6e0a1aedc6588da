"""Engines are built once, whole or not at all, and never taken for others."""

import json
import multiprocessing
from dataclasses import fields, replace

import pytest

from joyai_ros.engines.cache import MANIFEST, EngineKey, cached_engine, open_engine
from joyai_ros.engines.errors import EngineError, EngineFileError, ForeignEngineError

KEY = EngineKey("abc", "rows 1..4", "fp32", "onnxruntime 1.31.1")


def write(folder):
    (folder / "engine.onnx").write_bytes(b"weights" * 1000)
    with (folder.parent / "builds").open("a") as file:
        file.write("built\n")


def builds(cache):
    return len((cache / "builds").read_text().splitlines())


def test_an_engine_is_built_once(tmp_path):
    folder = cached_engine(tmp_path / "cache", KEY, write)
    assert cached_engine(tmp_path / "cache", KEY, write) == folder == open_engine(folder, KEY)
    assert builds(tmp_path / "cache") == 1
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "engine.onnx"]
    assert json.loads((folder / MANIFEST).read_text())["key"]["library"] == "onnxruntime 1.31.1"


@pytest.mark.parametrize("field", [field.name for field in fields(EngineKey)])
def test_each_part_of_the_key_makes_another_engine(field, tmp_path):
    other = replace(KEY, **{field: "sm89"})
    folder = cached_engine(tmp_path, KEY, write)
    assert cached_engine(tmp_path, other, write) != folder
    with pytest.raises(ForeignEngineError, match=f"built for {field} .* not sm89"):
        open_engine(folder, other)
    with pytest.raises(EngineError, match=f"needs {field}"):
        replace(KEY, **{field: ""})


def shorten(folder):
    (folder / "engine.onnx").write_bytes(b"weights")


def flip(folder):
    content = bytearray((folder / "engine.onnx").read_bytes())
    content[100] ^= 1
    (folder / "engine.onnx").write_bytes(content)


BREAKS = {
    "a file is cut off": shorten,
    "a bit is another": flip,
    "a file is missing": lambda folder: (folder / "engine.onnx").unlink(),
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "a manifest that is cut off": lambda folder: (folder / MANIFEST).write_text('{"key": {'),
    "a manifest of something else": lambda folder: (folder / MANIFEST).write_text("[]"),
    "a manifest of nothing": lambda folder: (folder / MANIFEST).write_text('{"key": {}, "files": {}}'),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_engine_is_refused_and_built_again(case, tmp_path):
    folder = cached_engine(tmp_path, KEY, write)
    BREAKS[case](folder)
    with pytest.raises(EngineFileError, match="build"):
        open_engine(folder, KEY)
    open_engine(cached_engine(tmp_path, KEY, write), KEY)
    assert builds(tmp_path) == 2


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def fail(folder):
        write(folder)
        raise EngineError("out of memory")

    with pytest.raises(EngineError, match="out of memory"):
        cached_engine(tmp_path, KEY, fail)
    with pytest.raises(EngineError, match="no file"):
        cached_engine(tmp_path, KEY, lambda folder: None)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    (tmp_path / f"{KEY.name}.partial").mkdir()  # of a process that was killed
    (tmp_path / f"{KEY.name}.partial" / "old").write_text("half")
    assert not (cached_engine(tmp_path, KEY, write) / "old").exists()


def test_two_processes_build_one_engine(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=cached_engine, args=(tmp_path, KEY, write)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert builds(tmp_path) == 1

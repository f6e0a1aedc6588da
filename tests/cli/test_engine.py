"""Engines on the command line: exported, built, checked and timed; what is foreign or broken is refused."""

import json
import shutil

import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the graphs")
pytest.importorskip("onnxscript", reason="torch.onnx writes graphs with onnxscript")

import cv2
import numpy as np
import onnx

from joyai_ros.cli.main import run
from joyai_ros.engines.config import EngineConfig, EngineKind, EnginePrecision
from joyai_ros.engines.session import OnnxSession
from joyai_ros.engines.tensorrt_build import tensorrt_library
from joyai_ros.errors import MissingDependencyError
from joyai_ros.imagination import engine_files
from joyai_ros.imagination.engine_files import GRAPH, PLAN, Source, compare
from joyai_ros.models.pipeline_folder import check_pipeline


@pytest.fixture
def engines(built_engine, tmp_path, monkeypatch):
    """The user's cache, with the engine of the pipeline with one block."""
    cache = shutil.copytree(built_engine.parent, tmp_path / "engines")
    monkeypatch.setenv("JOYAI_ENGINES", str(cache))
    return cache


def told(tmp_path, *words):
    file = tmp_path / "told.json"
    assert run(["engine", *words, "--json", str(file)]) == 0
    return json.loads(file.read_text())


def refused(capsys, *words):
    assert run(["engine", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    said = [line for line in error if not line.endswith(" ...")]  # what was being done
    assert len(said) == 1
    return said[0]


@pytest.fixture(scope="module")
def half_graph(one_block_folder, tmp_path_factory):
    """The decomposed graph in 16 bits, as the command writes it."""
    out, told = tmp_path_factory.mktemp("graphs"), tmp_path_factory.mktemp("told") / "told.json"
    words = ["export", str(one_block_folder), "--form", "decomposed", "--precision", "fp16", "--out", str(out)]
    assert run(["engine", *words, "--json", str(told)]) == 0
    (file,) = json.loads(told.read_text())["files"]
    assert file["path"] == str(out / "decomposed.onnx") and list(out.iterdir()) == [out / "decomposed.onnx"]
    return out / "decomposed.onnx"


def test_export_writes_the_form_that_is_asked_for(half_graph, one_block_folder):
    graph = onnx.load(half_graph)
    assert [entry.version for entry in graph.opset_import] == [20]
    halves = [weight for weight in graph.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT16]
    assert len(halves) > 8
    source = Source(check_pipeline(one_block_folder), EngineConfig(EngineKind.ONNX, precision=EnginePrecision.FP16))
    assert max(one.relative_error for one in compare(source, OnnxSession(half_graph, threads=1))) < 1e-3


def test_what_cannot_be_written_is_one(one_block_folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["engine", "export", str(one_block_folder), "--out", str(tmp_path / "file")]) == 1
    assert f"{tmp_path / 'file'} cannot be written" in capsys.readouterr().err


def test_an_engine_is_built_once_and_found_again(engines, one_block_folder, capsys):
    assert run(["engine", "build", str(one_block_folder)]) == 0
    out = capsys.readouterr()
    assert "fp32 for cpu by onnxruntime" in out.out and "exporting" not in out.err
    assert len([path for path in engines.iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(("precision", "share"), [("int8", 0.6), ("int4", 0.6)])
def test_small_weights_are_built_and_compared(
    precision, share, engines, built_engine, one_block_folder, tmp_path, monkeypatch
):
    # The graph that is made smaller is the one of the engine in 32 bits: exporting is tested elsewhere, and slow.
    monkeypatch.setattr(engine_files, "export_graph", lambda source, to, form: shutil.copy(built_engine / GRAPH, to))
    built = told(tmp_path, "build", str(one_block_folder), "--precision", precision)
    sizes = {file["path"].rpartition("/")[2]: file["size"] for file in built["files"]}
    assert set(sizes) == {GRAPH, "engine.json"}
    assert sizes[GRAPH] < share * (built_engine / GRAPH).stat().st_size
    found = told(tmp_path, "check", str(one_block_folder), "--precision", precision)
    assert len(found["parity"]) == 3 and found["key"]["precision"] == precision
    assert min(parity["relative_error"] for parity in found["parity"]) > 1e-4


def test_check_compares_with_pytorch(engines, one_block_folder, capsys):
    assert run(["engine", "check", str(one_block_folder)]) == 0
    out = capsys.readouterr().out
    assert "whole, and built for these weights" in out and "compared with PyTorch at 3 shapes" in out


def test_bench_says_what_was_timed(engines, one_block_folder, capsys, tmp_path):
    words = ["bench", str(one_block_folder), "--size", "32", "--size", "64", "--repeat", "2"]
    found = told(tmp_path, *words)
    assert [row["size"] for row in found["steps"]] == [32, 64] and found["parameters"] < 1e6
    assert all(row["torch"] > 0 and row["engine"] > 0 for row in found["steps"])
    assert run(["engine", *words]) == 0
    out = capsys.readouterr().out
    assert "a small network, which says nothing of the real one's times" in out and "cores; 1 thread" in out


def test_what_is_no_engine_of_this_is_refused(engines, built_engine, one_block_folder, edit_folder, tmp_path, capsys):
    card = str(one_block_folder)
    assert "there is no engine in" in refused(capsys, "check", card, "--precision", "int8")
    named = ["check", str(edit_folder), "--engine", str(built_engine)]
    assert "was built for weights" in refused(capsys, *named)
    other = shutil.copytree(built_engine, tmp_path / "other")
    manifest = json.loads((other / "engine.json").read_text())
    manifest["key"]["gpu"] = "sm86"
    (other / "engine.json").write_text(json.dumps(manifest))
    assert "was built for gpu sm86, not cpu" in refused(capsys, "check", card, "--engine", str(other))
    broken = shutil.copytree(built_engine, tmp_path / "broken")
    (broken / GRAPH).write_bytes((broken / GRAPH).read_bytes()[:1000])
    assert "is not what was built" in refused(capsys, "bench", card, "--engine", str(broken))
    (broken / "engine.json").write_text("{")
    assert "is no engine" in refused(capsys, "check", card, "--engine", str(broken))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "nothing"], "there is no model card 'nothing'"),
        (["build", "joyai-image-edit"], "the weights of joyai-image-edit are not in"),
        (["build", "{folder}", "--precision", "fp7"], "fp7"),
        (["build", "{folder}", "--target", "sm89", "--provider", "cuda"], "give one of them"),
        (["build", "{folder}", "--target", "sm89", "--precision", "int4"], "does not parse"),
        (["build", "{folder}", "--target", "sm89", "--kind", "tensorrt"], "builds for the machine that it is on"),
        (["build", "{folder}", "--kind", "torch"], "torch"),
        (["export", "{folder}", "--out", "x", "--precision", "int8"], "fp32 or fp16"),
        (["export", "{folder}"], "--out"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_two_and_one_line(words, said, one_block_folder, capsys):
    assert said in refused(capsys, *(word.format(folder=one_block_folder) for word in words))


def test_a_picture_is_drawn_by_the_engine_of_the_settings(engines, one_block_folder, tmp_path, capsys, monkeypatch):
    words = ["generate", "A red cup.", "--model", str(one_block_folder), "--size", "64", "--steps", "2"]
    named = ["--set", "imagination.engine.kind=onnx", "--set", "imagination.engine.on_failure=fail"]
    plain, drawn = tmp_path / "plain.png", tmp_path / "drawn.png"
    assert run([*words, "--out", str(plain)]) == run([*words, *named, "--out", str(drawn)]) == 0
    first, second = (cv2.imread(str(path)).astype(int) for path in (plain, drawn))
    assert first.std() > 1 and np.abs(first - second).max() <= 1
    monkeypatch.setenv("JOYAI_ENGINES", str(tmp_path / "none"))
    capsys.readouterr()
    # With another setting, as a process keeps the model that it has of the same ones.
    other = [*words, *named, "--set", "imagination.parts=2", "--out", str(tmp_path / "x.png")]
    assert run(other) == 2
    assert "there is no engine in" in capsys.readouterr().err


def test_a_network_that_cannot_fit_is_not_loaded(one_block_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engine_files, "free_memory", lambda device: 0.001)
    words = ["build", str(one_block_folder), "--precision", "fp16", "--out", str(tmp_path)]
    assert "and 0.0 GB are free" in refused(capsys, *words)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.fixture
def library():
    try:
        return tensorrt_library()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_an_engine_of_tensorrt_for_another_gpu(library, half_graph, one_block_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engine_files, "export_graph", lambda source, to, form: shutil.copy(half_graph, to))
    words = [str(one_block_folder), "--precision", "fp16", "--resolution", "64", "--out", str(tmp_path / "engines")]
    assert "does not build for sm90" in refused(capsys, "build", *words, "--target", "sm90")
    built = told(tmp_path, "build", *words, "--target", "sm89")
    assert built["key"]["gpu"] == "sm89" and [file["path"].rpartition("/")[2] for file in built["files"]] == [
        "engine.json",
        PLAN,
    ]
    assert run(["engine", "check", *words, "--target", "sm89"]) == 0
    assert "whole, and built for these weights, shapes and sm89" in capsys.readouterr().out
    named = [*words, "--engine", built["folder"]]
    assert "was built for gpu sm89, not sm86" in refused(capsys, "check", *named, "--target", "sm86")
    assert "there is no engine" in refused(capsys, "check", *words, "--target", "sm86")


def test_without_the_library_the_extra_is_named(one_block_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("joyai_ros.engines.tensorrt_build.RTX_MODULES", ("no_such_module",))
    words = ["build", str(one_block_folder), "--target", "sm89", "--out", str(tmp_path)]
    assert run(["engine", *words]) == 1
    assert "engines-rtx" in capsys.readouterr().err
    monkeypatch.setattr("joyai_ros.engines.tensorrt_build.PLAIN_MODULES", ("no_such_module",))
    assert run(["engine", "build", str(one_block_folder), "--kind", "tensorrt", "--out", str(tmp_path)]) == 1
    assert "it comes with JetPack" in capsys.readouterr().err

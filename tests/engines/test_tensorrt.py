"""Engines of TensorRT for RTX, built here for GPUs that are not here; none of them is run."""

import sys
import types

import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
pytest.importorskip("onnxscript", reason="torch.onnx writes graphs with onnxscript")

import torch

from joyai_ros.engines.cache import EngineKey, cached_engine, open_engine
from joyai_ros.engines.errors import EngineError, EngineFileError, ForeignEngineError
from joyai_ros.engines.export import Form, export_network
from joyai_ros.engines.quantise import quantise_weights
from joyai_ros.engines.tensorrt_build import (
    Sizes,
    build_engine,
    check_rtx_engine,
    library_name,
    tensorrt_library,
)
from joyai_ros.engines.tensorrt_session import TensorRtSession
from joyai_ros.errors import MissingDependencyError
from joyai_ros.imagination.mmdit.token_network import AXES, OUTPUT
from tests.engines.networks import EXAMPLE, inputs, small_network

SIZES = {"rows": Sizes(1, 2, 4), "tokens": Sizes(8, 128, 2048), "words": Sizes(4, 64, 256)}


def test_sizes_are_in_order():
    with pytest.raises(EngineError, match="in order"):
        Sizes(2, 1, 4)


def test_without_the_library_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("joyai_ros.engines.tensorrt_build.RTX_MODULES", ("no_such_module",))
    with pytest.raises(MissingDependencyError, match="engines-rtx"):
        tensorrt_library()
    monkeypatch.setattr("joyai_ros.engines.tensorrt_build.PLAIN_MODULES", ("no_such_module",))
    with pytest.raises(MissingDependencyError, match=r"it comes with JetPack; elsewhere install .*engines-gpu"):
        tensorrt_library(rtx=False)
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed"):
        build_engine(tmp_path / "graph.onnx", tmp_path / "engine", AXES, SIZES, None)
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed"):
        TensorRtSession(tmp_path / "engine", rtx=False)


@pytest.fixture(scope="module")
def library():
    try:
        return tensorrt_library()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def halves():
    return small_network(half=True, num_layers=1)


@pytest.fixture(scope="module")
def graph(library, halves, tmp_path_factory):
    path = tmp_path_factory.mktemp("half") / "half.onnx"
    return export_network(halves, inputs(*EXAMPLE), AXES, path, Form.DECOMPOSED, OUTPUT)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.mark.parametrize("gpu", ["sm86", "sm89", "sm120"])
def test_an_engine_is_built_for_a_gpu_that_is_not_here(gpu, graph, halves, cache):
    key = EngineKey("the weights of these tests", str(SIZES), "fp16", library_name(), gpu)
    folder = cached_engine(cache, key, lambda to: build_engine(graph, to / "engine", AXES, SIZES, gpu))
    engine = open_engine(folder, key) / "engine"
    weights = sum(weight.numel() * 2 for weight in halves.parameters())
    assert engine.stat().st_size > 0.9 * weights
    try:
        verdict = check_rtx_engine(engine)
    except ForeignEngineError:
        return  # a GPU is here, and it is another one
    assert "MALFORMED_ENGINE" not in verdict.reasons
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="needs the GPU that it was built for, and there is none here"):
            TensorRtSession(engine)
    with pytest.raises(ForeignEngineError, match="gpu"):
        open_engine(folder, EngineKey(key.weights, key.shapes, key.precision, key.library, "sm75"))


@pytest.mark.parametrize("gpu", ["sm86", "sm89", "sm120"])
def test_an_engine_with_weights_in_eight_bits_is_built(gpu, graph, tmp_path):
    small = quantise_weights(graph, tmp_path / "int8.onnx")
    assert small.stat().st_size < 0.85 * graph.stat().st_size
    engine = build_engine(small, tmp_path / "engine", AXES, SIZES, gpu)
    assert engine.read_bytes() != build_engine(graph, tmp_path / "half", AXES, SIZES, gpu).read_bytes()


@pytest.fixture
def plain(library, monkeypatch):
    """The library of RTX in the place of TensorRT, which is not here: the interface is the same. As there is no GPU either,
    the stand-in builds for one that is elsewhere, where TensorRT would take the one that it finds.
    """

    class Builder(library.Builder):
        def create_builder_config(self):
            config = super().create_builder_config()
            config.num_compute_capabilities = 1
            config.set_compute_capability(library.ComputeCapability.SM89, 0)
            return config

    names = {name: getattr(library, name) for name in dir(library) if not name.startswith("__")}
    module = types.ModuleType("stand_in_for_tensorrt")
    module.__dict__.update(names | {"Builder": Builder, "__version__": library.__version__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("joyai_ros.engines.tensorrt_build.PLAIN_MODULES", (module.__name__,))
    return module


def test_the_same_code_builds_with_the_other_library(plain, graph, tmp_path):
    assert tensorrt_library(rtx=False) is plain
    assert library_name(rtx=False) == f"tensorrt {plain.__version__}"
    engine = build_engine(graph, tmp_path / "engine", AXES, SIZES, None)
    assert "MALFORMED_ENGINE" not in check_rtx_engine(engine).reasons
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="needs the GPU that it was built for"):
            TensorRtSession(engine, rtx=False)


def test_engines_for_different_gpus_differ(graph, tmp_path):
    small = SIZES | {"tokens": Sizes(8, 16, 32)}
    engines = {build_engine(graph, tmp_path / gpu, AXES, small, gpu).read_bytes() for gpu in ("sm86", "sm120")}
    assert len(engines) == 2


def test_what_is_no_engine_is_refused(library, graph, tmp_path):
    path = tmp_path / "engine"
    with pytest.raises(EngineFileError, match="cannot be read"):
        check_rtx_engine(path)
    for content in (b"", b"no engine", bytes(100_000), graph.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(EngineFileError, match="is no engine"):
            check_rtx_engine(path)
        with pytest.raises(EngineFileError, match="is no engine"):
            TensorRtSession(path)


def test_what_cannot_be_built_says_why(library, graph, tmp_path):
    to = tmp_path / "engine"
    with pytest.raises(EngineError, match=r"does not build for sm90; it builds for .*sm89"):
        build_engine(graph, to, AXES, SIZES, "sm90")
    with pytest.raises(EngineError, match="no sizes are given for words"):
        build_engine(graph, to, AXES, {name: SIZES[name] for name in ("rows", "tokens")}, "sm89")
    with pytest.raises(EngineFileError, match="missing"):
        build_engine(tmp_path / "none.onnx", to, AXES, SIZES, "sm89")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(graph.read_bytes()[:50_000])
    with pytest.raises(EngineFileError, match="not a graph"):
        build_engine(broken, to, AXES, SIZES, "sm89")
    assert not to.exists()

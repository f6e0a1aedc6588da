"""What runs the MMDiT follows the settings; an engine that cannot be used is replaced with a warning, or is an error."""

import inspect
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the graphs")
pytest.importorskip("onnxscript", reason="torch.onnx writes graphs with onnxscript")

import torch

from joyai_ros.engines import cuda_graphs
from joyai_ros.engines.config import EngineConfig, EngineKind, EnginePrecision, OnFailure, Provider
from joyai_ros.engines.errors import EngineFileError, EngineTargetError, ForeignEngineError
from joyai_ros.errors import ConfigError, MissingDependencyError
from joyai_ros.imagination import engine_choice
from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.engine_choice import open_pipeline
from joyai_ros.imagination.engine_files import GRAPH, Source, transformer_hash
from joyai_ros.imagination.mmdit.denoiser import TorchDenoiser
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.token_network import EngineDenoiser
from joyai_ros.models.folder import LOCK, write_lock
from joyai_ros.models.pipeline_folder import check_pipeline
from tests.imagination.pictures import blocks

ONNX = EngineConfig(kind=EngineKind.ONNX)


@pytest.fixture
def engines(built_engine, tmp_path, monkeypatch):
    """A copy of the cache with the small pipeline's engine, which may be broken."""
    cache = shutil.copytree(built_engine.parent, tmp_path / "engines")
    monkeypatch.setenv("JOYAI_ENGINES", str(cache))
    return cache / built_engine.name


def drawn(opened):
    request = DrawRequest("Keep it.", 1, (blocks(1),))
    sampler = Sampler(opened.pipeline, denoiser=opened.denoiser)
    return sampler.draw([request], (64, 64), Preset(steps=2)).images[0].astype(int)


def test_an_engine_takes_the_place_of_the_weights(engines, one_block_folder):
    warnings = []
    opened = open_pipeline(one_block_folder, PipelineLoading(), ONNX, warnings.append)
    assert isinstance(opened.denoiser, EngineDenoiser) and not warnings and not opened.fallback
    assert {weight.device.type for weight in opened.pipeline.transformer.parameters()} == {"meta"}
    plain = open_pipeline(one_block_folder)
    assert isinstance(plain.denoiser, TorchDenoiser)
    np.testing.assert_allclose(drawn(opened), drawn(plain), atol=1)


def test_other_weights_have_no_engine(engines, one_block_folder, edit_folder):
    named, warnings = replace(ONNX, folder=str(engines)), []
    opened = open_pipeline(edit_folder, PipelineLoading(), named, warnings.append)
    assert isinstance(opened.denoiser, TorchDenoiser)
    assert warnings == [opened.fallback] and "was built for weights" in opened.fallback
    with pytest.raises(ForeignEngineError, match=r"was built for weights .* build an engine for this one"):
        open_pipeline(edit_folder, PipelineLoading(), replace(named, on_failure=OnFailure.FAIL))


def _break(engine):
    path = engine / GRAPH
    path.write_bytes(path.read_bytes()[:-100])


def _remove(engine):
    shutil.rmtree(engine)


@pytest.mark.parametrize(
    ("spoil", "said"), [(_break, r"engine\.onnx is not what was built"), (_remove, "there is no engine in .*build it")]
)
def test_a_broken_or_missing_engine_falls_back_or_fails(spoil, said, engines, one_block_folder):
    spoil(engines)
    warnings = []
    opened = open_pipeline(one_block_folder, PipelineLoading(), ONNX, warnings.append)
    assert isinstance(opened.denoiser, TorchDenoiser) and drawn(opened).shape == (64, 64, 3)
    assert len(warnings) == 1 and warnings[0].startswith("PyTorch runs the MMDiT instead of onnx: ")
    with pytest.raises(EngineFileError, match=said):
        open_pipeline(one_block_folder, PipelineLoading(), replace(ONNX, on_failure=OnFailure.FAIL))


def test_without_a_warning_handler_the_log_says_it(engines, one_block_folder, monkeypatch):
    logger, heard = inspect.signature(open_pipeline).parameters["warn"].default.__self__, []
    # Which records come through is a matter of all that was imported (ROS 2's plugins for pytest stop some): not of this.
    monkeypatch.setattr(logger, "isEnabledFor", lambda level: level >= logging.WARNING)
    monkeypatch.setattr(logger, "handle", lambda record: heard.append(record.getMessage()))
    shutil.rmtree(engines)
    assert [open_pipeline(one_block_folder, engine=ONNX).fallback] == heard
    assert logger.name == open_pipeline.__module__


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"kind": EngineKind.TENSORRT_RTX}, (EngineTargetError, MissingDependencyError)),
        ({"kind": EngineKind.TENSORRT}, (EngineTargetError, MissingDependencyError)),
        ({"provider": Provider.CUDA}, EngineFileError),  # which takes the other form of the graph
        ({"precision": EnginePrecision.INT8}, EngineFileError),
    ],
)
def test_what_is_not_here_is_no_engine(values, error, engines, one_block_folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(error):
        open_pipeline(one_block_folder, PipelineLoading(), replace(ONNX, on_failure=OnFailure.FAIL, **values))


def test_a_library_that_is_missing_is_no_reason_to_stop(engines, one_block_folder, monkeypatch):
    def missing(*_args):
        raise MissingDependencyError("ONNX Runtime is not installed; install joyai_ros[engines-cpu]")

    monkeypatch.setattr(engine_choice, "find", missing)
    assert "engines-cpu" in open_pipeline(one_block_folder, engine=ONNX, warn=lambda text: None).fallback


@pytest.mark.parametrize("compiler", ["eager", "inductor"])
def test_pytorch_compiles_by_a_backend_that_there_is(compiler, one_block_folder):
    if compiler == "inductor" and shutil.which("g++") is None:
        pytest.skip("inductor needs a C++ compiler")
    opened = open_pipeline(one_block_folder, engine=EngineConfig(compile=compiler))
    np.testing.assert_allclose(drawn(opened), drawn(open_pipeline(one_block_folder)), atol=1)
    with pytest.raises(ConfigError, match=r"no backend 'gcc' of torch\.compile; use one of .*inductor"):
        open_pipeline(one_block_folder, engine=EngineConfig(compile="gcc"))


def test_the_hash_of_the_weights_follows_them(one_block_folder, tmp_path):
    folder = shutil.copytree(one_block_folder, tmp_path / "copy")
    plain = transformer_hash(check_pipeline(one_block_folder))
    assert transformer_hash(check_pipeline(folder)) == plain, "wherever they lie"
    write_lock(folder, "owner/name", "0" * 40)
    assert transformer_hash(check_pipeline(folder)) == plain, "as noted when they came"
    (folder / LOCK).unlink()
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert transformer_hash(check_pipeline(folder)) != plain, "one bit of one weight"
    weights.write_bytes(content)
    config = folder / "transformer" / "config.json"
    config.write_text(config.read_text().replace("10000", "10001"))
    assert transformer_hash(check_pipeline(folder)) != plain


@pytest.mark.parametrize(
    ("values", "loading"),
    [
        ({"kind": EngineKind.ONNX}, {}),
        ({"kind": EngineKind.TORCH}, {"device": "cpu"}),
        ({"kind": EngineKind.TENSORRT}, {"device": "cpu"}),
    ],
)
def test_cuda_graphs_are_refused_where_there_can_be_none(values, loading, one_block_folder):
    with pytest.raises(ConfigError, match="cuda_graphs"):
        open_pipeline(one_block_folder, PipelineLoading(**loading), EngineConfig(cuda_graphs=True, **values))


def test_a_step_that_is_replayed_draws_the_same(one_block_folder, monkeypatch):
    """All but the graph, for which a plain call stands in: the network by name, in memory that stays where it is."""
    sizes = []

    def stand_in(run):
        result = run()
        sizes.append(tuple(result.shape))
        return lambda: result.copy_(run()), result

    monkeypatch.setattr(cuda_graphs, "capture", stand_in)
    monkeypatch.setattr(engine_choice, "device_of", lambda name: torch.device("cuda"))
    opened = open_pipeline(one_block_folder, PipelineLoading(), EngineConfig(cuda_graphs=True))
    words = []
    inner = opened.denoiser._run
    opened.denoiser._run = lambda values: (words.append(values["text"].shape[1]), inner(values))[1]
    np.testing.assert_allclose(drawn(opened), drawn(open_pipeline(one_block_folder)), atol=1)
    assert len(sizes) == 1 and set(words) == {64}


@pytest.mark.parametrize("kind", [EngineKind.TENSORRT, EngineKind.TENSORRT_RTX])
def test_four_bits_are_not_for_tensorrt(kind, one_block_folder):
    how = EngineConfig(kind=kind, precision=EnginePrecision.INT4)
    with pytest.raises(EngineTargetError, match="does not parse"):
        Source(check_pipeline(one_block_folder), how, "sm89")

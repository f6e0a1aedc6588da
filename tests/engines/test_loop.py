"""The denoising loop with an engine in the network's place: the same seed gives the same picture."""

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the small pipeline is saved by diffusers")
pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the graphs")

from benchmarks.small_pipeline import write_small_pipeline
from joyai_ros.engines.export import Form
from joyai_ros.engines.quantise import quantise_dynamic
from joyai_ros.engines.session import OnnxSession
from joyai_ros.imagination.mmdit.denoiser import TorchDenoiser
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.token_network import EngineDenoiser
from tests.imagination.pictures import blocks

PRESET = Preset(steps=4, guided_share=0.5)  # so that an engine gets two rows, and then one


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return load_pipeline(write_small_pipeline(tmp_path_factory.mktemp("pipelines") / "edit"))


def drawn(pipeline, denoiser, seed):
    requests = [DrawRequest("Keep it.", seed, (blocks(1),))]
    return Sampler(pipeline, denoiser=denoiser).draw(requests, (64, 64), PRESET).images[0].astype(int)


@pytest.mark.parametrize("form", Form)
def test_the_same_seed_gives_the_same_picture(form, pipeline, network, exported):
    plain = drawn(pipeline, TorchDenoiser(network.transformer), 1)
    by_engine = drawn(pipeline, EngineDenoiser(OnnxSession(exported[form], threads=1)), 1)
    np.testing.assert_allclose(by_engine, plain, atol=1)
    assert np.abs(drawn(pipeline, EngineDenoiser(OnnxSession(exported[form], threads=1)), 2) - plain).mean() > 1


def test_in_eight_bits_the_picture_is_nearly_the_same(pipeline, network, exported, tmp_path):
    small = OnnxSession(quantise_dynamic(exported[Form.NATIVE], tmp_path / "int8.onnx"), threads=1)
    plain = drawn(pipeline, TorchDenoiser(network.transformer), 1)
    assert np.abs(drawn(pipeline, EngineDenoiser(small), 1) - plain).mean() < 1

"""The network at the place where engines take over: exported once, right at other shapes, in the loop like PyTorch."""

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch

from joyai_ros.imagination.mmdit.denoiser import TokenBatch, TorchDenoiser
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.token_network import INPUTS, EngineDenoiser
from joyai_ros.imagination.mmdit.tokens import Rotary
from tests.engines.networks import EXAMPLE, inputs, small_network
from tests.imagination.pictures import blocks

ROWS, TOKENS, WORDS = (torch.export.Dim(name, min=2, max=4096) for name in ("rows", "tokens", "words"))
SHAPES = {
    "tokens": {0: ROWS, 1: TOKENS},
    "timestep": {0: ROWS},
    "text": {0: ROWS, 1: WORDS},
    "mask": {0: ROWS, 1: torch.export.Dim.AUTO},
    "cos": {0: TOKENS},
    "sin": {0: TOKENS},
}


@pytest.fixture(scope="module")
def network():
    return small_network()


def test_exported_once_it_is_right_at_other_shapes(network):
    """A size that the export had fixed in the graph would show only at another one."""
    exported = torch.export.export(network, (), inputs(*EXAMPLE), dynamic_shapes=SHAPES).module()
    for index, shape in enumerate(((2, (3, 4), 7), (3, (4, 4), 11), (5, (6, 3), 19)), start=1):
        values = inputs(*shape, seed=index)
        expected = network(**values)
        assert expected.shape == values["tokens"].shape
        assert (exported(**values) - expected).abs().max() < 1e-5, index


def test_in_the_loop_an_engine_draws_what_pytorch_draws(edit_pipeline):
    inner, shapes = TorchDenoiser(edit_pipeline.transformer), []

    def run(values):
        assert tuple(values) == INPUTS
        shapes.append(values["mask"].shape)
        batch = TokenBatch(*(values[name] for name in INPUTS[:4]), Rotary(values["cos"], values["sin"]), ())
        return inner(batch)

    requests = [DrawRequest("Keep it.", 1, (blocks(1),))]
    # A preset with a step cache: an engine runs its blocks as one, so nothing is reused.
    preset = Preset(steps=4, guided_share=0.5, step_cache=0.5)
    by_engine = Sampler(edit_pipeline, denoiser=EngineDenoiser(run)).draw(requests, (64, 64), preset)
    plain = Sampler(edit_pipeline).draw(requests, (64, 64), Preset(steps=4, guided_share=0.5))
    np.testing.assert_allclose(by_engine.images[0].astype(int), plain.images[0], atol=1)
    assert by_engine.reused_rows == 0
    assert [shape[0] for shape in shapes] == [2, 2, 1, 1]

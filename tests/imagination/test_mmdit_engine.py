"""The network at the place where engines take over: exported once, right at other shapes, in the loop like PyTorch."""

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch

from benchmarks.small_pipeline import small_transformer
from joyai_ros.imagination.mmdit.denoiser import TokenBatch, TorchDenoiser
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.token_network import INPUTS, EngineDenoiser, TokenNetwork
from joyai_ros.imagination.mmdit.tokens import Rotary, rotary
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


def made(rows, grid, words, seed=0):
    """Random inputs; the last row has a shorter text."""
    draw = torch.Generator().manual_seed(seed)
    at = rotary([grid, grid], [8, 8, 8], 10000.0, torch.device("cpu"))
    mask = torch.ones((rows, len(at.cos) + words), dtype=torch.bool)
    mask[-1, -3:] = False
    values = (
        torch.randn((rows, len(at.cos), 64), generator=draw),
        1000 * torch.rand(rows, generator=draw),
        torch.randn((rows, words, 192), generator=draw),
        *(mask, at.cos, at.sin),
    )
    return dict(zip(INPUTS, values, strict=True))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return TokenNetwork(small_transformer().requires_grad_(False)).eval()


def test_exported_once_it_is_right_at_other_shapes(network):
    """A size that the export had fixed in the graph would show only at another one."""
    exported = torch.export.export(network, (), made(2, (3, 4), 7), dynamic_shapes=SHAPES).module()
    for index, inputs in enumerate((made(2, (3, 4), 7, 1), made(3, (4, 4), 11, 2), made(5, (6, 3), 19, 3))):
        expected = network(**inputs)
        assert expected.shape == inputs["tokens"].shape
        assert (exported(**inputs) - expected).abs().max() < 1e-5, index


def test_in_the_loop_an_engine_draws_what_pytorch_draws(edit_pipeline):
    inner, shapes = TorchDenoiser(edit_pipeline.transformer), []

    def run(inputs):
        assert tuple(inputs) == INPUTS
        shapes.append(inputs["mask"].shape)
        batch = TokenBatch(*(inputs[name] for name in INPUTS[:4]), Rotary(inputs["cos"], inputs["sin"]), ())
        return inner(batch)

    requests = [DrawRequest("Keep it.", 1, (blocks(1),))]
    # A preset with a step cache: an engine runs its blocks as one, so nothing is reused.
    preset = Preset(steps=4, guided_share=0.5, step_cache=0.5)
    by_engine = Sampler(edit_pipeline, denoiser=EngineDenoiser(run)).draw(requests, (64, 64), preset)
    plain = Sampler(edit_pipeline).draw(requests, (64, 64), Preset(steps=4, guided_share=0.5))
    np.testing.assert_allclose(by_engine.images[0].astype(int), plain.images[0], atol=1)
    assert by_engine.reused_rows == 0
    assert [shape[0] for shape in shapes] == [2, 2, 1, 1]

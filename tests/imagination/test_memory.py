"""What cannot fit is refused before it is loaded, and the refusal names what would fit."""

import re

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.memory import (
    RESOLUTIONS,
    Network,
    memory_needs,
    network_in,
    network_of,
    refuse_if_it_cannot_fit,
)
from joyai_ros.imagination.mmdit import loading
from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.models.card import load_card
from joyai_ros.models.pipeline_folder import EDIT, check_pipeline
from joyai_ros.models.precision import Weights
from joyai_ros.models.weight_only import Float8Linear, Int4Linear, Int8Linear
from tests.imagination.pictures import blocks


@pytest.mark.parametrize(("precision", "kind"), [("bf16", "bfloat16"), ("int8", "int8"), ("int4", "int4")])
def test_the_published_sizes_give_what_the_card_says(precision, kind):
    needs = memory_needs(Network(), precision, 256)
    assert needs.weights + needs.language == pytest.approx(load_card("joyai-image-edit").memory[kind], abs=0.15)


def test_a_folder_needs_the_bytes_of_its_files(edit_folder):
    found = check_pipeline(edit_folder)
    needs = memory_needs(network_in(found), "fp32", 256, whole="fp32")
    assert 1e9 * needs.weights == pytest.approx(found.size["transformer"] + found.size["vae"], rel=0.02)
    assert 1e9 * needs.language == pytest.approx(found.size["text_encoder"], rel=0.02)
    assert network_of(str(edit_folder)) == network_in(found)


@pytest.mark.parametrize(
    ("memory", "precision", "resolution", "by_phase", "said"),
    [
        (24, "bf16", 1024, False, r"needs 52\.7 GB at bf16 .* 24\.0 GB are free; int4 for views of 1024 px would fit"),
        (40, "bf16", 1024, False, r"int8 for views of 1024 px would fit"),
        (12, "int4", 1024, False, r"int4 for views of 1024 px, MLLM and MMDiT in turn would fit"),
        (10, "int4", 1024, True, r"int4 for views of 512 px, MLLM and MMDiT in turn would fit"),
        (8, "int8", 512, True, r"the least, int4 for views of 256 px, MLLM and MMDiT in turn, needs 9\.3 GB"),
    ],
)
def test_a_refusal_names_what_would_fit(memory, precision, resolution, by_phase, said):
    with pytest.raises(DrawMemoryError, match=said):
        refuse_if_it_cannot_fit("joyai-image-edit", Network(), memory, precision, resolution, by_phase=by_phase)


@given(st.floats(5, 100), st.sampled_from(["bf16", "int8", "int4"]), st.sampled_from(RESOLUTIONS), st.booleans())
def test_what_is_named_is_not_refused(memory, precision, resolution, by_phase):
    try:
        refuse_if_it_cannot_fit("it", Network(), memory, precision, resolution, by_phase=by_phase)
    except DrawMemoryError as error:
        named = re.search(r"(bf16|int8|int4) for views of (\d+) px(, MLLM and MMDiT in turn)? would fit", str(error))
        if named:
            refuse_if_it_cannot_fit("it", Network(), memory, named[1], int(named[2]), by_phase=bool(named[3]))
        else:
            assert memory < 10


def test_nothing_is_loaded_that_cannot_fit(edit_folder, monkeypatch):
    monkeypatch.setattr(loading, "free_memory", lambda device: 0.05)
    monkeypatch.setattr(loading, "_load", lambda *_args, **_how: pytest.fail("something was loaded"))
    with pytest.raises(DrawMemoryError, match=rf"{edit_folder} needs 0\.1 GB at fp32 for views of 256 px, and 0\.1 GB"):
        load_pipeline(edit_folder)
    monkeypatch.setattr(loading, "free_memory", lambda device: 1.0)
    with pytest.raises(DrawMemoryError, match="fp32 for views of 512 px would fit"):
        load_pipeline(edit_folder, PipelineLoading(resolution=1024))


def test_what_passes_through_the_cpu_must_fit_there(edit_folder, monkeypatch):
    free = iter([1.0, 0.001])  # of the device, and of the CPU
    monkeypatch.setattr(loading, "free_memory", lambda device: next(free))
    with pytest.raises(DrawMemoryError, match=r"passes through the CPU's memory with .* and 0\.0 GB are free there"):
        load_pipeline(edit_folder, PipelineLoading(weights=Weights.INT4))
    free = iter([1.0, 0.001])
    assert load_pipeline(edit_folder).kind == EDIT  # as it is, it does not


@pytest.mark.parametrize(
    ("weights", "kind", "off"),
    [(Weights.FP8, Float8Linear, 2.0), (Weights.INT8, Int8Linear, 1.0), (Weights.INT4, Int4Linear, 6.0)],
)
def test_smaller_weights_draw_nearly_the_same(weights, kind, off, edit_folder, edit_pipeline):
    small = load_pipeline(edit_folder, PipelineLoading(weights=weights))
    layers = [module for module in small.transformer.double_blocks.modules() if isinstance(module, kind)]
    assert len(layers) == 4 * 8
    assert not [module for module in small.transformer.double_blocks.modules() if isinstance(module, torch.nn.Linear)]
    assert isinstance(small.text_encoder.model.language_model.layers[0].mlp.up_proj, kind)

    def drawn(pipeline, seed):
        request = DrawRequest("Keep it.", seed, (blocks(1),))
        return Sampler(pipeline).draw([request], (64, 64), Preset(steps=2)).images[0].astype(int)

    plain = drawn(edit_pipeline, 1)
    assert 0 < np.abs(drawn(small, 1) - plain).mean() < off
    assert np.abs(drawn(small, 2) - plain).mean() > np.abs(drawn(small, 1) - plain).mean()

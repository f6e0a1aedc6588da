"""A new small model: how its vision encoder begins."""

import dataclasses

import pytest
import torch

from joyai_ros.training.mllm.config import ScratchSizes
from joyai_ros.training.mllm.scratch import renew_vision, scratch_model

pytest.importorskip("transformers")
SIZES = ScratchSizes(listing=True, vocabulary=1100)


def positions(model):
    return model.model.visual.pos_embed.weight.detach()


def test_a_new_vision_encoder_knows_where_a_patch_is():
    model, again = (scratch_model(SIZES, [], seed)[0] for seed in (0, 1))
    assert positions(model).std().item() == pytest.approx(0.7, rel=1e-3)
    grid = positions(model).unflatten(0, (16, 16))
    near, far = (grid[:, 0] - grid[:, 1]).norm(dim=-1), (grid[:, 0] - grid[:, 8]).norm(dim=-1)
    assert (near < far).all() and torch.allclose(near, (grid[0] - grid[1]).norm(dim=-1), atol=1e-4)
    for each in (model, again):
        renew_vision(each, 5)
    both = zip(model.model.visual.parameters(), again.model.visual.parameters(), strict=True)
    assert all(torch.equal(*weights) for weights in both)


def test_the_eyes_of_a_model_that_lists_nothing_begin_as_transformers_has_them():
    model, _ = scratch_model(dataclasses.replace(SIZES, listing=False), ["the mug is left of the box"], 0)
    assert positions(model).std().item() == pytest.approx(model.config.vision_config.initializer_range, rel=0.1)

"""The vision encoder of a trained model, averaged with others'."""

import copy

import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.mllm.averaging import average_vision, check_same_sizes
from joyai_ros.training.mllm.deepen import deepen_vision
from tests.training.packs import fresh


def test_the_mean_is_of_the_vision_encoders_alone():
    model = fresh()[0]
    before = copy.deepcopy(model.state_dict())
    others = [copy.deepcopy(model) for _ in range(2)]
    for factor, other in zip((2.0, -1.0), others, strict=True):
        with torch.no_grad():
            for weight in other.parameters():
                weight.mul_(factor)
    average_vision(model, [(others[0], 0.25), (others[1], 0.125)])
    for name, weight in model.state_dict().items():
        factor = 0.625 + 0.5 - 0.125 if ".visual." in name else 1.0
        torch.testing.assert_close(weight, factor * before[name], rtol=1e-5, atol=1e-7)
    average_vision(model, [(others[0], 0.5)])
    name = "model.visual.blocks.0.attn.proj.weight"
    torch.testing.assert_close(model.state_dict()[name], 1.5 * before[name])
    average_vision(model, [])
    torch.testing.assert_close(model.state_dict()[name], 1.5 * before[name])


def test_an_encoder_of_other_sizes_is_refused(tmp_path):
    model = fresh()[0]
    model.save_pretrained(tmp_path)
    check_same_sizes(model, tmp_path)
    deepen_vision(model, 5)
    with pytest.raises(ConfigError, match="differs in depth, deepstack_visual_indexes; leave that model out"):
        check_same_sizes(model, tmp_path)

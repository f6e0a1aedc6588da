"""A deepened vision encoder computes what it did, and its new layers learn."""

import copy

import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.errors import ConfigError
from joyai_ros.training.mllm.deepen import deepen_vision
from tests.training.packs import fresh

GRIDS = torch.tensor([[1, 4, 6], [1, 2, 4]])


def _seen(model):
    config = model.config.vision_config
    values = config.in_channels * config.temporal_patch_size * config.patch_size**2
    patches = torch.randn(int(GRIDS.prod(1).sum()), values, generator=torch.Generator().manual_seed(3))
    out = model.model.visual(patches, grid_thw=GRIDS)
    return torch.cat([out.pooler_output, *out.deepstack_features])


@pytest.mark.parametrize("layers", [5, 6, 9])
def test_more_layers_change_nothing_at_first(layers, tmp_path):
    model = fresh()[0].eval()
    deeper = copy.deepcopy(model)
    deepen_vision(deeper, layers)
    assert len(deeper.model.visual.blocks) == layers
    torch.testing.assert_close(_seen(deeper), _seen(model), rtol=1e-5, atol=1e-6)
    deeper.save_pretrained(tmp_path)
    again, info = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    torch.testing.assert_close(_seen(again.eval()), _seen(model), rtol=1e-5, atol=1e-6)
    _seen(deeper).square().sum().backward()
    slopes = [block.mlp.linear_fc2.weight.grad.abs().max() for block in deeper.model.visual.blocks]
    assert all(slope > 0 for slope in slopes)


@pytest.mark.parametrize("layers", [1, 2])
def test_fewer_layers_are_refused(layers):
    with pytest.raises(ConfigError, match="cannot have"):
        deepen_vision(fresh()[0], layers)

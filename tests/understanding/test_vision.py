"""The quicker vision encoder computes what the library's does, forwards and backwards."""

import copy

import pytest

pytest.importorskip("transformers", reason="the encoder is the one in transformers")
import torch

from joyai_ros.understanding.vision import quicken
from tests.training.packs import fresh


def _run(visual, patches, grids):
    """What an encoder makes of images, and the gradients of all its weights."""
    visual.zero_grad()
    out = visual(patches, grid_thw=grids)
    every = torch.cat([out.pooler_output, *out.deepstack_features])
    (every * torch.linspace(-1.0, 1.0, every.numel()).view_as(every)).sum().backward()
    return every.detach(), {name: weight.grad.clone() for name, weight in visual.named_parameters()}


@pytest.mark.parametrize("sizes", [[(4, 6)] * 3, [(4, 6), (2, 4)], [(6, 4)]], ids=["alike", "several sizes", "one"])
def test_what_it_computes_is_the_same(sizes):
    plain = fresh()[0].model.visual
    quick = copy.deepcopy(plain)
    quicken(quick)
    grids = torch.tensor([(1, *size) for size in sizes])
    config = plain.config
    values = config.in_channels * config.temporal_patch_size * config.patch_size**2
    patches = torch.randn(int(grids.prod(1).sum()), values, generator=torch.Generator().manual_seed(3))
    (wanted, slopes), (found, ours) = _run(plain, patches, grids), _run(quick, patches, grids)
    assert wanted.abs().max() > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert ours.keys() == slopes.keys() and len(slopes) > 20
    for name, slope in slopes.items():
        torch.testing.assert_close(ours[name], slope, rtol=1e-3, atol=1e-4 * float(slope.abs().max()) + 1e-7)


def test_its_weights_keep_their_names():
    visual = fresh()[0].model.visual
    names = list(visual.state_dict())
    quicken(visual)
    assert list(visual.state_dict()) == names

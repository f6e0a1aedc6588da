import pytest

pytest.importorskip("torch", reason="weights are torch's")

import torch
from torch import nn

from joyai_ros.models.precision import Weights
from joyai_ros.models.weight_only import GROUP, Float8Linear, Int4Linear, Int8Linear, quantize_layers


def linear(inputs, outputs, bias=False, outlier=10.0):
    torch.manual_seed(3)
    layer = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight[:, -1] *= outlier
    return layer


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def weight_of(layer, inputs):
    """The weights that a layer multiplies by."""
    return layer(torch.eye(inputs)).T


def test_eight_bits_are_within_half_a_step_of_each_row():
    full = linear(96, 40)
    step = full.weight.abs().amax(1, keepdim=True) / 127
    error = (weight_of(Int8Linear(full), 96) - full.weight).abs()
    assert bool((error <= step / 2 * 1.001).all()) and float(error.max()) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_eight_bits_of_floating_point_are_within_their_rounding(dtype):
    full = linear(96, 40).to(dtype)
    small = Float8Linear(full)
    assert small.weight.dtype is torch.float8_e4m3fn and small.weight.float().isfinite().all()
    exact = full.weight.float()
    error = (small.weight.float() * small.scale.float()[:, None] - exact).abs()
    # Three bits behind the point: half a step is a sixteenth of the weight, and below the smallest exponent a fixed step.
    finest = exact.abs().amax(1, keepdim=True) / 448 * 2.0**-10
    assert bool((error <= (exact.abs() / 16).maximum(finest) * 1.01).all()) and float(error.max()) > 0


@pytest.mark.parametrize("inputs", [GROUP, 3 * GROUP, 100, 7])
def test_four_bits_are_within_half_a_step_of_each_group(inputs):
    full = linear(inputs, 40)
    error = (weight_of(Int4Linear(full), inputs) - full.weight).abs()
    for start in range(0, inputs, GROUP):
        group = full.weight[:, start : start + GROUP]
        step = group.abs().amax(1, keepdim=True) / 7
        assert bool((error[:, start : start + GROUP] <= step / 2 * 1.001).all())


@pytest.mark.parametrize("kind", [Float8Linear, Int8Linear, Int4Linear])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bias_shape_and_type_stay(kind, dtype):
    full = linear(128, 40, bias=True, outlier=1.0).to(dtype)
    x = torch.randn(2, 3, 128).to(dtype)
    small = kind(full)(x)
    assert small.shape == (2, 3, 40) and small.dtype is dtype
    assert torch.cosine_similarity(small.float().flatten(), full(x).float().flatten(), dim=0) > 0.98


def test_a_row_of_zeros_stays_one():
    full = linear(64, 2)
    with torch.no_grad():
        full.weight[0] = 0
    for kind in (Float8Linear, Int8Linear, Int4Linear):
        assert float(weight_of(kind(full), 64)[0].abs().max()) == 0.0


def test_every_linear_layer_below_is_replaced():
    layers = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 8))
    assert quantize_layers(layers, Weights.INT8) == 2
    assert not [module for module in layers.modules() if isinstance(module, nn.Linear)]

"""The counts behind the cost of imagined views, against arithmetic."""

import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

from joyai_ros.imagination.mmdit.cost import REAL, real_forward


@pytest.mark.parametrize("pixels", [256, 1024])
def test_operations_and_copies_of_the_real_network(pixels):
    width, depth, head = REAL["hidden_size"], REAL["num_layers"], 128
    image, text = 2 * (pixels // 16) ** 2, (pixels // 32) ** 2 + 40
    operations = (
        24 * width**2 * depth * (image + text)
        + 4 * width * depth * (image + text) ** 2
        + 2 * text * (REAL["text_dim"] * width + width**2)
    )
    stock, ours = real_forward(pixels, ours=False), real_forward(pixels, ours=True)
    assert stock.flops == pytest.approx(operations, rel=0.01)
    assert ours.flops == pytest.approx(stock.flops, rel=1e-6)
    # Stock makes cosine and sine on the CPU and copies both for every block.
    assert stock.moved == 2 * depth * image * head * 4
    assert ours.moved == 0

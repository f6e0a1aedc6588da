"""Two blocks of the real network's width: weights above the 2 GB that one ONNX file can hold."""

import os

import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")
pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the graphs")

import torch

from benchmarks.small_pipeline import small_transformer
from joyai_ros.engines.export import SINGLE_FILE_BYTES, Form, export_network
from joyai_ros.engines.parity import TOLERANCES, check_parity
from joyai_ros.engines.session import OnnxSession
from joyai_ros.imagination.mmdit.token_network import AXES, INPUTS, OUTPUT, TokenNetwork
from joyai_ros.imagination.mmdit.tokens import rotary
from tests.engines.networks import by_name

REAL = {"hidden_size": 4096, "num_attention_heads": 32, "text_dim": 4096, "rope_dim_list": [16, 56, 56]}


def inputs(rows, grid, words):
    at = rotary([grid, grid], REAL["rope_dim_list"], 10000.0, torch.device("cpu"))
    draw = torch.Generator().manual_seed(words)
    mask = torch.ones((rows, len(at.cos) + words), dtype=torch.bool)
    mask[-1, -2:] = False
    values = (
        torch.randn((rows, len(at.cos), 64), generator=draw),
        1000 * torch.rand(rows, generator=draw),
        torch.randn((rows, words, REAL["text_dim"]), generator=draw),
        *(mask, at.cos, at.sin),
    )
    return dict(zip(INPUTS, values, strict=True))


@pytest.mark.skipif("JOYAI_LARGE_TESTS" not in os.environ, reason="3.2 GB of weights; set JOYAI_LARGE_TESTS=1")
@pytest.mark.timeout(600)
def test_weights_above_two_gigabytes_come_to_a_file_of_their_own(tmp_path):
    torch.manual_seed(0)
    network = TokenNetwork(small_transformer(num_layers=2, **REAL).requires_grad_(False)).eval()
    path = export_network(network, inputs(2, (2, 3), 5), AXES, tmp_path / "real.onnx", Form.NATIVE, OUTPUT)
    assert (tmp_path / "real.onnx.data").stat().st_size > SINGLE_FILE_BYTES
    assert path.stat().st_size < 10_000_000
    samples = [inputs(1, (2, 2), 4), inputs(2, (3, 4), 9), inputs(1, (4, 4), 17)]
    found = check_parity(by_name(network), OnnxSession(path, threads=1), samples, TOLERANCES["fp32"])
    assert len(found) == len(samples)

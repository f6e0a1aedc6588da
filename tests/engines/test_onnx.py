"""The network as an ONNX graph: the same velocities at sizes that the export never saw."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("onnx", reason="engines read and write ONNX")
pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the graphs")

import onnx
import torch

from joyai_ros.engines.errors import EngineError, EngineExportError, EngineFileError, EngineParityError
from joyai_ros.engines.export import Form, export_network
from joyai_ros.engines.parity import TOLERANCES, check_parity
from joyai_ros.engines.quantise import quantise_dynamic, quantise_four_bits, quantise_weights
from joyai_ros.engines.session import OnnxSession
from joyai_ros.imagination.mmdit.token_network import AXES, OUTPUT
from tests.engines.networks import EXAMPLE, by_name, inputs, samples


@pytest.mark.parametrize("form", Form)
def test_onnx_runtime_computes_what_pytorch_computes(form, network, exported):
    found = check_parity(by_name(network), OnnxSession(exported[form], threads=1), samples(), TOLERANCES["fp32"])
    assert len(found) == 4
    assert {parity.shapes["tokens"][0] for parity in found} == {1, 2}
    assert max(parity.relative_error for parity in found) < 1e-5


def test_the_native_form_has_attention_and_the_decomposed_one_has_not(exported):
    graphs = {form: onnx.load(path) for form, path in exported.items()}
    for form, graph in graphs.items():
        onnx.checker.check_model(graph)
        assert [entry.version for entry in graph.opset_import if not entry.domain] == [form.value]
        assert not graph.functions
    operators = {form: Counter(node.op_type for node in graph.graph.node) for form, graph in graphs.items()}
    assert operators[Form.NATIVE]["Attention"] == 2
    assert operators[Form.NATIVE]["RMSNormalization"] == 8
    assert not {"Attention", "RMSNormalization"} & set(operators[Form.DECOMPOSED])


@pytest.mark.parametrize("form", Form)
def test_eight_bits_stay_within_their_tolerance(form, network, exported, tmp_path):
    small = quantise_dynamic(exported[form], tmp_path / "int8.onnx")
    assert small.stat().st_size < 0.5 * exported[form].stat().st_size
    found = check_parity(by_name(network), OnnxSession(small, threads=1), samples(), TOLERANCES["int8"])
    assert min(parity.relative_error for parity in found) > TOLERANCES["fp32"]  # it is quantised indeed


def test_weights_alone_in_eight_bits_are_nearer(network, exported, tmp_path):
    small = quantise_weights(exported[Form.DECOMPOSED], tmp_path / "int8.onnx")
    assert small.stat().st_size < 0.6 * exported[Form.DECOMPOSED].stat().st_size
    graph = onnx.load(small)
    onnx.checker.check_model(graph)
    assert Counter(node.op_type for node in graph.graph.node)["DequantizeLinear"] == 17
    found = check_parity(by_name(network), OnnxSession(small, threads=1), samples(), TOLERANCES["int8"])
    assert min(parity.relative_error for parity in found) > TOLERANCES["fp32"]


def test_four_bits_stay_within_theirs(network, exported, tmp_path):
    small = quantise_four_bits(exported[Form.NATIVE], tmp_path / "int4.onnx")
    assert small.stat().st_size < 0.45 * exported[Form.NATIVE].stat().st_size
    assert Counter(node.op_type for node in onnx.load(small).graph.node)["MatMulNBits"] > 8
    found = check_parity(by_name(network), OnnxSession(small, threads=1), samples(), TOLERANCES["int4"])
    assert min(parity.relative_error for parity in found) > TOLERANCES["int8"]


def test_weights_in_a_file_of_their_own(network, exported, tmp_path):
    path = tmp_path / "split.onnx"
    export_network(network, inputs(*EXAMPLE), AXES, path, Form.DECOMPOSED, OUTPUT, external_data=True)
    assert (tmp_path / "split.onnx.data").stat().st_size > 0.9 * exported[Form.DECOMPOSED].stat().st_size / 2
    check_parity(by_name(network), OnnxSession(path, threads=1), samples(), TOLERANCES["fp32"])
    (tmp_path / "split.onnx.data").unlink()
    with pytest.raises(EngineFileError, match=r"split\.onnx cannot be run"):
        OnnxSession(path)


class Baked(torch.nn.Module):
    """Computes a size from the example, as a whole pipeline's positions are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.from_numpy(np.linspace(0, 1, int(x.shape[1]), dtype=np.float32))


def test_a_size_that_cannot_be_free_is_an_error(tmp_path):
    with pytest.raises(EngineExportError, match="was fixed to 3"):
        export_network(Baked(), {"x": torch.ones(2, 3)}, {"x": ("rows", "size")}, tmp_path / "x.onnx", Form.DECOMPOSED)
    with pytest.raises(EngineExportError, match="y"):
        export_network(Baked(), {"x": torch.ones(2, 3)}, {"y": ("rows",)}, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_parity_finds_an_engine_that_is_wrong():
    x = [{"x": torch.ones(1, size)} for size in (2, 3, 4)]
    exact = lambda values: values["x"]  # noqa: E731
    assert [parity.relative_error for parity in check_parity(exact, exact, x, 1e-4)] == [0, 0, 0]
    with pytest.raises(EngineParityError, match="fewest"):
        check_parity(exact, exact, x[:2] + x[:1], 1e-4)
    with pytest.raises(EngineParityError, match="off"):
        check_parity(exact, lambda values: values["x"] * 1.001, x, 1e-4)
    with pytest.raises(EngineParityError, match="off"):
        check_parity(exact, lambda values: values["x"] * np.nan, x, 1e-4)
    with pytest.raises(EngineParityError, match="gave"):
        check_parity(exact, lambda values: values["x"][:, :-1], x, 1e-4)


def test_what_cannot_be_run_says_so(exported, tmp_path):
    session = OnnxSession(exported[Form.NATIVE], threads=1)
    right = inputs(*EXAMPLE)
    with pytest.raises(EngineError, match="takes tokens, timestep"):
        session({"tokens": right["tokens"]})
    with pytest.raises(EngineError, match="refused"):
        session(right | {"tokens": right["tokens"].double()})
    with pytest.raises(EngineError, match="refused"):
        session(right | {"text": right["text"][..., :-1]})
    with pytest.raises(EngineError, match="no provider npu"):
        OnnxSession(exported[Form.NATIVE], "npu")
    broken = tmp_path / "broken.onnx"
    with pytest.raises(EngineFileError, match="missing"):
        OnnxSession(broken)
    for content in (b"", b"no graph", exported[Form.NATIVE].read_bytes()[:20_000]):
        broken.write_bytes(content)
        with pytest.raises(EngineFileError, match=r"broken\.onnx cannot be run"):
            OnnxSession(broken)


@pytest.mark.parametrize("form", Form)
def test_bound_inputs_and_results_are_those_of_a_plain_run(form, exported):
    """The result is written where PyTorch has it, and inputs are read where they lie: other than by a copy, nothing differs."""
    session = OnnxSession(exported[form], threads=1)
    for values in samples():
        plain = session._session.run(None, {name: value.numpy() for name, value in values.items()})[0]
        np.testing.assert_array_equal(session(values).numpy(), plain)
    # Values that do not lie one after the other are put in order first.
    turned = values | {"tokens": values["tokens"].transpose(0, 2).contiguous().transpose(0, 2)}
    assert not turned["tokens"].is_contiguous()
    np.testing.assert_array_equal(session(turned).numpy(), plain)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_is_an_error(provider, exported):
    import onnxruntime

    if len(onnxruntime.get_available_providers()) > 2:
        pytest.skip("this ONNX Runtime has providers for GPUs")
    with pytest.raises(EngineError, match="engines-gpu"):
        OnnxSession(exported[Form.NATIVE], provider)

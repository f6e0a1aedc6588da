"""Smaller weights for engines."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from joyai_ros.engines.export import SINGLE_FILE_BYTES
from joyai_ros.engines.session import runtime

_GROUP = 32  # weights of a column that share a 4-bit scale


def quantise_dynamic(source: Path, target: Path, external_data: bool = False) -> Path:
    """Write an ONNX file with 8-bit weights for its matrix products, and return its path.

    Each column of a weight has its own scale; activations are rounded to 8 bits as they come, with a scale for each
    tensor. Only the CPU provider runs this well; TensorRT does not parse it.

    Args:
        source: an ONNX file in 16 or 32 bits, of either form.
        target: is written.
        external_data: whether the weights come to a file of their own.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """
    runtime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    root.addFilter(_is_no_advice)
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=external_data,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.removeFilter(_is_no_advice)
    return target


def _is_no_advice(record: logging.LogRecord) -> bool:
    """Tell the library's advice to rewrite the graph first, which gains nothing here, from other lines of the log."""
    return "pre-processing before quantization" not in record.getMessage()


def quantise_weights(source: Path, target: Path) -> Path:
    """Write a decomposed ONNX file whose matrix products have 8-bit weights, and return its path.

    Only the weights are rounded, each column with its own scale: products are computed in the type of the graph. It is
    what TensorRT parses, and any provider runs it.

    Args:
        source: an ONNX file in 16 or 32 bits.
        target: is written, with its weights in ``<name>.data`` beside it where they do not fit.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    weights = {value.name: value for value in graph.initializer}
    shared = Counter(name for node in graph.node for name in node.input)
    added = []
    for node in graph.node:
        # A weight that something else takes too would have to stay as it is beside its smaller one.
        if node.op_type != "MatMul" or node.input[1] not in weights or shared[node.input[1]] > 1:
            continue
        name = node.input[1]
        values = numpy_helper.to_array(weights[name])
        if values.ndim != 2 or values.dtype not in (np.float16, np.float32):
            continue
        small, scale = _rounded(values)
        graph.initializer.remove(weights[name])
        graph.initializer.extend(
            [numpy_helper.from_array(small, f"{name}_int8"), numpy_helper.from_array(scale, f"{name}_scale")]
        )
        added.append(helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [f"{name}_wide"], axis=1))
        node.input[1] = f"{name}_wide"
    for node in reversed(added):
        graph.node.insert(0, node)
    large = model.ByteSize() > SINGLE_FILE_BYTES
    onnx.save(model, target, save_as_external_data=large, location=f"{target.name}.data")
    return target


def quantise_four_bits(source: Path, target: Path, external_data: bool = False) -> Path:
    """Write an ONNX file whose matrix products have 4-bit weights, and return its path.

    Groups of 32 weights have a scale. The operator (``MatMulNBits``) is ONNX Runtime's own.

    Args:
        source: an ONNX file in 16 or 32 bits, of either form.
        target: is written.
        external_data: whether the weights come to a file of their own.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """
    runtime()
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.WARNING)  # a line per node
    quantiser = MatMulNBitsQuantizer(onnx.load(source), bits=4, block_size=_GROUP, is_symmetric=True)
    quantiser.process()
    quantiser.model.save_model_to_file(str(target), external_data)
    return target


def _rounded(values: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.floating]]:
    """Return a (rows, columns) weight in 8 bits and the (columns,) scales, in the type that it had."""
    largest = np.abs(values.astype(np.float32)).max(axis=0)
    scale = np.where(largest > 0, largest / 127, 1).astype(values.dtype)
    # The smallest scales of half precision may have come to zero.
    scale = np.maximum(scale, np.finfo(values.dtype).smallest_subnormal)
    small = np.clip(np.rint(values.astype(np.float32) / scale.astype(np.float32)), -127, 127)
    return small.astype(np.int8), scale

"""Smaller weights for engines on the CPU."""

from __future__ import annotations

from pathlib import Path

from joyai_ros.engines.session import runtime


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

    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=external_data,
        extra_options={"MatMulConstBOnly": True},
    )
    return target

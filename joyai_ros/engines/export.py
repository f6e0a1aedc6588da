"""A PyTorch network becomes an ONNX graph with free sizes.

Two forms are written. The *native* one (opset 23) keeps attention as one operator, which ONNX Runtime runs. The
*decomposed* one (opset 20) has only operators that older TensorRT releases parse too.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from joyai_ros.engines.errors import EngineExportError

# A protobuf file ends at 2 GiB; the graph itself needs a little of it.
SINGLE_FILE_BYTES = 2_000_000_000
LARGEST_SIZE = 1 << 20

Axes = Mapping[str, Sequence[str | None]]


class Form(Enum):
    """How an exported graph is written; the value is its opset."""

    NATIVE = 23
    DECOMPOSED = 20


def export_network(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    axes: Axes,
    path: Path,
    form: Form = Form.NATIVE,
    output: str = "output",
    external_data: bool | None = None,
) -> Path:
    """Write the network as an ONNX file and return its path.

    That a size is free is not proof that no value was computed from the example's: hold the file against the network
    at several shapes, with :func:`joyai_ros.engines.parity.check_parity`.

    Args:
        network: takes the inputs by name and returns one tensor.
        inputs: an example of each; every free size in it must be 2 or more.
        axes: for each input the names of its free axes, None where a size is fixed. A sum, such as ``tokens+words``,
            is free and follows from others.
        path: of the file; weights outside it come to ``<name>.data`` beside it.
        form: how it is written.
        output: name of the result.
        external_data: whether the weights come to a file of their own; None where they do not fit otherwise.

    Raises:
        EngineExportError: the network cannot be exported with these axes.
    """
    unlisted = set(inputs) ^ set(axes)
    if unlisted:
        raise EngineExportError(f"inputs and axes differ in {', '.join(sorted(unlisted))}; name each input in both")
    if external_data is None:
        external_data = _weight_bytes(network) > SINGLE_FILE_BYTES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own deprecations; nothing in them is about the network
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it counts what of torchvision it will not need
            program = torch.onnx.export(
                network.eval(),
                (),
                kwargs=dict(inputs),
                dynamo=True,
                opset_version=form.value,
                dynamic_shapes=_free_sizes(axes),
                output_names=[output],
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, torch._dynamo.exc.UserError) as error:
        raise EngineExportError(f"the network cannot be exported at opset {form.value}: {error}") from error
    if program is None:
        raise EngineExportError("torch.onnx gave no graph; use the release of PyTorch in constraints.txt")
    _check_free(program.model, axes)
    _one_mask_row_per_query(program.model)
    program.save(str(path), external_data=external_data)
    _forget_inner_shapes(path)
    return path


def _weight_bytes(network: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in network.state_dict().values())


def _free_sizes(axes: Axes) -> dict[str, dict[int, Any]]:
    """Return torch.export's description of the free axes."""
    # Below 2, torch.export would take a size as one that is broadcast; the graph itself runs with 1.
    names = {name for sizes in axes.values() for name in sizes if name is not None and "+" not in name}
    named = {name: torch.export.Dim(name, min=2, max=LARGEST_SIZE) for name in names}
    auto = torch.export.Dim.AUTO
    return {
        name: {at: named.get(size, auto) for at, size in enumerate(sizes) if size is not None}
        for name, sizes in axes.items()
    }


def _check_free(model: Any, axes: Axes) -> None:
    """Raise where the exporter fixed a size that should be free."""
    for value in model.graph.inputs:
        for at, size in enumerate(axes[value.name]):
            if size is not None and isinstance(value.shape[at], int):
                raise EngineExportError(f"size {at} of {value.name} ({size}) was fixed to {value.shape[at]}")


def _one_mask_row_per_query(model: Any) -> None:
    """Give each attention's mask as many rows as there are queries.

    By ONNX's definition a mask may be broadcast over them; ONNX Runtime 1.31 refuses that.
    """
    import onnx_ir

    wide: dict[str, Any] = {}
    for node in list(model.graph):
        if node.op_type != "Attention" or len(node.inputs) < 4 or node.inputs[3] is None:
            continue
        query, mask = node.inputs[0], node.inputs[3]
        if mask.name not in wide:
            ones = onnx_ir.node("Constant", [], {"value_ints": [1, 1]})
            last = onnx_ir.node("Constant", [], {"value_ints": [1]})
            queries = onnx_ir.node("Shape", [query], {"start": 2, "end": 3})
            shape = onnx_ir.node("Concat", [one.outputs[0] for one in (ones, queries, last)], {"axis": 0})
            expand = onnx_ir.node("Expand", [mask, shape.outputs[0]])
            added = (ones, last, queries, shape, expand)
            for part in added:
                part.outputs[0].name = f"{mask.name}_{part.op_type.lower()}_{added.index(part)}"
            model.graph.insert_before(node, added)
            wide[mask.name] = expand.outputs[0]
        node.replace_input_with(3, wide[mask.name])


def _forget_inner_shapes(path: Path) -> None:
    """Drop what a file says of the sizes of weights and between operators.

    It adds nothing, as tools infer sizes themselves; those that rewrite weights leave it as it was and then refuse it.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    del model.graph.value_info[:]
    onnx.save(model, path)

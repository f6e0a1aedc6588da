"""ONNX Runtime behind one call: named tensors in, a tensor out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from joyai_ros.engines.errors import EngineError, EngineFileError
from joyai_ros.errors import MissingDependencyError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


def runtime() -> Any:
    """Return the module of ONNX Runtime.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "ONNX Runtime is not installed; install joyai_ros[engines-cpu] or joyai_ros[engines-gpu]"
        ) from error
    return onnxruntime


class OnnxSession:
    """Runs an ONNX file.

    Tensors are handed over in the machine's main memory; those of a GPU are copied there and back.
    """

    def __init__(
        self, path: Path, provider: str = "cpu", threads: int = 0, options: Mapping[str, str] | None = None
    ) -> None:
        """Load the file.

        Args:
            path: of the ONNX file; its external data lies beside it.
            provider: what runs it, one of :data:`PROVIDERS`. What ``tensorrt`` cannot run, ``cuda`` does, and what
                that cannot, the CPU does.
            threads: of the CPU for one operator; 0 for as many as ONNX Runtime chooses.
            options: of the provider, such as ``trt_fp16_enable``.

        Raises:
            EngineFileError: the file is missing, or no ONNX graph.
            EngineError: there is no such provider here.
            MissingDependencyError: ONNX Runtime is not installed.
        """
        library = runtime()
        settings = library.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.log_severity_level = 3
        names = _providers(library, provider)
        chosen = [(name, dict(options or {}) if at == 0 else {}) for at, name in enumerate(names)]
        if not path.is_file():
            raise EngineFileError(f"{path} is missing; export the network again")
        failures = library.capi.onnxruntime_pybind11_state
        try:
            self._session: Any = library.InferenceSession(str(path), settings, providers=chosen)
        except (
            failures.InvalidProtobuf,
            failures.InvalidGraph,
            failures.InvalidArgument,
            failures.Fail,
            failures.RuntimeException,
            failures.NotImplemented,
        ) as error:
            raise EngineFileError(f"{path} cannot be run: {_line(error)}; export the network again") from error
        # A provider whose libraries do not load is left out with no more than a line in a log.
        if self._session.get_providers()[0] != names[0]:
            raise EngineError(f"{names[0]} could not be started; see that its libraries and driver are installed")
        self._failures = (failures.Fail, failures.InvalidArgument, failures.RuntimeException)
        self._inputs = tuple(value.name for value in self._session.get_inputs())

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that a call takes."""
        return self._inputs

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the result for these inputs, on the device that the first of them is on.

        Raises:
            EngineError: an input is missing, or of a type or shape that the graph does not take.
        """
        if set(inputs) != set(self._inputs):
            raise EngineError(f"the engine takes {', '.join(self._inputs)}; it was given {', '.join(inputs)}")
        device = next(iter(inputs.values())).device
        arrays = {name: value.detach().contiguous().cpu().numpy() for name, value in inputs.items()}
        try:
            result = self._session.run(None, arrays)[0]
        except self._failures as error:
            raise EngineError(f"the engine refused its inputs: {_line(error)}") from error
        return torch.from_numpy(result).to(device)


def _providers(library: Any, provider: str) -> list[str]:
    """Return the runtime's names of a provider and of those that stand in for it, best first."""
    if provider not in PROVIDERS:
        raise EngineError(f"there is no provider {provider}; use one of {', '.join(PROVIDERS)}")
    order = list(PROVIDERS)
    names = [PROVIDERS[name] for name in reversed(order[: order.index(provider) + 1])]
    present = library.get_available_providers()
    if names[0] not in present:
        raise EngineError(f"this ONNX Runtime has no {names[0]}; install joyai_ros[engines-gpu]")
    return [name for name in names if name in present]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

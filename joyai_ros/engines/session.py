"""ONNX Runtime behind one call: named tensors in, a tensor out.

Inputs and the result are bound where PyTorch has them, so nothing is copied on the way in or out: neither on the CPU, where
this is tested, nor on a GPU, where it was never run.
"""

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
_TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16}


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
    """Runs an ONNX file, on the CPU or on the first GPU."""

    def __init__(self, path: Path, provider: str = "cpu", threads: int = 0) -> None:
        """Load the file.

        Args:
            path: of the ONNX file; its external data lies beside it.
            provider: what runs it, one of :data:`PROVIDERS`. What ``tensorrt`` cannot run, ``cuda`` does, and what
                that cannot, the CPU does.
            threads: of the CPU for one operator; 0 for as many as ONNX Runtime chooses.

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
        if not path.is_file():
            raise EngineFileError(f"{path} is missing; export the network again")
        failures = library.capi.onnxruntime_pybind11_state
        try:
            self._session: Any = library.InferenceSession(str(path), settings, providers=names)
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
        self._failures = (failures.Fail, failures.InvalidArgument, failures.RuntimeException, RuntimeError)
        self._sizes = {value.name: value.shape for value in self._session.get_inputs()}
        (self._output,) = self._session.get_outputs()
        self._place = torch.device("cpu") if provider == "cpu" else torch.device("cuda", 0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that a call takes."""
        return tuple(self._sizes)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the result for these inputs, on the device that the first of them is on.

        Raises:
            EngineError: an input is missing, or of a type or shape that the graph does not take.
        """
        if set(inputs) != set(self._sizes):
            raise EngineError(f"the engine takes {', '.join(self._sizes)}; it was given {', '.join(inputs)}")
        held = {name: value.detach().to(self._place).contiguous() for name, value in inputs.items()}
        result = torch.empty(self._result_shape(held), dtype=_TYPES[self._output.type], device=self._place)
        binding = self._session.io_binding()
        for name, value in held.items():
            binding.bind_input(name, *self._where(value))
        binding.bind_output(self._output.name, *self._where(result))
        if result.is_cuda:  # the runtime has a stream of its own
            torch.cuda.current_stream(self._place).synchronize()
        try:
            self._session.run_with_iobinding(binding)
        except self._failures as error:
            raise EngineError(f"the engine refused its inputs: {_line(error)}") from error
        return result.to(next(iter(inputs.values())).device)

    def _where(self, value: Tensor) -> tuple[Any, ...]:
        """Return where a tensor is and what it holds, as the runtime takes it."""
        element = torch.empty(0, dtype=value.dtype).numpy().dtype
        return self._place.type, self._place.index or 0, element, tuple(value.shape), value.data_ptr()

    def _result_shape(self, held: Mapping[str, Tensor]) -> list[int]:
        """Return the shape of the result: its free sizes have the names of the inputs'."""
        named = {
            size: value.shape[at]
            for name, value in held.items()
            for at, size in enumerate(self._sizes[name][: value.ndim])
            if isinstance(size, str)
        }
        return [named[size] if isinstance(size, str) else size for size in self._output.shape]


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

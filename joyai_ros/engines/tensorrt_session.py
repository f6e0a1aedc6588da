"""A built TensorRT engine behind the same call as ONNX Runtime: named tensors in, a tensor out, on its GPU.

It was never run: no machine of this project had a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from joyai_ros.engines.cuda_graphs import Replayed
from joyai_ros.engines.errors import EngineError, EngineFileError
from joyai_ros.engines.tensorrt_build import check_rtx_engine, last_said, quiet_logger, tensorrt_library


class TensorRtSession:
    """Runs an engine of either TensorRT; its only GPU is torch's current one."""

    def __init__(self, path: Path, rtx: bool = True, cuda_graphs: bool = False) -> None:
        """Load the engine.

        Args:
            path: of its file.
            rtx: whether TensorRT for RTX built it, or TensorRT.
            cuda_graphs: whether calls of the same sizes are replayed as one CUDA graph.

        Raises:
            EngineFileError: the file is missing or no engine of this library, version and GPU.
            EngineError: there is no GPU here that it runs on.
            MissingDependencyError: the library is not installed.
        """
        library = tensorrt_library(rtx)
        if rtx:
            check_rtx_engine(path)
        if not torch.cuda.is_available():
            raise EngineError(f"{path} needs the GPU that it was built for, and there is none here")
        self._said: list[str] = []
        self._runtime = library.Runtime(quiet_logger(library, self._said))
        try:
            engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        except OSError as error:
            raise EngineFileError(f"{path} cannot be read: {error}; build the engine again") from error
        if engine is None:
            raise EngineFileError(f"{path} cannot be loaded: {last_said(self._said)}; build it for this GPU")
        self._engine = engine
        self._context = engine.create_execution_context()
        types = {
            library.DataType.FLOAT: torch.float32,
            library.DataType.HALF: torch.float16,
            library.DataType.BOOL: torch.bool,
        }
        names = [engine.get_tensor_name(at) for at in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        self._types = {name: types[engine.get_tensor_dtype(name)] for name in names}
        self.inputs = tuple(name for name in names if modes[name] == library.TensorIOMode.INPUT)
        (self._output,) = (name for name in names if modes[name] == library.TensorIOMode.OUTPUT)
        # A graph holds on to its context, whose sizes may then not change.
        self._replayed = Replayed(lambda held: self._bound(engine.create_execution_context(), held))
        self._has_graphs = cuda_graphs

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the result for these inputs, on the device that the first of them is on.

        Raises:
            EngineError: an input is missing, or of a shape that the engine was not built for.
        """
        if set(inputs) != set(self.inputs):
            raise EngineError(f"the engine takes {', '.join(self.inputs)}; it was given {', '.join(inputs)}")
        device = next(iter(inputs.values())).device
        held = {name: value.to("cuda", self._types[name]).contiguous() for name, value in inputs.items()}
        if self._has_graphs:
            return self._replayed(held).to(device)
        result = self._bound(self._context, held)()
        torch.cuda.current_stream().synchronize()  # inputs that were made here must live until they have been read
        return result.to(device)

    def _bound(self, context: Any, held: Mapping[str, Tensor]) -> Callable[[], Tensor]:
        """Return the engine's call for these inputs, where they lie."""
        for name, value in held.items():
            if not context.set_input_shape(name, tuple(value.shape)):
                raise EngineError(f"the engine was not built for {name} of {tuple(value.shape)}: {self._reason()}")
            context.set_tensor_address(name, value.data_ptr())
        shape = tuple(context.get_tensor_shape(self._output))
        result = torch.empty(shape, dtype=self._types[self._output], device="cuda")
        context.set_tensor_address(self._output, result.data_ptr())

        def run() -> Tensor:
            stream: Any = torch.cuda.current_stream()
            if not context.execute_async_v3(stream.cuda_stream):
                raise EngineError(f"the engine failed: {self._reason()}")
            return result

        return run

    def _reason(self) -> str:
        return last_said(self._said)

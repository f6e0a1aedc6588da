"""A built TensorRT engine behind the same call as ONNX Runtime: named tensors in, a tensor out, on its GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from joyai_ros.engines.errors import EngineError, EngineFileError
from joyai_ros.engines.tensorrt_build import check_rtx_engine, last_said, quiet_logger, tensorrt_library


class TensorRtSession:
    """Runs an engine of TensorRT for RTX; its only GPU is torch's current one."""

    def __init__(self, path: Path) -> None:
        """Load the engine.

        Raises:
            EngineFileError: the file is missing or no engine of this library, version and GPU.
            EngineError: there is no GPU here that it runs on.
            MissingDependencyError: the library is not installed.
        """
        check_rtx_engine(path)
        if not torch.cuda.is_available():
            raise EngineError(f"{path} needs the GPU that it was built for, and there is none here")
        library = tensorrt_library()
        self._said: list[str] = []
        self._runtime = library.Runtime(quiet_logger(library, self._said))
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
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

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the result for these inputs, on the device that the first of them is on.

        Raises:
            EngineError: an input is missing, or of a shape that the engine was not built for.
        """
        if set(inputs) != set(self.inputs):
            raise EngineError(f"the engine takes {', '.join(self.inputs)}; it was given {', '.join(inputs)}")
        device = next(iter(inputs.values())).device
        held = {name: value.to("cuda", self._types[name]).contiguous() for name, value in inputs.items()}
        for name, value in held.items():
            if not self._context.set_input_shape(name, tuple(value.shape)):
                raise EngineError(f"the engine was not built for {name} of {tuple(value.shape)}: {self._reason()}")
            self._context.set_tensor_address(name, value.data_ptr())
        shape = tuple(self._context.get_tensor_shape(self._output))
        result = torch.empty(shape, dtype=self._types[self._output], device="cuda")
        self._context.set_tensor_address(self._output, result.data_ptr())
        stream: Any = torch.cuda.current_stream()
        if not self._context.execute_async_v3(stream.cuda_stream):
            raise EngineError(f"the engine failed: {self._reason()}")
        stream.synchronize()  # the inputs that were made here must live until they have been read
        return result.to(device)

    def _reason(self) -> str:
        return last_said(self._said)

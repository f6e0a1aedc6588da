"""Settings of engines, apart from the libraries that run them: whoever reads settings needs none of these."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from joyai_ros.settings import setting


class EngineKind(enum.Enum):
    """What runs a network."""

    TORCH = "torch"
    ONNX = "onnx"  # ONNX Runtime
    TENSORRT = "tensorrt"  # of datacentres and of JetPack: builds for the GPU that is there
    TENSORRT_RTX = "tensorrt_rtx"  # for RTX: builds for GPUs that are elsewhere

    @property
    def is_tensorrt(self) -> bool:
        """Whether it is one of the two libraries of that name."""
        return self in (EngineKind.TENSORRT, EngineKind.TENSORRT_RTX)


class Provider(enum.Enum):
    """What ONNX Runtime runs a graph with."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


class EnginePrecision(enum.Enum):
    """The types of an engine: what it computes in, or what its weights are kept in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    INT4 = "int4"  # ONNX Runtime's own operator: TensorRT does not parse it


class OnFailure(enum.Enum):
    """What happens where an engine is missing, broken or of something else."""

    WARN = "warn"  # and let PyTorch run the network
    FAIL = "fail"


@dataclass(frozen=True)
class EngineConfig:
    """What runs the MMDiT."""

    kind: EngineKind = setting(EngineKind.TORCH, "what runs the MMDiT: torch, onnx, tensorrt or tensorrt_rtx")
    folder: str = setting("", "of the engine, as joyai-ros engine build says it; empty: in the cache of engines")
    provider: Provider = setting(Provider.CPU, "of ONNX Runtime: cpu, cuda or tensorrt")
    precision: EnginePrecision = setting(EnginePrecision.FP32, "of the engine: fp32, fp16, int8 or int4")
    resolutions: tuple[int, ...] = setting((256,), "of views, pixels, that a TensorRT engine was built for")
    compile: str = setting("", "backend of torch.compile for PyTorch, such as inductor; empty: not compiled")
    cuda_graphs: bool = setting(False, "replay a step as one CUDA graph, by PyTorch or TensorRT; needs a GPU")
    on_failure: OnFailure = setting(OnFailure.WARN, "where an engine cannot be used: warn and take PyTorch, or fail")

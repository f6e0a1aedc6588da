"""What runs the MMDiT, as the settings say: an engine, or PyTorch where there is none or where it cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from joyai_ros.engines.cache import engines_root
from joyai_ros.engines.config import EngineConfig, EngineKind, OnFailure
from joyai_ros.engines.cuda_graphs import Replayed
from joyai_ros.engines.errors import EngineError, EngineFileError
from joyai_ros.errors import ConfigError, MissingDependencyError
from joyai_ros.imagination.config import PipelineLoading
from joyai_ros.imagination.engine_files import CPU, Run, Source, find, open_session, present_gpu
from joyai_ros.imagination.mmdit.denoiser import Denoiser, TorchDenoiser
from joyai_ros.imagination.mmdit.loading import Pipeline, load_pipeline
from joyai_ros.imagination.mmdit.token_network import EngineDenoiser, TokenNetwork
from joyai_ros.models.devices import device_of
from joyai_ros.models.pipeline_folder import check_pipeline

_WORDS = 64  # of which a text's length is a multiple where calls are captured for their sizes
_FAILURES = (EngineError, EngineFileError, MissingDependencyError)


@dataclass(frozen=True)
class OpenPipeline:
    """A loaded pipeline, and what runs its MMDiT.

    Attributes:
        pipeline: its parts; where an engine runs the MMDiT, without the MMDiT's weights.
        denoiser: runs the MMDiT.
        fallback: why PyTorch runs it though the settings name an engine; empty otherwise.
    """

    pipeline: Pipeline
    denoiser: Denoiser
    fallback: str = ""


def open_pipeline(
    folder: Path,
    loading: PipelineLoading = PipelineLoading(),
    engine: EngineConfig = EngineConfig(),
    warn: Callable[[str], None] = logging.getLogger(__name__).warning,
) -> OpenPipeline:
    """Return a pipeline with what the settings say runs its MMDiT.

    Args:
        folder: of the pipeline.
        loading: how it is loaded.
        engine: what runs the MMDiT, and what happens where that cannot be.
        warn: told why PyTorch runs it instead of an engine.

    Raises:
        PipelineFolderError: the folder is not one of such a pipeline.
        ConfigError: there is no such precision, device or compiler.
        DrawMemoryError: it does not fit.
        EngineError, EngineFileError, MissingDependencyError: the engine cannot be used, and is not to be replaced.
    """
    _check(loading, engine)
    words = _WORDS if engine.cuda_graphs else 1
    why = ""
    if engine.kind is not EngineKind.TORCH:
        try:
            run = _open_engine(folder, loading, engine)
        except _FAILURES as error:
            if engine.on_failure is OnFailure.FAIL:
                raise
            why = f"PyTorch runs the MMDiT instead of {engine.kind.value}: {error}"
            warn(why)
        else:
            return OpenPipeline(
                load_pipeline(folder, loading, transformer=False, share=True), EngineDenoiser(run, words)
            )
    pipeline = load_pipeline(folder, loading, share=True)
    if not engine.cuda_graphs:
        return OpenPipeline(pipeline, TorchDenoiser(pipeline.transformer, engine.compile or None), why)
    network = TokenNetwork(pipeline.transformer, engine.compile or None)
    return OpenPipeline(pipeline, EngineDenoiser(Replayed(lambda held: partial(network, **held)), words), why)


def _check(loading: PipelineLoading, engine: EngineConfig) -> None:
    if engine.compile and engine.compile not in torch.compiler.list_backends(()):
        raise ConfigError(
            f"there is no backend {engine.compile!r} of torch.compile; use one of {', '.join(torch.compiler.list_backends())}"
        )
    if not engine.cuda_graphs:
        return
    if engine.kind is EngineKind.ONNX:
        raise ConfigError(
            "cuda_graphs is of PyTorch and TensorRT; leave it out with ONNX Runtime, or choose another kind"
        )
    if device_of(loading.device).type != "cuda" or loading.in_turn:
        raise ConfigError("cuda_graphs needs the MMDiT to stay on a GPU; leave it out, or set device, and not in_turn")


def _open_engine(folder: Path, loading: PipelineLoading, engine: EngineConfig) -> Run:
    found = check_pipeline(folder, loading.text_encoder, loading.hashes)
    target = present_gpu(engine.kind is EngineKind.TENSORRT_RTX) if engine.kind.is_tensorrt else CPU
    source = Source(found, engine, target)
    return open_session(source, find(source, engines_root()))

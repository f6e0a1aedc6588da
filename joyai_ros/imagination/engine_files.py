"""Engines of a pipeline's MMDiT: what they are built from, where they lie, and whether they compute what PyTorch does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from joyai_ros.engines.cache import EngineKey, cached_engine, open_engine
from joyai_ros.engines.config import EngineConfig, EngineKind, EnginePrecision, Provider
from joyai_ros.engines.errors import EngineFileError, EngineTargetError
from joyai_ros.engines.export import SINGLE_FILE_BYTES, Form, export_network
from joyai_ros.engines.parity import TOLERANCES, Parity, check_parity
from joyai_ros.engines.quantise import quantise_dynamic, quantise_four_bits, quantise_weights
from joyai_ros.engines.session import OnnxSession, runtime
from joyai_ros.engines.tensorrt_build import Sizes, build_engine, check_target, library_name, tensorrt_library
from joyai_ros.engines.tensorrt_session import TensorRtSession
from joyai_ros.imagination.memory import image_tokens, network_in, refuse_if_it_cannot_fit, text_tokens
from joyai_ros.imagination.mmdit.loading import load_transformer
from joyai_ros.imagination.mmdit.token_network import AXES, OUTPUT, TokenNetwork, example_inputs
from joyai_ros.models.folder import known_hashes
from joyai_ros.models.memory import free_memory
from joyai_ros.models.pipeline_folder import PipelineFolder

Run = Callable[[Mapping[str, Tensor]], Tensor]
GRAPH, PLAN = "engine.onnx", "engine.plan"
CPU = "cpu"  # the target of graphs, which are made for no GPU
# Rows, patches of the view and of its reference, and words: of the export, and of the shapes that are compared.
_EXAMPLE = (2, (3, 4), 7)
_SMALLEST = 64  # pixels: activations of these shapes
_SAMPLES = ((1, (4, 4), 5), (2, (4, 4), 9), (1, (8, 6), 23))


@dataclass(frozen=True)
class Source:
    """What an engine is made of: a checked folder, and how the engine is to be.

    Attributes:
        found: the pipeline's folder.
        how: kind, precision, provider and sizes of the engine.
        target: GPU that it is for, such as ``sm89``; :data:`CPU` for graphs.
    """

    found: PipelineFolder
    how: EngineConfig
    target: str = CPU

    def __post_init__(self) -> None:
        if self.how.kind.is_tensorrt and self.how.precision is EnginePrecision.INT4:
            raise EngineTargetError("TensorRT does not parse ONNX Runtime's 4 bits; choose fp32, fp16 or int8")

    @property
    def form(self) -> Form:
        """In which form the graph is exported."""
        is_native = self.how.kind is EngineKind.ONNX and self.how.provider is Provider.CPU
        return Form.NATIVE if is_native else Form.DECOMPOSED

    @property
    def half(self) -> bool:
        """Whether the network computes in 16 bits."""
        is_small = self.how.precision in (EnginePrecision.FP16, EnginePrecision.INT8)
        return self.how.precision is EnginePrecision.FP16 or (self.form is Form.DECOMPOSED and is_small)

    @property
    def rtx(self) -> bool:
        """Whether TensorRT for RTX builds it, rather than TensorRT."""
        return self.how.kind is EngineKind.TENSORRT_RTX

    @property
    def sizes(self) -> Mapping[str, Sizes] | None:
        """What the axes may be; None where all sizes are free."""
        if not self.how.kind.is_tensorrt:
            return None
        least, most = min(self.how.resolutions), max(self.how.resolutions)
        images, words = image_tokens(most), text_tokens(most)
        return {
            "rows": Sizes(1, 2, 4),
            # Without a reference there are half as many; buckets that are not square may have a few more.
            "tokens": Sizes(image_tokens(least) // 4, images, images + images // 4),
            "words": Sizes(1, words, 2 * words + 256),
        }

    @cached_property  # the weights' files are read for it
    def key(self) -> EngineKey:
        """Everything that the engine depends on.

        Raises:
            MissingDependencyError: what builds it is not installed.
        """
        is_graph = self.sizes is None
        library = f"onnxruntime {runtime().__version__}" if is_graph else library_name(self.rtx)
        shapes = f"free, {self.form.name.lower()}" if is_graph else str(self.sizes)
        return EngineKey(
            transformer_hash(self.found), shapes, self.how.precision.value, library, CPU if is_graph else self.target
        )


def transformer_hash(found: PipelineFolder) -> str:
    """Return the SHA-256 of the files of a folder's MMDiT; of a download, those that were noted when it came."""
    folder = found.folder / "transformer"
    files = sorted([folder / "config.json", *folder.glob("*.safetensors")])
    state = hashlib.sha256()
    for path, digest in known_hashes(found.folder, files):
        state.update(f"{path.name} {digest}\n".encode())
    return state.hexdigest()


def export_graph(source: Source, path: Path, form: Form) -> Path:
    """Write the MMDiT of a folder as an ONNX file of this form and return its path."""
    network = _network(source.found, torch.float16 if source.half else torch.float32)
    return export_network(network, example_inputs(network.transformer.config, *_EXAMPLE), AXES, path, form, OUTPUT)


def build(source: Source, cache: Path, on_stage: Callable[[str], None] = lambda stage: None) -> Path:
    """Return the folder of an engine in a cache, which is built where it is missing or broken.

    Args:
        source: what it is made of.
        cache: folder of engines.
        on_stage: called with what is done, before each part.

    Raises:
        EngineError: it cannot be built.
        DrawMemoryError: the MMDiT does not fit here.
        MissingDependencyError: what builds it is not installed.
    """
    if source.rtx:
        check_target(source.target)
    on_stage("reading the weights' hashes")
    return cached_engine(cache, source.key, lambda folder: _build(source, folder, on_stage))


def _build(source: Source, folder: Path, on_stage: Callable[[str], None]) -> None:
    precision, target = source.how.precision, folder / GRAPH
    is_small = precision in (EnginePrecision.INT8, EnginePrecision.INT4)
    exported = folder / "exported.onnx" if is_small else target
    on_stage(f"exporting the MMDiT, {source.form.name.lower()} form, {'16' if source.half else '32'} bits")
    export_graph(source, exported, source.form)
    if is_small:
        large = sum(path.stat().st_size for path in folder.iterdir()) > SINGLE_FILE_BYTES
        on_stage(f"making the weights {precision.value}")
        if precision is EnginePrecision.INT4:
            quantise_four_bits(exported, target, large)
        elif source.form is Form.NATIVE:
            quantise_dynamic(exported, target, large)
        else:
            quantise_weights(exported, target)
        _drop(exported)
    if source.sizes is not None:
        on_stage(f"building the engine for {source.target}")
        build_engine(target, folder / PLAN, AXES, source.sizes, source.target if source.rtx else None)
        _drop(target)


def _drop(path: Path) -> None:
    for part in (path, path.with_name(f"{path.name}.data")):
        part.unlink(missing_ok=True)


def find(source: Source, cache: Path, hashes: bool = True) -> Path:
    """Return the folder of an engine: the one that the settings name, or the one in the cache.

    Args:
        source: what it must have been made of.
        cache: folder of engines.
        hashes: whether all its files are read and compared with what was built.

    Raises:
        EngineFileError: it is missing, broken, or was built for something else.
        MissingDependencyError: what would run it is not installed.
    """
    key = source.key
    folder = Path(source.how.folder) if source.how.folder else cache / key.name
    if not folder.is_dir():
        raise EngineFileError(f"there is no engine in {folder}; build it with: joyai-ros engine build")
    return open_engine(folder, key, hashes)


def open_session(source: Source, folder: Path, threads: int = 0) -> Run:
    """Return an engine's call.

    Raises:
        EngineFileError: its file cannot be run.
        EngineError: what runs it is not here.
        MissingDependencyError: the library is not installed.
    """
    if source.how.kind.is_tensorrt:
        return TensorRtSession(folder / PLAN, source.rtx, source.how.cuda_graphs)
    return OnnxSession(folder / GRAPH, source.how.provider.value, threads)


def compare(source: Source, run: Run) -> list[Parity]:
    """Return how far an engine is from PyTorch in 32 bits, at three shapes.

    Raises:
        EngineParityError: it is further off than its precision may be.
    """
    network = _network(source.found, torch.float32)
    samples = [example_inputs(network.transformer.config, *sample, seed) for seed, sample in enumerate(_SAMPLES)]
    return check_parity(lambda values: network(**values), run, samples, TOLERANCES[source.how.precision.value])


def _network(found: PipelineFolder, dtype: torch.dtype) -> Any:
    """Return the MMDiT alone, on the CPU; one that cannot fit is not loaded."""
    alone, kind = (
        replace(network_in(found), vae=0, language=0, language_layers=0),
        "fp16" if dtype.itemsize == 2 else "fp32",
    )
    refuse_if_it_cannot_fit(found.folder, alone, free_memory(torch.device(CPU)), kind, _SMALLEST, kind)
    return TokenNetwork(load_transformer(found, torch.device("cpu"), dtype)).eval()


def present_gpu(rtx: bool) -> str:
    """Return the architecture of the GPU that an engine of TensorRT for RTX, or of TensorRT, would run on here.

    Raises:
        MissingDependencyError: the library is not installed.
        EngineTargetError: there is none.
    """
    tensorrt_library(rtx)
    if not torch.cuda.is_available():
        raise EngineTargetError("there is no GPU here; TensorRT for RTX builds for another one: --target sm89")
    major, minor = torch.cuda.get_device_capability()
    return f"sm{major}{minor}"

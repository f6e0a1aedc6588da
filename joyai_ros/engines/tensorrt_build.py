"""TensorRT engines, built ahead of time from a decomposed ONNX graph.

One module serves the two libraries with this interface: TensorRT for RTX, which builds for other GPUs and on machines
without one, and the TensorRT of datacentres and of JetPack, which builds for the GPU that it finds.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.engines.errors import EngineError, EngineFileError, EngineTargetError, ForeignEngineError
from joyai_ros.engines.export import Axes
from joyai_ros.errors import MissingDependencyError

# The modules of TensorRT for RTX, whole and as the wheel of its bindings alone, and of TensorRT.
RTX_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")
PLAIN_MODULES = ("tensorrt",)


@dataclass(frozen=True)
class Sizes:
    """What an axis may be in an engine: the least, what it is tuned for, and the most."""

    least: int
    usual: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.usual <= self.most:
            raise EngineError(f"sizes are at least 1 and in order, not {self.least}, {self.usual}, {self.most}")


@dataclass(frozen=True)
class Verdict:
    """What TensorRT for RTX says of an engine file's header on this machine.

    Attributes:
        runs: whether the GPU of this machine can run it.
        reasons: why not, in the library's words; empty where this machine has no GPU that could be asked.
    """

    runs: bool
    reasons: tuple[str, ...]


def tensorrt_library(rtx: bool = True) -> Any:
    """Return the module of TensorRT for RTX, or of TensorRT.

    Raises:
        MissingDependencyError: it is not installed, or does not load.
    """
    for name in RTX_MODULES if rtx else PLAIN_MODULES:
        try:
            library = importlib.import_module(name)
        except (ImportError, OSError):
            continue
        if hasattr(library, "Builder"):
            return library
    wanted = "TensorRT for RTX" if rtx else "TensorRT"
    way = "install joyai_ros[engines-rtx]" if rtx else "it comes with JetPack; elsewhere install joyai_ros[engines-gpu]"
    raise MissingDependencyError(f"{wanted} is not installed, or does not load; {way}")


def library_name(rtx: bool = True) -> str:
    """Return the library's name and version, as an engine's key takes it."""
    return f"{'tensorrt-rtx' if rtx else 'tensorrt'} {tensorrt_library(rtx).__version__}"


def check_target(gpu: str) -> None:
    """Raise where TensorRT for RTX does not build for a GPU.

    Raises:
        EngineTargetError: it does not; the message says for which it does.
        MissingDependencyError: the library is not installed.
    """
    _capability(tensorrt_library(), gpu)


def build_engine(source: Path, target: Path, axes: Axes, sizes: Mapping[str, Sizes], gpu: str | None) -> Path:
    """Write the engine of a decomposed ONNX graph and return its path.

    It computes in the types of the graph: a network in half precision gives an engine in half precision.

    Args:
        source: the ONNX file.
        target: is written.
        axes: as for :func:`joyai_ros.engines.export.export_network`.
        sizes: of each named axis.
        gpu: architecture to build for by TensorRT for RTX, such as ``sm89``; None for TensorRT and the GPU that is here.

    Raises:
        EngineError: the graph cannot be built for this GPU.
        EngineFileError: the file is missing or no ONNX graph.
        MissingDependencyError: the library is not installed.
    """
    library = tensorrt_library(rtx=gpu is not None)
    capability = None if gpu is None else _capability(library, gpu)
    if not source.is_file():
        raise EngineFileError(f"{source} is missing; export the network again")
    said: list[str] = []
    logger = quiet_logger(library, said)
    builder = library.Builder(logger)
    # TensorRT 10 and newer: what the graph's types say is done.
    network = builder.create_network(1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = library.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        errors = "; ".join(parser.get_error(at).desc() for at in range(parser.num_errors))
        raise EngineFileError(f"{source} is not a graph that TensorRT can parse: {errors or last_said(said)}")
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile(builder, network, axes, sizes))
    if capability is not None:
        config.num_compute_capabilities = 1
        if not config.set_compute_capability(capability, 0):
            raise EngineError(f"TensorRT for RTX does not build for {gpu}: {last_said(said)}")
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f"TensorRT could not build {source.name} for {gpu or 'this GPU'}: {last_said(said)}")
    target.write_bytes(engine)
    return target


def check_rtx_engine(path: Path) -> Verdict:
    """Return what TensorRT for RTX says of an engine file's header.

    The header alone is looked at; that the rest is what was built, the cache's hashes say.

    Raises:
        EngineFileError: it is no engine of this library.
        ForeignEngineError: it was built by another version of it, or for another GPU than the one here.
        MissingDependencyError: the library is not installed.
    """
    library = tensorrt_library()
    said: list[str] = []
    runtime = library.Runtime(quiet_logger(library, said))
    try:
        with path.open("rb") as file:
            header = file.read(runtime.engine_header_size)
    except OSError as error:
        raise EngineFileError(f"{path} cannot be read: {error}; build the engine again") from error
    validity, found = runtime.get_engine_validity(header)
    members = library.EngineInvalidityDiagnostics.__members__
    reasons = tuple(name for name, flag in members.items() if int(found) & int(flag))
    if "MALFORMED_ENGINE" in reasons:
        raise EngineFileError(f"{path} is no engine of {library_name()}; build it again")
    if {"VERSION_MISMATCH", "UNSUPPORTED_CC"} & set(reasons):
        raise ForeignEngineError(
            f"{path} was built for another version or GPU ({', '.join(reasons)}); build it for this"
        )
    return Verdict(validity != library.EngineValidity.INVALID, reasons)


def _capability(library: Any, gpu: str) -> Any:
    """Return the library's word for an architecture."""
    known = {name: value for name, value in library.ComputeCapability.__members__.items() if name.startswith("SM")}
    if gpu.upper() not in known:
        names = ", ".join(name.lower() for name in known)
        raise EngineTargetError(f"TensorRT for RTX does not build for {gpu}; it builds for {names}")
    return known[gpu.upper()]


def _profile(builder: Any, network: Any, axes: Axes, sizes: Mapping[str, Sizes]) -> Any:
    """Return the library's description of the sizes that each input may have."""
    profile = builder.create_optimization_profile()
    for at in range(network.num_inputs):
        tensor = network.get_input(at)
        shapes = []
        for bound in ("least", "usual", "most"):
            named = zip(tensor.shape, axes[tensor.name], strict=True)
            shapes.append(tuple(fixed if name is None else _size(name, sizes, bound) for fixed, name in named))
        profile.set_shape(tensor.name, *shapes)
    return profile


def _size(name: str, sizes: Mapping[str, Sizes], bound: str) -> int:
    """Return a bound of an axis, which may be a sum such as ``tokens+words``."""
    missing = [part for part in name.split("+") if part not in sizes]
    if missing:
        raise EngineError(f"no sizes are given for {', '.join(missing)}")
    return sum(int(getattr(sizes[part], bound)) for part in name.split("+"))


def quiet_logger(library: Any, said: list[str]) -> Any:
    """Return a logger that keeps errors, to be told in an exception, and is silent otherwise."""
    grave = (library.ILogger.INTERNAL_ERROR, library.ILogger.ERROR)

    def start(self: Any) -> None:
        library.ILogger.__init__(self)

    def log(self: Any, severity: Any, message: str) -> None:
        if severity in grave:
            said.append(message)

    return type("QuietLogger", (library.ILogger,), {"__init__": start, "log": log})()


def last_said(said: list[str]) -> str:
    """Return the last error that a library told its logger, on one line."""
    return " ".join(said[-1].split()) if said else "no reason was given"

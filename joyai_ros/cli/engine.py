"""``joyai-ros engine``: engines of a drawing model's MMDiT, exported, built, checked and timed."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from joyai_ros.cli.machine import processor
from joyai_ros.cli.output import write_json
from joyai_ros.engines.config import EngineConfig, EngineKind, EnginePrecision, Provider
from joyai_ros.errors import InputError, MissingDependencyError, OutputError
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.models.store import find_model

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Export the MMDiT of a drawing model; build, check and time its engines.",
)


class Kinds(str, enum.Enum):
    """What an engine is for."""

    ONNX = EngineKind.ONNX.value
    TENSORRT = EngineKind.TENSORRT.value
    TENSORRT_RTX = EngineKind.TENSORRT_RTX.value


class Forms(str, enum.Enum):
    """Which forms of a graph are written."""

    NATIVE = "native"
    DECOMPOSED = "decomposed"
    BOTH = "both"


_Card = Annotated[str, typer.Argument(metavar="CARD", help="Card or folder of a model that draws.")]
_Kind = Annotated[
    Kinds | None,
    typer.Option("--kind", help="What runs it; default: onnx, and with --target tensorrt_rtx."),
]
_Target = Annotated[
    str, typer.Option("--target", metavar="GPU", help="That TensorRT for RTX builds for, e.g. sm89; default: this one.")
]
_Precision = Annotated[EnginePrecision, typer.Option("--precision", help="Of the engine.")]
_Provider = Annotated[Provider, typer.Option("--provider", help="What ONNX Runtime runs the graph with.")]
_Resolutions = Annotated[
    list[int] | None,
    typer.Option("--resolution", min=64, max=4096, help="Of views, px, for TensorRT; may be repeated; default: 256."),
]
_Cache = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder of engines; default: the user's cache.")
]
_Engine = Annotated[
    str, typer.Option("--engine", metavar="DIR", help="The engine's own folder, instead of a folder of engines.")
]
_Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result; - for stdout.")]
_MEGABYTE = 1e6
_REAL = 1e9  # parameters; what has fewer is none of the published networks


@group.command("export")
def export_graphs(
    card: _Card,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the graphs are written.")],
    form: Annotated[
        Forms, typer.Option("--form", help="Native (opset 23), decomposed (opset 20), or both.")
    ] = Forms.BOTH,
    precision: _Precision = EnginePrecision.FP32,
    json: _Json = None,
) -> None:
    """Write the MMDiT as ONNX files, with free sizes, in 32 or 16 bits."""
    if precision not in (EnginePrecision.FP32, EnginePrecision.FP16):
        raise InputError(f"a graph is exported in fp32 or fp16; {precision.value} is made by: joyai-ros engine build")
    with _libraries():
        from joyai_ros.engines.export import Form
        from joyai_ros.imagination.engine_files import export_graph

        source = _source(card, EngineConfig(kind=EngineKind.ONNX, precision=precision), "")
        out.mkdir(parents=True, exist_ok=True)
        files = []
        with _stages() as say:
            for one in Form:
                if form.value in (one.name.lower(), Forms.BOTH.value):
                    say(f"exporting, {one.name.lower()} form")
                    files.append(export_graph(source, out / f"{one.name.lower()}.onnx", one))
    record = {"card": card, "precision": precision.value, "files": [_file(path) for path in files]}
    _say(json, [f"{entry['path']}: {entry['size'] / _MEGABYTE:.1f} MB" for entry in record["files"]], record)


@group.command("build")
def build_engine(
    card: _Card,
    kind: _Kind = None,
    target: _Target = "",
    precision: _Precision = EnginePrecision.FP32,
    provider: _Provider = Provider.CPU,
    resolution: _Resolutions = None,
    out: _Cache = None,
    json: _Json = None,
) -> None:
    """Build an engine, or find it where it was built before."""
    with _libraries():
        from joyai_ros.engines.cache import engines_root
        from joyai_ros.imagination.engine_files import build

        source = _source(card, _config(kind, target, precision, provider, resolution), target)
        started = time.perf_counter()
        with _stages() as say:
            folder = build(source, out or engines_root(), say)
        seconds = time.perf_counter() - started
        key = source.key
    files = [_file(path) for path in sorted(folder.iterdir())]
    record = {"card": card, "folder": str(folder), "key": asdict(key), "files": files, "seconds": seconds}
    size = sum(entry["size"] for entry in files) / _MEGABYTE
    _say(json, [f"{folder}: {key.precision} for {key.gpu} by {key.library}, {size:.1f} MB, {seconds:.1f} s"], record)


@group.command("check")
def check_engine(
    card: _Card,
    kind: _Kind = None,
    target: _Target = "",
    precision: _Precision = EnginePrecision.FP32,
    provider: _Provider = Provider.CPU,
    resolution: _Resolutions = None,
    out: _Cache = None,
    engine: _Engine = "",
    json: _Json = None,
) -> None:
    """Check that an engine is whole, is this one, and computes what PyTorch computes at three shapes."""
    with _libraries():
        from joyai_ros.imagination.engine_files import compare, open_session

        source = _source(card, _config(kind, target, precision, provider, resolution, engine), target)
        folder = _found(source, out)
        record: dict[str, Any] = {"card": card, "folder": str(folder), "key": asdict(source.key)}
        lines = [f"{folder}: whole, and built for these weights, shapes and {source.key.gpu}"]
        if source.how.kind is EngineKind.TENSORRT_RTX and not _has_gpu():
            lines.append(f"not compared with PyTorch: {_header(folder, record)}")
        else:
            found = compare(source, open_session(source, folder))
            worst = max(parity.relative_error for parity in found)
            record["parity"] = [asdict(parity) for parity in found]
            lines.append(f"compared with PyTorch at {len(found)} shapes: relative error at most {worst:.1e}")
    _say(json, lines, record)


@group.command("bench")
def bench_engine(
    card: _Card,
    kind: _Kind = None,
    target: _Target = "",
    precision: _Precision = EnginePrecision.FP32,
    provider: _Provider = Provider.CPU,
    resolution: _Resolutions = None,
    out: _Cache = None,
    engine: _Engine = "",
    size: Annotated[
        list[int] | None, typer.Option("--size", min=32, max=1024, help="Of views, px; may be repeated.")
    ] = None,
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=1000, help="Timed steps of each.")] = 5,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="Of the CPU, for both.")] = 1,
    json: _Json = None,
) -> None:
    """Time a step of the MMDiT (two rows, as with guidance) by PyTorch and by an engine, at small views."""
    with _libraries():
        from joyai_ros.imagination.engine_bench import step_times
        from joyai_ros.imagination.engine_files import open_session

        source = _source(card, _config(kind, target, precision, provider, resolution, engine), target)
        run = open_session(source, _found(source, out), threads)
        parameters = source.found.parameters("transformer")
        rows = [asdict(row) for row in step_times(source, run, size or [64, 128], repeat, threads)]
        device = _device(source)
    which = (
        "a published network's size"
        if parameters >= _REAL
        else "a small network, which says nothing of the real one's times"
    )
    record = {"card": card, "device": device, "parameters": parameters, "threads": threads, "steps": rows}
    lines = [
        f"on {device}; {threads} threads of the CPU",
        f"{parameters / 1e6:.2f} M parameters: {which}",
        *(
            f"{row['size']} px: a step takes PyTorch {1e3 * row['torch']:.1f} ms, "
            f"the engine {1e3 * row['engine']:.1f} ms (median of {repeat})"
            for row in rows
        ),
    ]
    _say(json, lines, record)


def _config(
    kind: Kinds | None,
    target: str,
    precision: EnginePrecision,
    provider: Provider,
    resolutions: list[int] | None,
    folder: str = "",
) -> EngineConfig:
    chosen = EngineKind((kind or (Kinds.TENSORRT_RTX if target else Kinds.ONNX)).value)
    if target and provider is not Provider.CPU:
        raise InputError("--provider is of ONNX Runtime and --target of TensorRT for RTX; give one of them")
    if target and chosen is not EngineKind.TENSORRT_RTX:
        raise InputError(f"--target is of TensorRT for RTX; {chosen.value} builds for the machine that it is on")
    return EngineConfig(chosen, folder, provider, precision, tuple(resolutions or EngineConfig.resolutions))


def _source(card: str, how: EngineConfig, target: str) -> Any:
    from joyai_ros.imagination.engine_files import CPU, Source, present_gpu
    from joyai_ros.models.pipeline_folder import check_pipeline

    found = find_model(card)
    if not found.card.draws:
        raise ModelFolderError(f"{found.card.name} answers questions and has no MMDiT; choose a model that draws")
    chosen = target or (present_gpu(how.kind is EngineKind.TENSORRT_RTX) if how.kind.is_tensorrt else CPU)
    return Source(check_pipeline(found.folder, text_encoder=False), how, chosen)


def _found(source: Any, cache: Path | None) -> Path:
    from joyai_ros.engines.cache import engines_root
    from joyai_ros.imagination.engine_files import find

    return find(source, cache or engines_root())


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _header(folder: Path, record: dict[str, Any]) -> str:
    """Return what the library says of an engine's header where no GPU can run it."""
    from joyai_ros.engines.tensorrt_build import check_rtx_engine
    from joyai_ros.imagination.engine_files import PLAN

    verdict = check_rtx_engine(folder / PLAN)
    record["header"] = list(verdict.reasons)
    return (
        f"there is no GPU here; the library takes its header for an engine's ({', '.join(verdict.reasons) or 'valid'})"
    )


def _device(source: Any) -> str:
    """Return the device that an engine runs on."""
    if source.how.kind is EngineKind.ONNX and source.how.provider is Provider.CPU:
        return processor()
    import torch

    return f"{torch.cuda.get_device_name()}, PyTorch on {processor()}"


def _file(path: Path) -> dict[str, Any]:
    beside = path.with_name(f"{path.name}.data")
    return {"path": str(path), "size": path.stat().st_size + (beside.stat().st_size if beside.is_file() else 0)}


@contextmanager
def _libraries() -> Iterator[None]:
    """Say which extra brings a library that is missing, and what cannot be written."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "engines-cpu" if (error.name or "").startswith("onnx") else "neural"
        raise MissingDependencyError(
            f"{error.name} is not installed; install it with: pip install 'joyai_ros[{extra}]'"
        ) from error
    except OSError as error:
        raise OutputError(f"{error.filename or 'a file'} cannot be written ({error.strerror or error})") from error


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """Show what is being done on stderr, while it is done."""
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:
        yield lambda stage: status.update(stage) if console.is_terminal else console.print(f"{stage} ...")


def _say(json: Path | None, lines: list[str], record: dict[str, Any]) -> None:
    if json is None:
        print("\n".join(lines))
    else:
        write_json(json, record)

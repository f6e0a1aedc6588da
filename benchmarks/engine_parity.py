"""Engines of the small random MMDiT held against PyTorch, and TensorRT for RTX engines built for GPUs that are not here.

Every combination of three resolutions, two batch sizes and three lengths of text is compared; the relative error is the
Euclidean norm of the difference over that of PyTorch's result. The TensorRT engines are built with free sizes from the
same graph in half precision, and with its weights in 8 bits; the library is asked whether it takes their headers for an
engine's. Nothing here runs on a GPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.small_pipeline import small_transformer, write_small_pipeline
from joyai_ros.engines.errors import EngineError, EngineFileError, ForeignEngineError
from joyai_ros.engines.export import Form, export_network
from joyai_ros.engines.parity import TOLERANCES
from joyai_ros.engines.quantise import quantise_dynamic, quantise_weights
from joyai_ros.engines.session import OnnxSession
from joyai_ros.engines.tensorrt_build import Sizes, build_engine, check_rtx_engine, library_name, tensorrt_library
from joyai_ros.errors import MissingDependencyError
from joyai_ros.imagination.mmdit.denoiser import Denoiser, TorchDenoiser
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import PRESETS
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.token_network import AXES, OUTPUT, EngineDenoiser, TokenNetwork, example_inputs

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.engine_parity"
SIDES = (4, 8, 12)  # patches: views of 64, 128 and 192 px, each with a reference
ROWS = (1, 2)
WORDS = (5, 23, 64)
GPUS = ("sm86", "sm89", "sm120")
_SEEDS = 3
_EXAMPLE = (2, (3, 5), 7)  # rows, patches and words of the export: none of those that are compared
_SIZES = {"rows": Sizes(1, 2, 4), "tokens": Sizes(8, 128, 2048), "words": Sizes(4, 64, 256)}


def network(half: bool = False) -> TokenNetwork:
    """Return the small MMDiT of two blocks, in the types that diffusers loads it in."""
    torch.manual_seed(0)
    transformer = small_transformer(num_layers=2).requires_grad_(False)
    if half:
        transformer.half()
        for name, module in transformer.named_modules():
            if name.rpartition(".")[2] in transformer._keep_in_fp32_modules:
                module.float()
    return TokenNetwork(transformer).eval()


def worst_error(plain: TokenNetwork, path: Path) -> tuple[float, int]:
    """Return the largest relative error of a graph by ONNX Runtime over all shapes, and how many there were."""
    run, errors = OnnxSession(path, threads=1), []
    for seed, (side, rows, words) in enumerate(itertools.product(SIDES, ROWS, WORDS)):
        inputs = example_inputs(plain.transformer.config, rows, (side, side), words, seed)
        with torch.no_grad():
            expected = plain(**inputs).double()
        errors.append(float((run(inputs).double() - expected).norm() / expected.norm()))
    return max(errors), len(errors)


def evidence() -> list[dict[str, Any]]:
    """Return the lines on engines."""
    with TemporaryDirectory() as scratch:
        return [*_parity(Path(scratch)), *_pictures(Path(scratch)), *_built(Path(scratch))]


def _parity(folder: Path) -> Iterator[dict[str, Any]]:
    plain = network()
    example = example_inputs(plain.transformer.config, *_EXAMPLE)
    graphs = {form: export_network(plain, example, AXES, folder / f"{form.name}.onnx", form, OUTPUT) for form in Form}
    for form, path in graphs.items():
        name = f"{form.name.lower()} form (opset {form.value})"
        yield _compared(plain, path, "fp32", name)
        yield _compared(plain, quantise_dynamic(path, folder / f"{form.name}.int8.onnx"), "int8", f"dynamic, {name}")
    weights = quantise_weights(graphs[Form.DECOMPOSED], folder / "weights.onnx")
    yield _compared(plain, weights, "int8", "weights alone, decomposed form")


def _compared(plain: TokenNetwork, path: Path, precision: str, what: str) -> dict[str, Any]:
    error, shapes = worst_error(plain, path)
    return _line(
        f"ONNX Runtime against PyTorch, {precision}, {what}: {len(SIDES)} resolutions x {len(ROWS)} batches x "
        f"{len(WORDS)} lengths of text",
        f"largest relative error of {shapes} shapes {error:.1e}",
        f"at most {TOLERANCES[precision]:.0e}",
        error <= TOLERANCES[precision],
    )


def _pictures(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield lines on pictures of the same seed, by PyTorch and by engines, on a small pipeline."""
    parts = load_pipeline(write_small_pipeline(folder / "pipeline"))
    plain = TokenNetwork(parts.transformer).eval()
    example = example_inputs(plain.transformer.config, *_EXAMPLE)
    graph = export_network(plain, example, AXES, folder / "pipeline.onnx", Form.NATIVE, OUTPUT)
    frame = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)

    def drawn(denoiser: Denoiser, seed: int) -> NDArray[np.int64]:
        request = DrawRequest("Move the camera.", seed, (frame,))
        image = Sampler(parts, denoiser=denoiser).draw([request], frame.shape[:2], PRESETS["fast"]).images[0]
        return image.astype(np.int64)

    expected = [drawn(TorchDenoiser(parts.transformer), seed) for seed in range(_SEEDS)]
    small = quantise_dynamic(graph, folder / "pipeline.int8.onnx")
    for precision, path in (("fp32", graph), ("int8", small)):
        engine = EngineDenoiser(OnnxSession(path, threads=1))
        found = [np.abs(drawn(engine, seed) - expected[seed]) for seed in range(_SEEDS)]
        largest, mean = max(int(one.max()) for one in found), max(float(one.mean()) for one in found)
        yield _line(
            f"The same seed by ONNX Runtime {precision} and by PyTorch: {_SEEDS} pictures of ten steps",
            f"at most {largest} grey levels in a pixel, {mean:.2f} on average",
            "at most one grey level" if precision == "fp32" else "at most one grey level on average",
            (largest if precision == "fp32" else mean) <= 1,
        )


def _built(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a line for each precision: for which GPUs an engine was built, and what its header is taken for."""
    try:
        tensorrt_library()
    except MissingDependencyError as error:
        yield _line("TensorRT for RTX engines", f"skipped: {error}", "built", None)
        return
    half = network(half=True)
    example = example_inputs(half.transformer.config, *_EXAMPLE)
    graph = export_network(half, example, AXES, folder / "half.onnx", Form.DECOMPOSED, OUTPUT)
    sources = {"fp16": graph, "int8 weights in fp16": quantise_weights(graph, folder / "half.int8.onnx")}
    for precision, source in sources.items():
        found = [_verdict(source, folder / "engine", gpu) for gpu in GPUS]
        yield _line(
            f"{library_name()} engines built here, {precision}, free sizes; headers by the library's own validity call",
            "; ".join(text for _, text in found),
            f"built for {', '.join(GPUS)}, no header malformed",
            all(good for good, _ in found),
        )


def _verdict(source: Path, target: Path, gpu: str) -> tuple[bool, str]:
    try:
        engine = build_engine(source, target, AXES, _SIZES, gpu)
        verdict = check_rtx_engine(engine)
    except ForeignEngineError:
        said = "an engine, for another GPU than the one here"
    except (EngineError, EngineFileError) as error:
        return False, f"{gpu}: {error}"
    else:
        said = ", ".join(verdict.reasons) or "valid"
    return True, f"{gpu} {engine.stat().st_size / 1e6:.2f} MB: {said}"


def _line(line: str, figure: str, target: str, ok: bool | None) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": COMMAND}


if __name__ == "__main__":
    for entry in evidence():
        print(f"{'ok   ' if entry['ok'] else 'SHORT'} {entry['line']}: {entry['figure']} ({entry['target']})")

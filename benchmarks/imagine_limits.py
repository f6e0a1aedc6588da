"""What drawing views does at its limits: hundreds in a row, a cancel, too little memory, and bad input.

On a small random pipeline, through the same code that loads and runs the published ones. Bytes are those of all tensors
that live; the resident size of the process is told beside them.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.small_pipeline import write_small_pipeline
from joyai_ros.engines.config import EngineConfig, EngineKind, OnFailure
from joyai_ros.errors import JoyaiError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.config import ImaginationConfig, PipelineLoading
from joyai_ros.imagination.engine_files import Source, build
from joyai_ros.imagination.memory import Network as Sizes
from joyai_ros.imagination.memory import refuse_if_it_cannot_fit
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawMemoryError
from joyai_ros.imagination.mmdit.meter import metered
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.models.folder import write_lock
from joyai_ros.models.pipeline_folder import check_pipeline
from joyai_ros.scene.observation import Observation
from joyai_ros.sim.frames import simulate

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.imagine_limits"
IMAGINES = 200
_SEED = 21000
_PIXELS = 64
_ALLOWED = 32e6  # bytes of resident size: pages that the allocator keeps


def evidence() -> list[dict[str, Any]]:
    """Return the lines on what drawing does at its limits."""
    with TemporaryDirectory() as scratch:
        folder = write_small_pipeline(Path(scratch) / "pipeline")
        painter = open_painter(ImaginationConfig(model=str(folder), size=_PIXELS))
        return [_in_a_row(painter), _cancel(painter), _memory(painter), _refused(folder, Path(scratch))]


def live_bytes() -> int:
    """Return the bytes of all tensors with data that Python can reach."""
    gc.collect()
    tensors = (item for item in gc.get_objects() if type(item) in (torch.Tensor, torch.nn.Parameter))
    kept = (item for item in tensors if not torch._is_functional_tensor(item) and item.device.type != "meta")
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}.values())


def _resident() -> int:
    """Return the bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _in_a_row(painter: OpenPainter) -> dict[str, Any]:
    """Imagine a view of a new frame again and again: drawn in one step, aligned, judged."""
    frame = next(simulate(_SEED)).observation
    how = Drawing(Preset(steps=1, guidance=1.0), _PIXELS)
    tensors, resident = [], []
    for index in range(1, IMAGINES + 1):
        motion = CameraMotion(10.0 + index % 10)
        painter.imaginer.imagine(_another(frame, index), motion, replace(how, seed=index))
        if index in (IMAGINES // 2, IMAGINES):
            tensors.append(live_bytes())
            resident.append(_resident())
    grown = resident[1] - resident[0]
    return _line(
        f"{IMAGINES} imagined views of as many frames in a row: growth in the second half",
        f"{tensors[1] - tensors[0]} bytes of tensors, {grown / 1e6:.1f} MB of resident size ({resident[1] / 1e6:.0f} MB)",
        f"no tensors, at most {_ALLOWED / 1e6:.0f} MB that the allocator keeps",
        tensors[1] == tensors[0] and grown <= _ALLOWED,
    )


def _another(frame: Observation, index: int) -> Observation:
    """Return the frame with one other pixel: what is remembered is known by its content."""
    color = frame.color.copy()
    color[index % color.shape[0], : index % 50 + 1] = index % 256
    return replace(frame, color=np.ascontiguousarray(color))


def _cancel(painter: OpenPainter) -> dict[str, Any]:
    sampler, done = painter.sampler, 3
    request = DrawRequest("Keep it.", 1, (np.full((_PIXELS, _PIXELS, 3), 90, np.uint8),))
    sampler.draw([request], (_PIXELS, _PIXELS), Preset(steps=1))  # the frame is remembered from here on
    before, steps = live_bytes(), []
    with metered(sampler.pipeline) as counts:
        try:
            sampler.draw(
                [request],
                (_PIXELS, _PIXELS),
                Preset(steps=30, step_cache=0.1),
                lambda step: steps.append(step.index),
                lambda: len(steps) == done,
            )
            canceled = False
        except DrawCanceledError:
            canceled = True
    left = live_bytes() - before
    return _line(
        f"Cancel after {done} of 30 steps: steps begun afterwards, decodes, bytes of tensors that are left",
        f"{counts.calls - done}, {counts.decoded}, {left}",
        "at most one step; memory back where it was",
        canceled and counts.calls <= done + 1 and counts.decoded == 0 and left == 0,
    )


def _memory(painter: OpenPainter) -> dict[str, Any]:
    """Run out of memory in a step, and draw the same afterwards."""
    fails = [True]
    inner = painter.sampler.denoiser

    def greedy(batch: Any) -> torch.Tensor:
        if fails[0]:
            torch.empty(1 << 60, dtype=torch.uint8)  # torch's own error
        return inner(batch)

    sampler = Sampler(painter.sampler.pipeline, denoiser=greedy)
    request = DrawRequest("Keep it.", 1, (np.full((_PIXELS, _PIXELS, 3), 90, np.uint8),))
    said = _error(lambda: sampler.draw([request], (_PIXELS, _PIXELS), Preset(steps=2)), DrawMemoryError)
    fails[0] = False
    again = sampler.draw([request], (_PIXELS, _PIXELS), Preset(steps=2)).images[0]
    plain = painter.sampler.draw([request], (_PIXELS, _PIXELS), Preset(steps=2)).images[0]
    before = _error(lambda: refuse_if_it_cannot_fit("joyai-image-edit", Sizes(), 24.0, "bf16", 512), DrawMemoryError)
    return _line(
        "Out of memory: in a step, and by arithmetic before anything is loaded",
        f"{said}; the next drawing is {'the same' if np.array_equal(again, plain) else 'another'}. {before}",
        "a named error that says what would fit; the next drawing works",
        "draw fewer" in said and "would fit" in before and np.array_equal(again, plain),
    )


def _refused(folder: Path, scratch: Path) -> dict[str, Any]:
    """Try what is wrong; each must be refused by an error of this package, in one line."""
    good = ImaginationConfig(model=str(folder), size=_PIXELS)
    engine = EngineConfig(EngineKind.ONNX, on_failure=OnFailure.FAIL)
    built = build(Source(check_pipeline(folder), engine), scratch / "engines")
    foreign, corrupt = (shutil.copytree(built, scratch / name) for name in ("foreign", "corrupt"))
    manifest = foreign / "engine.json"
    manifest.write_text(manifest.read_text().replace('"gpu": "cpu"', '"gpu": "sm86"'))
    (graph,) = corrupt.glob("*.onnx")
    graph.write_bytes(graph.read_bytes()[:-100])
    changed = shutil.copytree(folder, scratch / "changed")
    write_lock(changed, "owner/name", "0" * 40)
    weights = next((changed / "transformer").glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    cases = {
        "unknown preset": replace(good, preset="quick"),
        "engine for another GPU": replace(good, engine=replace(engine, folder=str(foreign))),
        "corrupt engine file": replace(good, engine=replace(engine, folder=str(corrupt))),
        "weights of another hash": replace(good, model=str(changed), loading=PipelineLoading(hashes=True)),
    }
    said = {name: _error(partial(open_painter, config), JoyaiError) for name, config in cases.items()}
    return _line(
        "Bad input, before anything is drawn",
        "; ".join(f"{name}: {text.replace(str(scratch) + os.sep, '')}" for name, text in said.items()),
        f"{len(cases)} of {len(cases)} refused by a named error of one line",
        all(text and "\n" not in text for text in said.values()),
    )


def _error(work: Callable[[], object], kind: type[Exception]) -> str:
    """Return what an error of this kind says; empty where there was none."""
    try:
        work()
    except kind as error:
        return str(error)
    return ""


def _line(line: str, figure: str, target: str, ok: bool) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": COMMAND}


if __name__ == "__main__":
    for entry in evidence():
        print(f"{'ok   ' if entry['ok'] else 'SHORT'} {entry['line']}: {entry['figure']} ({entry['target']})")

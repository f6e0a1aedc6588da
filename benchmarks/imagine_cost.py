"""What an imagined view costs: forwards, decodes and copied bytes, counted for diffusers' own pipeline and for ours.

On a small random pipeline everything is run (toy shapes: times and ratios there say nothing about the real model). At
the real model's shapes one forward of its 16 billion parameters is run without numbers, on PyTorch's meta device: every
operation and every copy between host and device happens by its shape, and is counted.

OMP_NUM_THREADS=1 python -m benchmarks.imagine_cost
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.small_pipeline import write_small_pipeline
from joyai_ros.imagination.mmdit.cost import REAL_SIZES, ViewCounts, count_view, our_view, real_views, stock_view
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.meter import Counts, metered
from joyai_ros.imagination.mmdit.presets import PRESETS
from joyai_ros.imagination.mmdit.sampler import Sampler

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.imagine_cost"
PIXELS = 64


@dataclass(frozen=True)
class Toy:
    """What was counted on the small pipeline.

    Attributes:
        view: by stock and by ours.
        presets: by ours, each preset from a fresh start.
        difference: largest between the latents of both, on the same noise.
        processor: seconds of processor time of a view: stock, then ours by preset; the least of some runs.
    """

    view: ViewCounts
    presets: dict[str, Counts]
    difference: float
    processor: dict[str, float]


@cache
def toy() -> Toy:
    """Draw with both pipelines on a small random folder and count."""
    with TemporaryDirectory() as scratch:
        folder = write_small_pipeline(Path(scratch) / "pipeline")
        stock_parts, parts = load_pipeline(folder), load_pipeline(folder)
    view = count_view(parts, PIXELS)
    if view.difference > 1:
        raise ValueError("ours and stock drew different images, so their costs cannot be compared")
    presets, seconds = {}, {"stock": _least(lambda: stock_view(stock_parts, PIXELS, view.preset))}
    for name, preset in PRESETS.items():
        with metered(parts) as presets[name]:
            our_view(Sampler(parts), PIXELS, preset)
        seconds[name] = _least(lambda preset=preset: our_view(Sampler(parts), PIXELS, preset))  # type: ignore[misc]
    sampler, latent = Sampler(parts), stock_view(stock_parts, PIXELS, view.preset, "latent")
    difference = _difference(latent, lambda: our_view(sampler, PIXELS, view.preset), sampler)
    return Toy(view, presets, difference, seconds)


def _least(work: Callable[[], object], runs: int = 3) -> float:
    """Return the least processor time of some runs, seconds."""
    times = []
    for _ in range(runs):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times)


def _difference(stock: Any, draw: Callable[[], object], sampler: Any) -> float:
    """Return the largest difference between stock's latent and the one that ours decodes."""
    kept = []
    decode = sampler._latents.decode

    def keep(latents: Any) -> Any:
        kept.append(latents)
        return decode(latents)

    sampler._latents.decode = keep
    draw()
    return float((kept[0].flatten() - stock.flatten()).abs().max())


def evidence() -> list[dict[str, Any]]:
    """Return the lines on cost."""
    found = toy()
    view, rows = found.view, found.view.preset.rows()
    lines = [
        _line(
            "Denoising with everything off against diffusers, same noise, 40 steps",
            f"{found.difference:.1e} largest difference of the latents",
            "at most 1e-5",
            found.difference <= 1e-5,
        ),
        _line(
            "Toy shapes (64 px): asked of the networks for one exact view, stock",
            _counted(view.stock),
            "counted",
            view.stock.rows == rows,
        ),
        _line(
            "Toy shapes (64 px): asked of the networks for one exact view, ours",
            _counted(view.ours),
            f"{rows} rows, 1 vision pass, 2 prompts, no head, 1 encode, 1 decode, RoPE built once",
            not view.redundant(),
        ),
        _line(
            "Toy shapes (64 px): a second view of the same frame, ours",
            _counted(view.second),
            "1 prompt, nothing else but its rows and its decode",
            not view.redundant(second=True),
        ),
    ]
    return lines + _preset_lines(found) + _real_lines()


def _preset_lines(found: Toy) -> list[dict[str, Any]]:
    lines = []
    exact = found.presets["exact"].block_rows
    for name, least in (("balanced", 2.0), ("fast", 4.0)):
        work = exact / found.presets[name].block_rows
        spent = found.processor["exact"] / found.processor[name]
        lines.append(
            _line(
                f"Preset {name} against exact",
                f"{work:.1f}x fewer block passes; {spent:.1f}x less processor time of a whole view (toy shapes)",
                f"at least {least:.0f}x fewer block passes",
                work >= least,
            )
        )
    gain = found.processor["stock"] / found.processor["exact"]
    lines.append(
        _line(
            "Toy shapes (64 px): processor time of one exact view",
            f"stock {found.processor['stock']:.2f} s, ours {found.processor['exact']:.2f} s ({gain:.1f}x)",
            "no more than stock",
            gain >= 1.0,
        )
    )
    return lines


def _real_lines() -> list[dict[str, Any]]:
    lines = []
    for pixels in REAL_SIZES:
        stock, ours, fast = real_views(pixels)
        lines.append(
            _line(
                f"Real shapes ({pixels} px), one view: operations, and bytes from host to device in its forwards",
                f"exact {ours.flops / 1e15:.2f} PF, fast {fast.flops / 1e15:.2f} PF, stock {stock.flops / 1e15:.2f} PF; "
                f"stock moves {stock.moved / 1e9:.2f} GB, ours {ours.moved / 1e9:.2f} GB",
                "no more operations than stock, nothing moved in a forward",
                ours.flops <= stock.flops * 1.001 and ours.moved == 0,
            )
        )
    return lines


def _counted(counts: Counts) -> str:
    return (
        f"{counts.calls} MMDiT calls with {counts.rows} rows, {counts.vision} vision passes, {counts.language} prompts, "
        f"{counts.head} heads, {counts.encoded} encodes, {counts.decoded} decodes, RoPE {counts.positions} times, "
        f"{counts.copied / 1e6:.0f} MB copied"
    )


def _line(line: str, figure: str, target: str, ok: bool) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": COMMAND}


if __name__ == "__main__":
    for entry in evidence():
        print(f"{'ok   ' if entry['ok'] else 'SHORT'} {entry['line']}: {entry['figure']} ({entry['target']})")

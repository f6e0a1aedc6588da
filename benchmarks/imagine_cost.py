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

import numpy as np

from benchmarks.network_meter import Counts, metered
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.presets import PRESETS, Preset
from joyai_ros.imagination.mmdit.request import DrawRequest

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.imagine_cost"
SIZE, SEED = (64, 64), 7
PROMPT = "Move the camera.\n- Camera rotation: Yaw 30°, Pitch -15°.\n- Camera zoom: in."
OTHER = "Move the camera.\n- Camera rotation: Yaw -20°, Pitch 0°.\n- Camera zoom: unchanged."
REAL_SIZES = (256, 512, 1024)
REAL: dict[str, Any] = {
    "hidden_size": 4096,
    "num_layers": 40,
    "num_attention_heads": 32,
    "text_dim": 4096,
    "rope_dim_list": [16, 56, 56],
}


@dataclass(frozen=True)
class Toy:
    """What was counted on the small pipeline.

    Attributes:
        stock, ours: one view by the preset ``exact``.
        second: by ours, a second view of the same frame.
        presets: by ours, each preset from a fresh start.
        difference: largest between the latents of both, on the same noise.
        processor: seconds of processor time of a view: stock, then ours by preset; the least of some runs.
    """

    stock: Counts
    ours: Counts
    second: Counts
    presets: dict[str, Counts]
    difference: float
    processor: dict[str, float]


@dataclass(frozen=True)
class Forward:
    """One row through the real model's MMDiT.

    Attributes:
        flops: floating-point operations.
        moved: bytes from host to device.
    """

    flops: float
    moved: int


@cache
def toy() -> Toy:
    """Draw with both pipelines on a small random folder and count."""
    import torch
    from PIL import Image

    from benchmarks.small_pipeline import write_small_pipeline
    from benchmarks.stock_pipeline import most_likely_latents, stock_pipeline
    from joyai_ros.imagination.mmdit.loading import load_pipeline
    from joyai_ros.imagination.mmdit.sampler import Sampler

    with TemporaryDirectory() as scratch:
        folder = write_small_pipeline(Path(scratch) / "pipeline")
        stock_parts, parts = load_pipeline(folder), load_pipeline(folder)
    stock = stock_pipeline(stock_parts, SIZE)
    frame = _frame()
    exact = PRESETS["exact"]

    def draw_stock(kind: str = "pil") -> Any:
        with most_likely_latents():
            return stock(
                image=Image.fromarray(frame),
                prompt=PROMPT,
                num_inference_steps=exact.steps,
                guidance_scale=exact.guidance,
                generator=torch.Generator().manual_seed(SEED),
                output_type=kind,
            ).images

    def draw(preset: Preset, sampler: Any = None, prompt: str = PROMPT) -> Any:
        request = DrawRequest(prompt, SEED, (frame,))
        return (sampler or Sampler(parts)).draw([request], SIZE, preset)

    with metered(stock_parts) as by_stock:
        image = np.asarray(draw_stock()[0])
    kept = Sampler(parts)
    with metered(parts) as by_us:
        drawn = draw(exact, kept)
    if np.abs(drawn.images[0].astype(int) - image).max() > 1:
        raise ValueError("ours and stock drew different images, so their costs cannot be compared")
    with metered(parts) as second:
        draw(exact, kept, OTHER)
    presets, seconds = {}, {"stock": _least(draw_stock)}
    for name, preset in PRESETS.items():
        with metered(parts) as presets[name]:
            draw(preset)
        seconds[name] = _least(lambda preset=preset: draw(preset))  # type: ignore[misc]
    difference = _difference(draw_stock("latent"), lambda: draw(exact, kept), kept)
    return Toy(by_stock, by_us, second, presets, difference, seconds)


@cache
def real_forward(pixels: int, ours: bool) -> Forward:
    """Run one row of the real model's MMDiT at an image size, by shapes alone."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.network_meter import metered_transformer
    from joyai_ros.imagination.mmdit.denoiser import TokenBatch, TorchDenoiser
    from joyai_ros.imagination.mmdit.tokens import Rotary

    mmdit, side, texts = _real_transformer(), pixels // 8, (pixels // 32) ** 2 + 40
    meta = torch.device("meta")
    text = torch.empty((1, texts, REAL["text_dim"]), dtype=torch.bfloat16, device=meta)
    timestep = torch.ones(1, device=meta)
    work: Callable[[], Any]
    if ours:
        denoiser, tokens = TorchDenoiser(mmdit), 2 * (side // 2) ** 2
        at = torch.empty((tokens, 128), device=meta)  # made once for a drawing, not for a forward
        batch = TokenBatch(
            torch.empty((1, tokens, 64), device=meta), timestep, text, None, Rotary(at, at), ((0, True),)
        )
        work = lambda: denoiser(batch)  # noqa: E731
    else:
        latents = torch.empty((1, 2, 16, 1, side, side), dtype=torch.bfloat16, device=meta)
        work = lambda: mmdit(hidden_states=latents, timestep=timestep, encoder_hidden_states=text)  # noqa: E731
    with torch.no_grad(), metered_transformer(mmdit) as counts:
        work()
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        work()
    return Forward(float(flops.get_total_flops()), counts.moved)


def _real_transformer() -> Any:
    import torch
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel

    kind: Any = JoyImageEditTransformer3DModel
    with torch.device("meta"):
        # The modules that are kept in float32 hardly count.
        return torch.nn.Module.to(kind(theta=10000, **REAL).eval(), torch.bfloat16)


def _frame() -> ColorImage:
    grid = np.random.default_rng(SEED).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return grid.repeat(16, 0).repeat(16, 1)


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
    stock, ours, second = found.stock, found.ours, found.second
    rows = PRESETS["exact"].rows()
    lines = [
        _line(
            "Denoising with everything off against diffusers, same noise, 40 steps",
            f"{found.difference:.1e} largest difference of the latents",
            "at most 1e-5",
            found.difference <= 1e-5,
        ),
        _line(
            "Toy shapes (64 px): asked of the networks for one exact view, stock",
            _counted(stock),
            "counted",
            stock.rows == rows,
        ),
        _line(
            "Toy shapes (64 px): asked of the networks for one exact view, ours",
            _counted(ours),
            f"{rows} rows, 1 vision pass, 2 prompts, no head, 1 encode, 1 decode, RoPE built once",
            (ours.rows, ours.vision, ours.language, ours.head, ours.encoded, ours.decoded, ours.positions)
            == (rows, 1, 2, 0, 1, 1, 1),
        ),
        _line(
            "Toy shapes (64 px): a second view of the same frame, ours",
            _counted(second),
            "1 prompt, nothing else but its rows and its decode",
            (second.rows, second.vision, second.language, second.encoded, second.decoded, second.positions)
            == (rows, 0, 1, 0, 1, 0),
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
    exact, fast = PRESETS["exact"].rows(), PRESETS["fast"].rows()
    for pixels in REAL_SIZES:
        stock, ours = real_forward(pixels, ours=False), real_forward(pixels, ours=True)
        lines.append(
            _line(
                f"Real shapes ({pixels} px), one view: operations, and bytes from host to device in its forwards",
                f"exact {ours.flops * exact / 1e15:.2f} PF, fast {ours.flops * fast / 1e15:.2f} PF, "
                f"stock {stock.flops * exact / 1e15:.2f} PF; stock moves {stock.moved * exact / 1e9:.2f} GB, "
                f"ours {ours.moved * exact / 1e9:.2f} GB",
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

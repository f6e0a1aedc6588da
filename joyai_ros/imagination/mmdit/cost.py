"""What a view costs, counted for diffusers' own pipeline and for ours: drawn where there is a model, else by shapes.

What is drawn is small, or random, and says how often each network is asked. At the real network's shapes one forward is
run without numbers, on PyTorch's meta device: every operation and every copy between host and device happens by its
shape, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.denoiser import TokenBatch, TorchDenoiser
from joyai_ros.imagination.mmdit.loading import Pipeline
from joyai_ros.imagination.mmdit.meter import Counts, metered, metered_transformer
from joyai_ros.imagination.mmdit.presets import PRESETS, Preset, find_preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.mmdit.stock import most_likely_latents, stock_pipeline
from joyai_ros.imagination.mmdit.tokens import Rotary

REAL_SIZES = (256, 512, 1024)
REAL: dict[str, Any] = {
    "hidden_size": 4096,
    "num_layers": 40,
    "num_attention_heads": 32,
    "text_dim": 4096,
    "rope_dim_list": [16, 56, 56],
}
_SEED = 7
_PROMPT = "Move the camera.\n- Camera rotation: Yaw 30°, Pitch -15°.\n- Camera zoom: in."
_OTHER = "Move the camera.\n- Camera rotation: Yaw -20°, Pitch 0°.\n- Camera zoom: unchanged."


@dataclass(frozen=True)
class ViewCounts:
    """What was counted for one view by the preset ``exact``.

    Attributes:
        preset: as the model has it.
        stock, ours: of a frame that neither has seen before.
        second: by ours, another view of the same frame.
        difference: largest between the pictures of stock and ours, grey levels.
    """

    preset: Preset
    stock: Counts
    ours: Counts
    second: Counts
    difference: int

    def redundant(self, second: bool = False) -> dict[str, int]:
        """Return by how much ours is beyond :func:`needed`, by name; empty where nothing was redundant.

        A number below zero would say that something was not counted.
        """
        counts = self.second if second else self.ours
        beyond = {name: getattr(counts, name) - least for name, least in needed(self.preset, second).items()}
        return {name: count for name, count in beyond.items() if count}


def needed(preset: Preset, second: bool = False) -> dict[str, int]:
    """Return what no view with guidance can do without, by the names of :class:`Counts`.

    A first view sees its frame once, reads its prompt and the negative one, and makes its positions; a second one of the
    same frame has a new prompt alone. Every view has its rows and its decode.
    """
    frame = 0 if second else 1
    return {
        "calls": preset.steps,
        "rows": preset.rows(),
        "vision": frame,
        "language": 1 + frame,
        "head": 0,
        "encoded": frame,
        "decoded": 1,
        "positions": frame,
    }


def count_view(parts: Pipeline, pixels: int) -> ViewCounts:
    """Draw a square view by diffusers' pipeline and by ours, and a second one by ours, and count.

    Args:
        parts: that no sampler was given yet.
        pixels: along a side of the view.
    """
    preset = find_preset("exact", parts.takes_several)
    with metered(parts) as stock:
        expected = np.asarray(stock_view(parts, pixels, preset)[0])
    sampler = Sampler(parts)  # from here on diffusers' own pipeline would not run
    with metered(parts) as ours:
        drawn = our_view(sampler, pixels, preset)
    with metered(parts) as second:
        our_view(sampler, pixels, preset, second=True)
    return ViewCounts(preset, stock, ours, second, int(np.abs(drawn.astype(int) - expected).max()))


def stock_view(parts: Pipeline, pixels: int, preset: Preset, output: str = "pil") -> Any:
    """Return the images, or with ``output`` "latent" the latents, of diffusers' pipeline for one view."""
    from PIL import Image

    frame = Image.fromarray(_frame(pixels))
    given = {"images": [frame], "height": pixels, "width": pixels} if parts.takes_several else {"image": frame}
    with most_likely_latents():
        return stock_pipeline(parts, (pixels, pixels))(
            **given,
            prompt=_PROMPT,
            num_inference_steps=preset.steps,
            guidance_scale=preset.guidance,
            generator=torch.Generator().manual_seed(_SEED),
            output_type=output,
        ).images


def our_view(sampler: Sampler, pixels: int, preset: Preset, second: bool = False) -> ColorImage:
    """Return the view that :func:`stock_view` draws, drawn by ours; or another one of the same frame."""
    request = DrawRequest(_OTHER if second else _PROMPT, _SEED, (_frame(pixels),))
    return sampler.draw([request], (pixels, pixels), preset).images[0]


@dataclass(frozen=True)
class Forward:
    """One row through the real model's MMDiT.

    Attributes:
        flops: floating-point operations.
        moved: bytes from host to device.
    """

    flops: float
    moved: int


@dataclass(frozen=True)
class RealView:
    """One view at the real network's shapes, counted and not run.

    Attributes:
        name: who draws it, and by which preset.
        rows: through the MMDiT.
        flops: floating-point operations of these.
        moved: bytes from host to device in these.
    """

    name: str
    rows: int
    flops: float
    moved: int


def real_views(pixels: int) -> tuple[RealView, RealView, RealView]:
    """Return stock's view, ours by ``exact`` and ours by ``fast``; stock has the steps and the guidance of ``exact``."""
    stock, ours = real_forward(pixels, ours=False), real_forward(pixels, ours=True)
    exact, fast = PRESETS["exact"].rows(), PRESETS["fast"].rows()
    return (
        RealView("stock", exact, stock.flops * exact, stock.moved * exact),
        RealView("ours, exact", exact, ours.flops * exact, ours.moved * exact),
        RealView("ours, fast", fast, ours.flops * fast, ours.moved * fast),
    )


@cache
def real_forward(pixels: int, ours: bool) -> Forward:
    """Run one row of the real model's MMDiT at an image size, by shapes alone."""
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
    from diffusers.models.transformers.transformer_joyimage import JoyImageEditTransformer3DModel

    kind: Any = JoyImageEditTransformer3DModel
    with torch.device("meta"):
        # The modules that are kept in float32 hardly count.
        return torch.nn.Module.to(kind(theta=10000, **REAL).eval(), torch.bfloat16)


def _frame(pixels: int) -> ColorImage:
    """Return a frame of a few coloured squares."""
    grid = np.random.default_rng(_SEED).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return grid.repeat(pixels // 4, 0).repeat(pixels // 4, 1)

"""What the commands that draw with a model share: their options, the model that these name, and a bar over its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import Drawn, DrawRequest, OnStep, Step
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.settings import load

ModelOption = Annotated[str, typer.Option("--model", metavar="CARD", help="Model card that draws, or its folder.")]
PresetOption = Annotated[
    str, typer.Option("--preset", metavar="NAME", help="exact, balanced or fast; default: the card's.")
]
StepsOption = Annotated[int | None, typer.Option("--steps", help="Steps, instead of the preset's.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the model's noise: the same seed, the same picture.")]
SizeOption = Annotated[
    int, typer.Option("--size", help="64, 128, 256, 512, 768 or 1024 pixels; default: what the image fills.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. imagination.loading.device=cuda."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Picture to write; the name's ending is its format.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write what was done; - for stdout.")]


@dataclass(frozen=True)
class DrawSettings:
    """What ``--set`` knows."""

    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)


@dataclass(frozen=True)
class Painter:
    """A model as the options name it, and the preset with it."""

    opened: OpenPainter
    preset: Preset


def open_by_options(
    model: str, preset: str, steps: int | None, size: int, assignments: Sequence[str] | None
) -> Painter:
    """Return the model of the options; what can be wrong without it is told before it is loaded.

    Raises:
        InputError: no model is named, there is no such preset or size, or as
            :func:`joyai_ros.imagination.opening.open_painter`.
    """
    config = load(DrawSettings, None, assignments or ()).imagination
    config = replace(config, model=model or config.model, preset=preset or config.preset, size=size or config.size)
    if not config.model:
        raise InputError("name the model that draws with --model: a card (see: joyai-ros models list) or a folder")
    if steps is not None:
        Preset(steps=steps)
    opened = open_painter(config)
    chosen = opened.preset()
    return Painter(opened, chosen if steps is None else replace(chosen, steps=steps))


@contextmanager
def step_bar(what: str) -> Iterator[OnStep]:
    """Show a bar over the steps on a terminal; the context's value is to be told of each step."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def show(step: Step) -> None:
            bar.update(task, completed=step.index + 1, total=step.steps)

        yield show


def draw_to_file(
    painter: Painter,
    prompt: str,
    references: Sequence[ColorImage],
    size: tuple[int, int],
    seed: int,
    out: Path,
    json_file: Path | None,
) -> None:
    """Draw one picture of (width, height) and write it, and what was done, where that is asked for."""
    request = DrawRequest(prompt, seed, tuple(references))
    with step_bar("drawing") as on_step:
        drawn = painter.opened.sampler.draw([request], (size[1], size[0]), painter.preset, on_step)
    write_picture(out, drawn.images[0])
    if json_file is not None:
        write_json(json_file, _summary(painter, prompt, size, seed, drawn))
    if str(json_file) != "-":
        typer.echo(f"{out}: {size[0]}x{size[1]}, {drawn.steps} steps in {sum(drawn.seconds):.1f} s")


def seconds_to_json(seconds: Sequence[float]) -> dict[str, float]:
    """Return the times of a drawing by name: prepare (prompt, references), denoise, decode, and check where there is one."""
    return dict(zip(("prepare", "denoise", "decode", "check"), map(float, seconds), strict=False))


def _summary(painter: Painter, prompt: str, size: tuple[int, int], seed: int, drawn: Drawn) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "width": size[0],
        "height": size[1],
        "model": painter.opened.card.name,
        "seed": seed,
        "steps": drawn.steps,
        "rows": drawn.rows,
        "seconds": seconds_to_json(drawn.seconds),
    }

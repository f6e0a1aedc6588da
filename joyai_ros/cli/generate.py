"""``joyai-ros generate``: a model draws an image from words alone."""

from __future__ import annotations

from typing import Annotated

import typer

from joyai_ros.cli.drawing import (
    JsonOption,
    ModelOption,
    OutOption,
    PresetOption,
    SeedOption,
    SetOption,
    StepsOption,
    draw_to_file,
    open_by_options,
)
from joyai_ros.errors import InputError
from joyai_ros.imagination.requests import Generate

_MOST = 1000  # of a side of the shape; beyond it is a mistake


def command(
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What the picture shows, in quotes.")],
    out: OutOption,
    model: ModelOption = "",
    shape: Annotated[str, typer.Option("--shape", metavar="W:H", help="Width to height, about.")] = "1:1",
    preset: PresetOption = "",
    steps: StepsOption = None,
    seed: SeedOption = 0,
    size: Annotated[int, typer.Option("--size", help="64, 128, 256, 512, 768 or 1024 pixels.")] = 1024,
    assignments: SetOption = None,
    json_file: JsonOption = None,
) -> None:
    """Draw a picture from words alone."""
    prompt = Generate(words).prompt
    sides = _shape(shape)
    painter = open_by_options(model, preset, steps, size, assignments)
    draw_to_file(painter, prompt, (), painter.opened.fitting(sides).bucket, seed, out, json_file)


def _shape(text: str) -> tuple[int, int]:
    """Return width and height of a shape.

    Raises:
        InputError: it is not two whole numbers.
    """
    try:
        width, height = (int(part) for part in text.split(":"))
    except ValueError:
        width = height = 0
    if not (0 < width <= _MOST and 0 < height <= _MOST):
        raise InputError(f"--shape {text!r} is not width to height; give two whole numbers, for example --shape 4:3")
    return width, height

"""``joyai-ros edit``: a model changes one image or several as some words say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from joyai_ros.cli.drawing import (
    JsonOption,
    ModelOption,
    OutOption,
    PresetOption,
    SeedOption,
    SetOption,
    SizeOption,
    StepsOption,
    draw_to_file,
    open_by_options,
)
from joyai_ros.cli.files import read_color
from joyai_ros.errors import InputError
from joyai_ros.imagination.mmdit.request import MOST_REFERENCES
from joyai_ros.imagination.requests import Edit, MoveObject, Request, RotateObject, Side, references


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE... WORDS", help="Images, and in quotes what to do, or with what object."),
    ],
    out: OutOption,
    model: ModelOption = "",
    box: Annotated[
        str | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="Move the object that WORDS name into this box.")
    ] = None,
    side: Annotated[
        Side | None, typer.Option("--side", help="Turn the object that WORDS name to show this side.")
    ] = None,
    preset: PresetOption = "",
    steps: StepsOption = None,
    seed: SeedOption = 0,
    size: SizeOption = 0,
    assignments: SetOption = None,
    json_file: JsonOption = None,
) -> None:
    """Change an image as WORDS say; or move the object that they name (--box, pixels of the first image), or turn it
    (--side). Several images go to a model that takes several; the picture has the first one's shape.
    """
    if len(words) < 2:
        raise InputError("give at least one image and then, in quotes, what to do with it")
    images = [read_color(Path(word)) for word in words[:-1]]
    request = _request(words[-1], box, side)
    shown = references(request, images, MOST_REFERENCES)
    painter = open_by_options(model, preset, steps, size, assignments)
    fitted = [painter.opened.fitting((image.shape[1], image.shape[0])) for image in shown]
    pictures = [fitting.image(image) for fitting, image in zip(fitted, shown, strict=True)]
    draw_to_file(painter, request.prompt, pictures, fitted[0].bucket, seed, out, json_file)


def _request(words: str, box: str | None, side: Side | None) -> Request:
    """Return what is asked for.

    Raises:
        InputError: both a box and a side are given, or the box is not four numbers.
    """
    if box is not None and side is not None:
        raise InputError("--box moves an object and --side turns it; give one of them")
    if side is not None:
        return RotateObject(words, side)
    if box is None:
        return Edit(words)
    try:
        x0, y0, x1, y1 = (float(part) for part in box.split(","))
    except ValueError:
        x0 = y0 = x1 = y1 = math.nan
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise InputError(
            f"--box {box!r} is not four numbers; give X0,Y0,X1,Y1 in pixels, for example --box 20,30,120,90"
        )
    return MoveObject(words, (x0, y0, x1, y1))

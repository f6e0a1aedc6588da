"""Options that the commands of ``joyai-ros eval`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ScenesOption = Annotated[int, typer.Option("--scenes", help="Scenes of tabletop-v1.", min=1)]
SeedOption = Annotated[int, typer.Option("--seed", help="The first scene, and the seed of everything drawn.", min=0)]
WorkOption = Annotated[
    Path, typer.Option("--work", metavar="DIR", help="Where questions and what is done so far are kept.")
]
WorkersOption = Annotated[int | None, typer.Option("--workers", help="Processes; all cores by default.", min=1)]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings (YAML).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the scores; - for stdout.")]
ReportOption = Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Write a report with pictures.")]

WORK = Path("out/eval")


def known(value: float | None, form: str = ".3f") -> str:
    """Return a figure for people; empty where it is not known."""
    return "" if value is None else format(value, form)

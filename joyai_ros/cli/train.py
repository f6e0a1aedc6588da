"""``joyai-ros train``: models trained on what ``joyai-ros data`` made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from joyai_ros.cli.output import write_json
from joyai_ros.settings import load
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.view.config import ViewTraining

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train the model that answers, or the one that draws, on a store of training data.",
)

Recipe = Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings (YAML); recipes lie in models/recipes.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Of the run; an interrupted one goes on.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write what came of it as JSON; - for standard output.")
]


@group.callback()
def _train() -> None:
    """Train the model that answers, or the one that draws, on a store of training data."""


@group.command("mllm")
def mllm(
    context: typer.Context, config: Recipe, out: Out, assignments: Assignments = None, json_file: JsonFile = None
) -> None:
    """Fine-tune the model that answers, or train a small one from scratch.

    An interrupted run goes on where it stopped when the same command is run again.
    """
    settings = load(MllmTraining, config, assignments or ())
    settings.check()
    from joyai_ros.training.mllm.train import train_mllm

    with loss_bar("steps", settings.loop.steps) as progress:
        done = train_mllm(settings, out, context.obj, progress)
    if not done.is_main:
        return
    content = {
        "model": str(done.folder),
        "card": str(done.card),
        "steps": done.trained.steps,
        "loss": done.trained.loss,
        "figures": dict(done.trained.figures),
        "seconds": round(done.trained.seconds, 3),
        "resumed_from": done.trained.resumed_from,
        "samples": done.samples,
        "parameters": done.parameters,
        "data": dict(done.data),
    }
    if json_file is not None:
        write_json(json_file, content)
    if str(json_file) != "-":
        text = f"{done.folder}: {done.trained.steps} steps, loss {done.trained.loss:.4g}; card {done.card}"
        Console(soft_wrap=True, highlight=False).print(text, markup=False)


@group.command("view")
def view(
    context: typer.Context, config: Recipe, out: Out, assignments: Assignments = None, json_file: JsonFile = None
) -> None:
    """Train the model that draws, its VAE included, or go on with one.

    An interrupted run goes on where it stopped when the same command is run again.
    """
    settings = load(ViewTraining, config, assignments or ())
    from joyai_ros.training.view.train import train_view

    with loss_bar("steps of a stage", 1) as progress:
        done = train_view(settings, out, context.obj, lambda _, *figures: progress(*figures))
    if not done.is_main:
        return
    stages = {
        stage.value: {
            "steps": trained.steps,
            "loss": trained.loss,
            "figures": dict(trained.figures),
            "seconds": round(trained.seconds, 3),
            "resumed_from": trained.resumed_from,
        }
        for stage, trained in done.stages.items()
    }
    content = {
        "model": str(done.folder),
        "card": str(done.card),
        "stages": stages,
        "frames": done.frames,
        "pairs": done.pairs,
        "parameters": done.parameters,
        "data_hash": done.data_hash,
    }
    if json_file is not None:
        write_json(json_file, content)
    if str(json_file) != "-":
        losses = ", ".join(f"{name} {each['steps']} steps to loss {each['loss']:.4g}" for name, each in stages.items())
        Console(soft_wrap=True, highlight=False).print(f"{done.folder}: {losses}; card {done.card}", markup=False)


@contextmanager
def loss_bar(what: str, total: int) -> Iterator[Callable[[int, int, float], None]]:
    """Show steps and loss on stderr where a person looks at it; the context's value is what the loop calls."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.4g}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total, loss=float("nan"))
        yield lambda step, steps, loss: bar.update(task, completed=step, total=steps, loss=loss)

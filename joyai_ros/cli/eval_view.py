"""``joyai-ros eval view``: drawn and warped views against what the simulator draws from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.drawing import ModelOption, Painter, PresetOption, SizeOption, StepsOption, open_by_options
from joyai_ros.cli.eval_options import (
    WORK,
    JsonOption,
    ReportOption,
    ScenesOption,
    SeedOption,
    SetOption,
    WorkOption,
    known,
)
from joyai_ros.cli.eval_report import write_view_report
from joyai_ros.cli.imagine import Method
from joyai_ros.cli.output import write_json
from joyai_ros.cli.progress import counting_bar
from joyai_ros.imagination.buckets import Fitting, fit
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.models.store import find_model, stored_card
from joyai_ros.training.evaluation.journal import Journal, fingerprint
from joyai_ros.training.evaluation.questions import HELD_OUT
from joyai_ros.training.evaluation.views import Painted, motions_of, score_scene, summarise_views

_SHIPPED = "small-edit"
_SIDE = 256  # pixels along the longer side of depth views, where no model says otherwise


def view(
    scenes: ScenesOption = 20,
    seed: SeedOption = HELD_OUT,
    poses: Annotated[int, typer.Option("--poses", help="Views of each scene.", min=1, max=34)] = 6,
    method: Annotated[Method | None, typer.Option("--method", help="Who draws: depth, a model, or both.")] = None,
    model: ModelOption = "",
    preset: PresetOption = "",
    steps: StepsOption = None,
    size: SizeOption = 0,
    guide: Annotated[
        float, typer.Option("--guide", help="Also draw from the measured surface, with so much noise.", min=0, max=1)
    ] = 0.0,
    work: WorkOption = WORK,
    assignments: SetOption = None,
    json_file: JsonOption = None,
    report: ReportOption = None,
) -> None:
    """Draw views of held-out scenes from elsewhere and score them: yaw within 45 and pitch within 20 degrees.

    A run that was stopped goes on when the same command is run again.
    """
    chosen = _model(model, method)
    painter = open_by_options(chosen, preset, steps, size, assignments) if chosen else None
    painted = None if painter is None else _painted(painter, size, guide)
    with_depth = method is not Method.MODEL
    fitting = painted.fit if painted else _resized(size or _SIDE)
    plan = _plan(painter, painted, poses, seed, size, with_depth)
    journal = Journal(work / f"view-{painter.opened.card.name if painter else 'depth'}", plan)
    done = {line["scene"]: line["views"] for line in journal.lines}
    with counting_bar("scenes", scenes) as advance:
        for number in range(scenes):
            name = str(seed + number)
            if name not in done:
                motions = motions_of(number, poses, seed)
                found = list(score_scene(seed + number, motions, fitting, painted, with_depth))
                for tried, picture in found:
                    journal.add_picture(tried["id"], picture)
                done[name] = [tried for tried, _ in found]
                journal.add([{"scene": name, "views": done[name]}])
            advance(number + 1)
    views = [tried for number in range(scenes) for tried in done[str(seed + number)]]
    said = {
        "drawn_by": painter.opened.card.name if painter else "depth",
        "scenes": scenes,
        "seed": seed,
        "left_out": scenes * poses - len(views),
        "tasks": summarise_views(views, seed),
    }
    if report is not None:
        write_view_report(report, said, views, journal)
    if json_file is not None:
        write_json(json_file, said)
    if str(json_file) != "-":
        _print(said)
    journal.remove()


def _model(name: str, method: Method | None) -> str:
    """Return the model that draws; empty where depth alone is asked for, or there is none."""
    if method is Method.DEPTH:
        return ""
    shipped = stored_card(_SHIPPED)
    if name or (shipped is not None and shipped.present):
        return name or _SHIPPED
    if method is None:
        typer.echo(f"no --model, and no weights of {_SHIPPED} here: depth views alone", err=True)
        return ""
    return find_model(_SHIPPED).card.name  # which says what is missing


def _painted(painter: Painter, size: int, guide: float) -> Painted:
    opened = painter.opened
    wanted = size or opened.config.size
    how = {"model": Drawing(painter.preset, wanted)}
    if guide:
        shown = opened.config.show_surface
        how["guided"] = Drawing(painter.preset, wanted, strength=guide, show_surface=shown)
    return Painted(opened.imaginer, how, lambda frame: opened.fitting(frame, size))


def _resized(side: int) -> Callable[[tuple[int, int]], Fitting]:
    """Return what brings a frame to a longer side of so many pixels."""

    def fitting(frame: tuple[int, int]) -> Fitting:
        scale = side / max(frame)
        return fit(frame, [(round(frame[1] * scale), round(frame[0] * scale))])

    return fitting


def _plan(
    painter: Painter | None, painted: Painted | None, poses: int, seed: int, size: int, with_depth: bool
) -> dict[str, Any]:
    plan: dict[str, Any] = {"poses": poses, "seed": seed, "size": size, "depth": with_depth}
    if painter is None or painted is None:
        return plan
    how = {way: asdict(drawing) for way, drawing in painted.how.items()}
    files = fingerprint(find_model(painter.opened.config.model).folder)
    return plan | {"model": files, "settings": asdict(painter.opened.config), "how": how}


def _print(said: dict[str, Any]) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    count = max(figures["n"] for figures in said["tasks"].values())
    table = Table(title=f"{count} views of {said['scenes']} scenes, {said['drawn_by']}", title_justify="left")
    names = (
        "way",
        "PSNR",
        "SSIM",
        "unseen",
        "over input",
        "over homography",
        "over warp, unseen",
        "yaw found",
        "chance",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "way" else "right")
    for way, figures in said["tasks"].items():
        table.add_row(
            way,
            known(figures["psnr"], ".2f"),
            known(figures["ssim"]),
            known(figures["psnr_unseen"], ".2f"),
            *(_gain(figures.get(name)) for name in ("over_input", "over_homography", "over_warp_unseen")),
            f"{figures['accuracy']:.3f}",
            f"{figures['chance']:.3f}",
        )
    console.print(table)
    for way, figures in said["tasks"].items():
        if figures["consistent"] is not None:
            console.print(
                f"{way}: consistent with the measured surface {figures['consistent']:.0%}, failed {figures['failures']}"
            )
    if said["left_out"]:
        console.print(f"left out: {said['left_out']} x no camera can stand there")


def _gain(gain: dict[str, Any] | None) -> str:
    if gain is None:
        return ""
    low, high = gain["interval"]
    return f"{gain['mean']:+.2f} ({low:+.1f} to {high:+.1f})"

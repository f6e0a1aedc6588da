"""``joyai-ros run``: the perception over a recorded bag."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from joyai_ros.cli.output import write_json
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.perception.bag_run import Progress as RunProgress
from joyai_ros.perception.bag_run import RunConfig, RunReport, process_bag, report_json
from joyai_ros.perception.pipeline import Answerer
from joyai_ros.reasoning.config import AskConfig
from joyai_ros.settings import load
from joyai_ros.understanding.config import ModelConfig

_INTERRUPTED = 130


@dataclass(frozen=True)
class RunSettings(RunConfig):
    """What ``--config`` and ``--set`` know: the run, who answers its questions, and who draws views for them."""

    ask: AskConfig = field(default_factory=AskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)


def command(
    bag: Annotated[
        Path, typer.Argument(metavar="BAG", help="A rosbag2 folder (mcap or sqlite3) or a bare .mcap file.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The bag folder to make.")],
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings (YAML).")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. topics.color=/cam/image_raw; repeatable."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bag that stands at OUT.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; - for standard output.")
    ] = None,
) -> int:
    """Find the RGB-D stream of BAG, make a scene of every frame, and write scenes, relations, objects, markers, a debug
    image and imagined views to OUT, beside all messages of BAG; with questions in the settings, also answers.

    Settings and topics are described in docs/bags.md. Ctrl-C leaves a whole bag with what is done so far.
    """
    settings = load(RunSettings, config, assignments or ())
    if output.exists() and not overwrite:
        raise typer.BadParameter(f"{output} exists already; choose another, or replace it with --overwrite")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's stop is a Ctrl-C
    try:
        with _answering(settings) as answerer:
            report = _run_with_bar(bag, output, settings, answerer, overwrite=overwrite)
    finally:
        signal.signal(signal.SIGTERM, before)
    if json_file is not None:
        write_json(json_file, report_json(report))
    if json_file is None or str(json_file) != "-":
        _print_report(report)
    if report.interrupted:
        messages = sum(report.written.values())
        Console(stderr=True, soft_wrap=True).print(
            f"joyai-ros: stopped after {report.frames} scenes; {output} is a whole bag of {messages} messages"
        )
        return _INTERRUPTED
    return 0


@contextmanager
def _answering(settings: RunSettings) -> Iterator[Answerer | None]:
    """Load what answers the questions of the settings; nothing where there are none."""
    if not settings.questions.ask:
        yield None
        return
    from joyai_ros.reasoning.fallback import open_asker
    from joyai_ros.reasoning.stream_questions import StreamQuestions

    drawing = settings.imagination if settings.questions.views else None
    with open_asker(settings.model, settings.ask, settings.scene.relations, drawing) as asker:
        yield StreamQuestions(settings.questions, asker)


def _run_with_bar(
    bag: Path, output: Path, settings: RunConfig, answerer: Answerer | None, *, overwrite: bool
) -> RunReport:
    console = Console(stderr=True)
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[frames]} frames"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(bag.name, total=1.0, frames=0)

        def show(progress: RunProgress) -> None:
            bar.update(task, completed=progress.share, frames=progress.frames)

        return process_bag(bag, output, settings, overwrite=overwrite, answerer=answerer, progress=show)


def _print_report(report: RunReport) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    table = Table(title=f"{report.output}: {report.frames} scenes, {report.views} views", title_justify="left")
    table.add_column("topic")
    table.add_column("messages", justify="right")
    for topic, count in report.written.items():
        table.add_row(topic, str(count))
    console.print(table)
    detections = report.topics.detections_2d or report.topics.detections_3d
    console.print(
        f"colour {report.topics.color}, depth {report.topics.depth}, boxes from {detections or 'depth alone'}"
    )
    console.print(f"poses in {report.world_frame or 'no world frame'}, up from {report.up_frame or 'the depth image'}")
    rate = report.frames / report.run_seconds if report.run_seconds else 0.0
    console.print(f"{report.bag_seconds:.1f} s of recording in {report.run_seconds:.1f} s ({rate:.1f} frames/s)")
    for rejection in report.rejections:
        console.print(f"left out: {rejection}", markup=False)

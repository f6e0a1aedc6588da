"""``joyai-ros demo``: a simulated robot camera over a table, perceived, and compared with what is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from joyai_ros.cli.demo_frame import read_last_frame, write_frame_files
from joyai_ros.cli.demo_report import (
    NARROW_COLUMNS,
    VIEW_COLUMNS,
    Report,
    object_rows,
    terminal_table,
    verdict,
    view_rows,
    write_html,
)
from joyai_ros.cli.demo_truth import compare
from joyai_ros.cli.folder import replaced_folder
from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.errors import MissingDependencyError
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.models.errors import ModelFolderError
from joyai_ros.perception.bag_run import process_bag
from joyai_ros.sim.bag import write_bag
from joyai_ros.sim.frames import SimSettings
from joyai_ros.understanding.config import NO_MODEL, ModelConfig
from joyai_ros.understanding.opening import OpenModel, open_model

MARKER = "report.json"
MODEL = "small-und"  # travels with the package; the demo does without it where torch is not installed
PAINTER = "small-edit"  # the same
_SIZE, _STRENGTH = 128, 0.2  # what small-edit was trained for
RATE = 15.0  # frames per second of the simulated camera

Step = Callable[[str, float], None]


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the bags, the pictures and the report.")] = Path(
        "out/demo"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which simulated scene.")] = 11,
    frames: Annotated[int, typer.Option("--frames", min=3, max=3000, help="Length of the recording at 15 Hz.")] = 60,
    model: Annotated[
        str, typer.Option("--model", metavar="CARD", help="Who is asked questions beside geometry; or none.")
    ] = MODEL,
    painter: Annotated[str, typer.Option("--painter", metavar="CARD", help="Who draws views too; or none.")] = PAINTER,
) -> None:
    """Simulate a robot camera over a table, perceive what it sees, and report how right it is.

    Writes a recording (what the robot publishes, and the truth), a bag with the perception's topics beside it, pictures,
    one frame as files, and report.html. An earlier result of this command is replaced; anything else never is.
    """
    console = Console(highlight=False)
    (opened, asked), drawing = _open(model), _open_painter(painter)
    with closing(opened), replaced_folder(out, MARKER) as work, _steps(console) as step:
        _record(work / "recording", seed, frames, step)
        _perceive(work / "recording", work / "bag", step)
        report = _write_report(work, seed, step, opened, asked, drawing)
    _print(console, report, out)


def _open(name: str) -> tuple[OpenModel, str]:
    """Return the model that is asked, and what the report says of it."""
    if name == NO_MODEL:
        return OpenModel(), "No model was asked."
    try:
        return open_model(ModelConfig(name)), f"The model is {name}."
    except (ModelFolderError, MissingDependencyError) as error:
        if name != MODEL:
            raise
        return OpenModel(), f"The model {name} was not asked: {error}."


@contextmanager
def _steps(console: Console) -> Iterator[Step]:
    """Give a function that shows what is being done and how far it is, 0 to 1."""
    words = TextColumn("{task.description:<26}")
    with Progress(
        words, BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), console=console
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def step(description: str, share: float) -> None:
            if description not in tasks:
                tasks[description] = bar.add_task(description, total=1.0)
            bar.update(tasks[description], completed=share)

        yield step


def _record(recording: Path, seed: int, frames: int, step: Step) -> None:
    words = "recording a robot camera"
    step(words, 0.0)
    settings = SimSettings(rate=RATE, whole="none")
    write_bag(recording, seed, frames, settings, progress=lambda done: step(words, done / frames))


def _perceive(recording: Path, bag: Path, step: Step) -> None:
    words = "perceiving the recording"
    step(words, 0.0)
    process_bag(recording, bag, progress=lambda progress: step(words, progress.share))
    step(words, 1.0)


def _open_painter(name: str) -> OpenPainter | None:
    """Return the model that draws; None without one."""
    if name == NO_MODEL:
        return None
    try:
        return open_painter(ImaginationConfig(model=name, size=_SIZE, strength=_STRENGTH))
    except MissingDependencyError:
        if name != PAINTER:
            raise
        return None


def _write_report(
    work: Path, seed: int, step: Step, model: OpenModel, asked: str, painter: OpenPainter | None
) -> Report:
    """Compare the last frame with the truth; write pictures, files and the report."""
    words = "comparing with the truth"
    step(words, 0.0)
    last = read_last_frame(work / "bag")
    report = compare(last, seed, model, asked, painter)
    step(words, 0.6)
    write_frame_files(work / "frame", last.observation)
    for picture in report.pictures:
        write_picture(work / "pictures" / f"{picture.name}.png", picture.image)
    (work / "report.html").write_text(write_html(report), encoding="utf-8")
    write_json(work / MARKER, report.summary())
    step(words, 1.0)
    return report


def _print(console: Console, report: Report, out: Path) -> None:
    title = "Objects at the last frame, and errors against the truth"
    narrow = [row[1:6] for row in object_rows(report.objects)]  # an 80 column terminal has no room for more
    console.print(terminal_table(title, NARROW_COLUMNS, narrow))
    console.print(verdict(report.relations))
    console.print("[bold]Questions[/bold]")
    for check in report.questions:
        said = f"; the model says {check.said}, {check.verdict}" if check.said else ""
        console.print(f"  {check.text}\n    measured {check.measured or 'nothing'}, in truth {check.true}{said}")
    console.print()
    title = "Imagined views: PSNR against the true ones"
    console.print(terminal_table(title, VIEW_COLUMNS[1:], [row[1:] for row in view_rows(report.views)]))
    for name, drawn, said in report.drawn:
        console.print(f"{name}: {said}; {drawn.psnr_all:.1f} dB")
    console.print(f"{report.frames} scenes, {1000 * report.seconds:.0f} ms each (median)\n")
    console.print(f"report  {out / 'report.html'}", soft_wrap=True)
    console.print(f"bag     {out / 'bag'}", soft_wrap=True)

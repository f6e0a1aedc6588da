"""``joyai-ros eval``: scores of models that answer and draw and of the scene engine, on simulated scenes with their truth."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.ask import model_of_options
from joyai_ros.cli.eval_options import (
    WORK,
    ConfigOption,
    JsonOption,
    ReportOption,
    ScenesOption,
    SeedOption,
    SetOption,
    WorkersOption,
    WorkOption,
    known,
)
from joyai_ros.cli.eval_report import write_mllm_report
from joyai_ros.cli.eval_scene import scene
from joyai_ros.cli.eval_view import view
from joyai_ros.cli.output import write_json
from joyai_ros.cli.progress import counting_bar
from joyai_ros.errors import ConfigError
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.models.store import stored_card
from joyai_ros.reasoning.config import AskConfig
from joyai_ros.reasoning.imagined import from_depth, open_views
from joyai_ros.scene.config import SceneConfig
from joyai_ros.settings import flatten, load
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.store import SPLITS, Store
from joyai_ros.training.evaluation.answering import Answers, GeometryAnswers, ModelAnswers
from joyai_ros.training.evaluation.journal import Journal, fingerprint
from joyai_ros.training.evaluation.judge import Judge, open_judge
from joyai_ros.training.evaluation.mllm import ask_all, paired
from joyai_ros.training.evaluation.questions import HELD_OUT, SPLIT, QuestionSet, held_out_store
from joyai_ros.training.evaluation.scoring import Outcome, chances, overall, summarise
from joyai_ros.understanding.config import NO_MODEL, ModelConfig
from joyai_ros.understanding.opening import OpenModel, open_model

_SHIPPED = "small-und"
_SPARE = 1.5  # times as many questions are made as are asked: balancing leaves some out
_BARELY = 0.05  # share of an object that must be seen for a question about what a frame hides
_FEW_PIXELS = 10

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Score a model that answers, a model that draws, or the scene engine, on simulated scenes.",
)

group.command("view")(view)
group.command("scene")(scene)


@dataclass(frozen=True)
class MllmSettings:
    """What ``--config`` and ``--set`` know."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    ask: AskConfig = field(default_factory=AskConfig)
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)


@group.command("mllm")
def mllm(
    scenes: ScenesOption = 100,
    seed: SeedOption = HELD_OUT,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="STORE", help="A store to ask from, instead of new scenes.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Of the store: train, validation or test.")] = SPLIT,
    tasks: Annotated[str, typer.Option("--tasks", metavar="A,B", help="Tasks to ask; all by default.")] = "",
    per_task: Annotated[int, typer.Option("--per-task", help="Questions of a task at most.", min=1)] = 200,
    model: Annotated[
        str | None, typer.Option("--model", metavar="CARD", help="Card or folder; none: geometry answers.")
    ] = None,
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="OpenAI-compatible server.")] = None,
    imagined: Annotated[
        int, typer.Option("--imagined", help="Ask what a frame hides, without and with so many views.", min=0, max=16)
    ] = 0,
    judge: Annotated[
        str, typer.Option("--judge", metavar="NAME", help="Judge of descriptions: module:function, or a model.")
    ] = "",
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds that a question may take.", min=0.001)] = 60.0,
    work: WorkOption = WORK,
    workers: WorkersOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    json_file: JsonOption = None,
    report: ReportOption = None,
) -> None:
    """Ask questions about held-out scenes and score the answers.

    A run that was stopped goes on when the same command is run again.
    """
    settings = load(MllmSettings, config, assignments or ())
    if split not in SPLITS:
        raise typer.BadParameter(f"there is no split {split!r}; splits are {', '.join(SPLITS)}")
    chosen = _model(settings.model, model, server)
    if imagined and chosen.name == NO_MODEL and not chosen.server.url:
        raise ConfigError("--imagined shows views to a model; name one with --model or --server")
    named = tuple(part.strip() for part in tasks.split(",") if part.strip())
    with closing(open_model(chosen)) as opened, _judge(judge, settings.model) as judged:
        store = (  # made when it is known that the model can be used
            Store(data) if data is not None else _made(work, scenes, seed, settings, named, per_task, imagined, workers)
        )
        questions = QuestionSet(store, split, per_task, seed, named, imagined > 0, judged is not None)
        run = _Run(opened, chosen, settings, questions, timeout, work, judge, judged)
        outcomes = run.ask(0)
        with_views = run.ask(imagined) if imagined else []
        chance = chances(questions.questions, seed, judged)
    said = _scores(run, outcomes, with_views, chance, seed)
    said |= {"views": imagined, "scenes": len({posed.item.scene for posed in questions.questions}), "seed": seed}
    if report is not None:
        write_mllm_report(report, said, questions, outcomes, seed)
    if json_file is not None:
        write_json(json_file, said)
    if str(json_file) != "-":
        _print(said)
    run.forget()


def _judge(name: str, config: ModelConfig) -> AbstractContextManager[Judge | None]:
    return open_judge(name, config) if name else nullcontext()


@dataclass
class _Run:
    """One set of questions, asked of one model with and without imagined views."""

    opened: OpenModel
    model: ModelConfig
    settings: MllmSettings
    questions: QuestionSet
    timeout: float
    work: Path
    judge_name: str = ""
    judge: Judge | None = None
    journals: list[Journal] = field(default_factory=list)

    def answers(self, views: int) -> Answers:
        """Return who answers."""
        store = self.questions.store
        if self.opened.backend is None:
            return GeometryAnswers(store, self.settings.scene)
        imagine = open_views(self.settings.imagination) if views else from_depth
        yaw = self.settings.ask.imagined_yaw_deg
        # What a server has answered is kept question by question; the model here is faster with many at once.
        at_once = 1 if self.model.server.url else self.model.local.batch
        return ModelAnswers(self.opened.backend, store, views, yaw, imagine, self.timeout, self.judge, at_once)

    def ask(self, views: int) -> list[Outcome]:
        """Return what became of each question with so many imagined views."""
        answers = self.answers(views)
        journal = Journal(self.work / f"mllm-{Path(answers.name).name}-{views}", self._plan(answers, views))
        self.journals.append(journal)
        what = f"questions, {views} views" if views else "questions"
        with counting_bar(what, len(self.questions.questions)) as advance:
            return ask_all(self.questions, answers, journal, advance)

    def forget(self) -> None:
        """Drop what was kept to go on from."""
        for journal in self.journals:
            journal.remove()

    def _plan(self, answers: Answers, views: int) -> dict[str, Any]:
        plain = {name: str(value) for name, value in flatten(self.settings).items()}
        here = [] if self.model.server.url or self.model.name == NO_MODEL else [self.model.name]
        if views and self.settings.imagination.model:
            here.append(self.settings.imagination.model)
        return {
            "answers": answers.name,
            "server": self.model.server.url,
            "files": [fingerprint(_folder(name)) for name in here],
            "settings": plain,
            "views": views,
            "timeout": self.timeout,
            "judge": self.judge_name,
            "data": self.questions.store.manifest.data_hash(),
            "questions": [posed.item.id for posed in self.questions.questions],
        }


def _folder(name: str) -> Path:
    found = stored_card(name)
    return Path(name) if found is None else found.folder


def _model(config: ModelConfig, name: str | None, server: str | None) -> ModelConfig:
    """Return the model that answers: the one named, or the one that travels with the package where its weights are there."""
    chosen = model_of_options(config, name, server)
    if name is None and chosen.name == NO_MODEL and not chosen.server.url:
        shipped = stored_card(_SHIPPED)
        if shipped is not None and shipped.present:
            return replace(chosen, name=_SHIPPED)
        typer.echo(f"no --model, and no weights of {_SHIPPED} here: geometry answers", err=True)
    return chosen


def _made(
    work: Path,
    scenes: int,
    seed: int,
    settings: MllmSettings,
    tasks: tuple[str, ...],
    per_task: int,
    imagined: int,
    workers: int | None,
) -> Store:
    """Return a store of held-out scenes with as many questions as are asked, and not many more."""
    asked = settings.data.questions
    asked = replace(asked, tasks=tasks or asked.tasks)
    if imagined:  # most questions are about what is well seen, and those are left out afterwards
        asked = replace(asked, least_visible=_BARELY, least_pixels=_FEW_PIXELS)
    else:
        asked = replace(asked, per_scene=min(asked.per_scene, max(_SPARE * per_task / scenes, 1.0)))
    config = replace(settings.data, questions=asked)
    with counting_bar("scenes", scenes) as advance:
        return held_out_store(work, scenes, seed, config, workers or len(os.sched_getaffinity(0)), advance)


def _scores(
    run: _Run, outcomes: list[Outcome], with_views: list[Outcome], chance: dict[str, float], seed: int
) -> dict[str, Any]:
    """Return all figures as plain values."""
    lines = run.opened.confidence
    tasks = summarise(outcomes, chance, lines, seed)
    said: dict[str, Any] = {
        "answered_by": run.answers(0).name,
        "data_hash": run.questions.store.manifest.data_hash(),
        "tasks": tasks,
        "overall": overall(outcomes, tasks, lines),
        "questions": [{"id": o.id, "task": o.task, "scene": o.scene, "score": o.score} for o in outcomes],
        "failed": [{"id": o.id, "task": o.task, "why": o.failure} for o in (*outcomes, *with_views) if o.failure],
    }
    if with_views:
        names = sorted({outcome.task for outcome in outcomes})
        each = {name: _of_task(name, outcomes, with_views, seed) for name in names}
        said["imagined"] = {"tasks": each, "all": paired(outcomes, with_views, seed)}
    return said


def _of_task(name: str, without: list[Outcome], with_views: list[Outcome], seed: int) -> dict[str, Any]:
    return paired([o for o in without if o.task == name], [o for o in with_views if o.task == name], seed)


def _print(said: dict[str, Any]) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    table = Table(title=f"answered by {said['answered_by']}, {said['scenes']} scenes", title_justify="left")
    for name in ("task", "score", "95%", "chance", "beyond chance", "n", "failed", "calibration error"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for name, figures in said["tasks"].items():
        low, high = figures["interval"]
        table.add_row(
            name,
            f"{figures['accuracy']:.3f}",
            f"{low:.2f} to {high:.2f}",
            known(figures["chance"]),
            known(figures["chance_adjusted"]),
            str(figures["n"]),
            str(figures["failures"]),
            known(figures["calibration_error"]),
        )
    console.print(table)
    everything = said["overall"]
    console.print(
        f"mean of tasks {everything['accuracy']:.3f}, beyond chance {known(everything['chance_adjusted'])}, "
        f"calibration error {known(everything['calibration_error'])} of {everything['confidences']} confidences"
    )
    for kind, number in everything["failures"].items():
        console.print(f"failed and counted as wrong: {number} x {kind}")
    if "imagined" in said:
        _print_paired(console, said)


def _print_paired(console: Console, said: dict[str, Any]) -> None:
    for name, figures in {**said["imagined"]["tasks"], "all": said["imagined"]["all"]}.items():
        low, high = figures["interval"]
        console.print(
            f"{name}: {figures['without']:.3f} without, {figures['with']:.3f} with {said['views']} views: "
            f"{figures['difference']:+.3f} (95%: {low:+.3f} to {high:+.3f}, p {figures['p']:.2g}, n {figures['n']})"
        )

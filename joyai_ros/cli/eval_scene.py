"""``joyai-ros eval scene``: the scene engine on single simulated frames against what is true."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from joyai_ros.cli.eval_options import JsonOption, ReportOption, ScenesOption, SeedOption, known
from joyai_ros.cli.eval_report import write_scene_report
from joyai_ros.cli.output import write_json
from joyai_ros.cli.progress import counting_bar
from joyai_ros.training.evaluation.questions import HELD_OUT
from joyai_ros.training.evaluation.scene_scores import SETTINGS, SceneScore, score_seed
from joyai_ros.training.evaluation.scenes import scene_tasks


def scene(
    scenes: ScenesOption = 20,
    seed: SeedOption = HELD_OUT,
    json_file: JsonOption = None,
    report: ReportOption = None,
) -> None:
    """Measure single frames of held-out scenes and compare relations and heights with what is true.

    Each frame is measured with the true 2D boxes, with jittered ones, and with none.
    """
    scores: dict[str, list[SceneScore]] = {boxes: [] for boxes in SETTINGS}
    with counting_bar("scenes", scenes) as advance:
        for number in range(scenes):
            for boxes, found in score_seed(seed + number).items():
                scores[boxes].append(found)
            advance(number + 1)
    tasks = {
        f"{name}/{boxes}": figures for boxes in SETTINGS for name, figures in scene_tasks(scores[boxes], seed).items()
    }
    said = {"scenes": scenes, "seed": seed, "tasks": tasks}
    if report is not None:
        write_scene_report(report, said, scores["true"])
    if json_file is not None:
        write_json(json_file, said)
    if str(json_file) != "-":
        _print(said)


def _print(said: dict[str, Any]) -> None:
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    table = Table(title=f"{said['scenes']} scenes", title_justify="left")
    for name in ("task", "score", "95%", "chance", "n", "recall", "missing", "measured as"):
        table.add_column(name, justify="left" if name in ("task", "measured as") else "right")
    for name, figures in said["tasks"].items():
        low, high = figures["interval"]
        table.add_row(
            name,
            f"{figures['accuracy']:.4f}",
            f"{low:.3f} to {high:.3f}",
            known(figures["chance"]),
            str(figures["n"]),
            known(figures.get("recall")),
            str(figures.get("missing", figures.get("failures"))),
            figures["metric"],
        )
    console.print(table)

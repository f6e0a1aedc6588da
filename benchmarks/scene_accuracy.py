"""How right the scenes of single frames are: statements, boxes and sigmas, on scenes of ``tabletop-v1``.

python -m benchmarks.scene_accuracy --seeds 20000:20200 --pictures out/scene

Each seed's first frame is measured with the true 2D boxes, with jittered ones, and with none. Objects of which the camera
sees less than 30% do not count, nor do pairs with one of them. A statement is right where it is true by the same margins
on the true values (precision is given as well without the comparisons of things that differ by less than the margin); an
abstention is a miss, and so is everything about an object that was not found. How this is done in
detail stands in docs/benchmarks.md. Seeds 20000 to 20199 are for evidence; nothing was tuned on them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.workers import PROCESSES, over_seeds, seed_range
from joyai_ros.training.evaluation.scene_scores import QUANTITIES, SETTINGS, SceneScore, score_seed
from joyai_ros.training.evaluation.scene_summary import ONE_SIGMA, Summary, summarise, summary_json

UNSEEN = range(20000, 20200)
LEAST_PRECISION, LEAST_RECALL, LEAST_IOU = 0.99, 0.9, 0.55
CALIBRATION_PLAY = 0.08


def measure(seeds: range, processes: int | None = None) -> dict[str, list[SceneScore]]:
    """Return the scores of each setting, seed by seed."""
    scores = over_seeds(score_seed, seeds, "scenes", processes or PROCESSES)
    return {boxes: [item[boxes] for item in scores] for boxes in SETTINGS}


def evidence() -> list[dict[str, Any]]:
    """Return what is claimed of single frames."""
    found = {boxes: summarise(scores) for boxes, scores in measure(UNSEEN).items()}
    true = found["true"].statements
    settings = "true / jittered / no boxes"
    inside = [abs(s.calibration - ONE_SIGMA) <= CALIBRATION_PLAY for s in found.values()]
    return [
        _line(
            f"tabletop-v1, relations stated that are true ({settings})",
            _three(found, lambda s: f"{s.statements.precision:.4f}"),
            f"at least {LEAST_PRECISION} with true boxes",
            true.precision >= LEAST_PRECISION,
        ),
        _line(
            f"tabletop-v1, the same, comparisons within the margin left out ({settings})",
            _three(found, lambda s: f"{s.statements.precision_beyond_margins:.4f}"),
            f"at least {LEAST_PRECISION} with true boxes",
            true.precision_beyond_margins >= LEAST_PRECISION,
        ),
        _line(
            f"tabletop-v1, true relations that are stated ({settings})",
            _three(found, lambda s: f"{s.statements.recall:.3f}"),
            f"at least {LEAST_RECALL} with true boxes",
            true.recall >= LEAST_RECALL,
        ),
        _line(
            f"tabletop-v1, errors within one sigma ({settings})",
            _three(found, lambda s: f"{s.calibration:.1%}"),
            f"{ONE_SIGMA:.0%} give or take {100 * CALIBRATION_PLAY:.0f} points",
            all(inside),
        ),
        _line(
            f"tabletop-v1, median 3D box IoU from one view ({settings})",
            _three(found, lambda s: f"{s.iou:.3f}"),
            f"at least {LEAST_IOU}",
            all(s.iou >= LEAST_IOU for s in found.values()),
        ),
    ]


def _three(found: Mapping[str, Summary], figure: Any) -> str:
    return " / ".join(figure(found[boxes]) for boxes in SETTINGS)


def _line(line: str, figure: str, target: str, ok: bool) -> dict[str, Any]:
    command = f"python -m benchmarks.scene_accuracy --seeds {UNSEEN.start}:{UNSEEN.stop}"
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": command}


def report(found: Mapping[str, Summary]) -> None:
    """Print the tables, the settings side by side."""
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(_overview(found))
    console.print(_relations(found))
    console.print(_calibration(found))
    console.print(_kinds(found))


def _overview(found: Mapping[str, Summary]) -> Table:
    table = _table("single frames", found)
    rows: dict[str, Any] = {
        "scenes": lambda s: f"{s.scenes}",
        "objects seen to at least 30%": lambda s: f"{len(s.objects)}",
        "of them missing": lambda s: f"{s.missing}",
        "measured objects that are none": lambda s: f"{s.extra}",
        "relations: precision": lambda s: f"{s.statements.precision:.4f}",
        "  pairs within the margin left out": lambda s: f"{s.statements.precision_beyond_margins:.4f}",
        "relations: recall": lambda s: f"{s.statements.recall:.4f}",
        "errors within one sigma": lambda s: f"{s.calibration:.1%}",
        "3D box IoU, median": lambda s: f"{s.iou:.3f}",
    }
    for name, figure in rows.items():
        table.add_row(name, *(figure(summary) for summary in found.values()))
    return table


def _relations(found: Mapping[str, Summary]) -> Table:
    table = _table("relations: precision, recall, number true", found)
    names = sorted(set().union(*(summary.by_predicate for summary in found.values())))
    for name in names:
        cells = []
        for summary in found.values():
            tally = summary.by_predicate.get(name)
            cells.append(
                f"{tally.precision:.3f}  {tally.recall:.3f}  {tally.right + tally.missed:>5}" if tally else "no such"
            )
        table.add_row(name, *cells)
    return table


def _calibration(found: Mapping[str, Summary]) -> Table:
    table = _table("errors within one sigma (ideal 68%), number", found)
    for name in QUANTITIES:
        table.add_row(
            name,
            *(f"{s.within_one_sigma.get(name, float('nan')):.1%}  {len(s.ratios[name]):>5}" for s in found.values()),
        )
    return table


def _kinds(found: Mapping[str, Summary]) -> Table:
    table = _table("3D box IoU: median, number, missing", found)
    for kind in sorted({item.kind for summary in found.values() for item in summary.objects}):
        cells = []
        for summary in found.values():
            of_kind = [item for item in summary.objects if item.kind == kind]
            median = summary.iou_by(lambda item: item.kind)[kind]
            missing = sum(not item.found for item in of_kind)
            cells.append(f"{float(sorted(median)[len(median) // 2]):.3f}  {len(of_kind):>4}  {missing:>3}")
        table.add_row(kind, *cells)
    return table


def _table(title: str, found: Mapping[str, Summary]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for boxes in found:
        table.add_column(SETTINGS[boxes], justify="right")
    return table


def main() -> None:
    """Measure the seeds that the command line names, print the tables, and draw the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scene_accuracy", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=seed_range, default=UNSEEN, metavar="A:B", help="default: 20000:20200")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--pictures", type=Path, help="draw plots and frames into this folder")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"default: {PROCESSES}")
    arguments = parser.parse_args()
    scores = measure(arguments.seeds, arguments.processes)
    found = {boxes: summarise(group) for boxes, group in scores.items()}
    report(found)
    if arguments.json:
        seeds = [arguments.seeds.start, arguments.seeds.stop]
        content = {"seeds": seeds} | {boxes: summary_json(summary) for boxes, summary in found.items()}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    if arguments.pictures:
        from benchmarks.scene_pictures import draw  # needs matplotlib, which the tables do not

        draw(arguments.pictures, scores, found)


if __name__ == "__main__":
    main()

"""What the small models that travel with the package can do, on scenes that none of them was trained on.

python -m benchmarks.small_models [--scenes 1000] [--views 100] [--per-task 400] [--work out/small-models]

The figures are those of ``joyai-ros eval``, held against what the project set itself as targets. A model whose weights are not
below ``models/`` is said to be missing, and its lines count as not measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from joyai_ros.cli.main import run
from joyai_ros.models.card import load_card
from joyai_ros.models.store import stored

SCENES, VIEWS, PER_TASK, HIDDEN = 1000, 100, 400, 200
# Task: the least score.
TARGETS = {
    "left_right": 0.95,
    "depth_order": 0.95,
    "front_behind": 0.95,
    "above_below": 0.95,
    "existence": 0.95,
    "color": 0.95,
    "count": 0.85,
    "relative_size": 0.85,
    "camera_motion": 0.85,
    "object_distance": 0.6,
    "camera_distance": 0.6,
    "object_size": 0.6,
}
CALIBRATION, OVER_INPUT, FOUND = 0.05, 4.0, 0.8
SIZE, GUIDE = 128, 0.2  # pixels that it was trained with; share of the way that a guided view is drawn
TOGETHER = 32  # questions that are decoded together
UND, EDIT = "small-und", "small-edit"
NO_FIGURE = "no weights under models/"


def evidence(
    scenes: int = SCENES,
    views: int = VIEWS,
    per_task: int = PER_TASK,
    hidden: int = HIDDEN,
    work: Path | None = None,
) -> list[dict[str, Any]]:
    """Return every line that ``joyai-ros eval`` gives of the two models.

    Args:
        scenes: for questions.
        views: scenes for views, four views of each.
        per_task: questions of a task at most.
        hidden: scenes for questions about what a frame hides.
        work: folder of scenes and of what is done so far, which stays; None: nothing stays.
    """
    together = ["--set", f"model.local.batch={TOGETHER}"]
    asked = ["mllm", "--model", UND, "--scenes", str(scenes), "--per-task", str(per_task), "--tasks", ",".join(TARGETS)]
    asked += together
    known = ",".join(task for task in TARGETS if task != "camera_motion")  # that one shows two frames
    loop = ["mllm", "--model", UND, "--imagined", "2", "--scenes", str(hidden), "--tasks", known, *together]
    if stored(load_card(EDIT)).present:
        for key, value in {"model": EDIT, "size": SIZE, "strength": GUIDE}.items():
            loop += ["--set", f"imagination.{key}={value}"]
    drawn = [
        "view",
        "--model",
        EDIT,
        "--scenes",
        str(views),
        "--poses",
        "4",
        "--size",
        str(SIZE),
        "--guide",
        str(GUIDE),
    ]
    return [*_questions(asked, work), *_views(drawn, work), _loop(loop, work)]


def _questions(words: Sequence[str], work: Path | None) -> Iterator[dict[str, Any]]:
    said = _scores(UND, words, work)
    for task, target in TARGETS.items():
        found = None if said is None else said["tasks"].get(task)
        figure = NO_FIGURE if said is None else "not asked" if found is None else _share(found)
        ok = None if found is None else found["accuracy"] >= target
        kind = "" if found is None else f" ({found['metric']})"
        yield _line(f"{UND}, {task}{kind}", figure, f"at least {target:.2f}", ok, words)
    error = None if said is None else said["overall"]["calibration_error"]
    figure = NO_FIGURE if said is None else "no confidences" if error is None else f"{error:.3f}"
    ok = None if error is None else error <= CALIBRATION
    yield _line(f"{UND}, calibration error", figure, f"at most {CALIBRATION}", ok, words)


def _views(words: Sequence[str], work: Path | None) -> Iterator[dict[str, Any]]:
    said = _scores(EDIT, words, work)
    tasks = {} if said is None else said["tasks"]
    drawn, guided = tasks.get("model"), tasks.get("guided")
    gains = (
        ("PSNR over returning the input", drawn, "over_input", OVER_INPUT),
        ("PSNR over the best homography", drawn, "over_homography", 0.0),
        ("with depth guidance, PSNR in unseen regions over the plain warp", guided, "over_warp_unseen", 0.0),
    )
    for name, figures, key, target in gains:
        gain = None if figures is None else figures[key]
        shown = NO_FIGURE if gain is None else f"{gain['mean']:+.2f} dB ({_interval(gain['interval'], '+.2f')})"
        ok = None if gain is None else gain["mean"] > target
        yield _line(f"{EDIT}, {name}", shown, f"above {target:g} dB", ok, words)
    ok = None if drawn is None else drawn["accuracy"] >= FOUND
    shown = NO_FIGURE if drawn is None else _share(drawn)
    yield _line(f"{EDIT}, best true render within 10 degrees of the asked yaw", shown, f"at least {FOUND}", ok, words)


def _loop(words: Sequence[str], work: Path | None) -> dict[str, Any]:
    said = _scores(UND, words, work)
    figure, ok = NO_FIGURE, None
    if said is not None:
        found = said["imagined"]["all"]
        ok = found["difference"] > 0
        figure = (
            f"{found['with']:.3f} with, {found['without']:.3f} without: {found['difference']:+.3f} "
            f"({_interval(found['interval'], '+.3f')}, n {found['n']}, p {found['p']:.2g})"
        )
    return _line("questions about what a frame hides, with two imagined views", figure, "a gain", ok, words)


def _scores(model: str, words: Sequence[str], work: Path | None) -> dict[str, Any] | None:
    """Return what ``joyai-ros eval`` says; None where the model's weights are not there."""
    if not stored(load_card(model)).present:
        return None
    with TemporaryDirectory() as place:
        path = Path(place) / "scores.json"
        code = run(["eval", *words, "--work", str(work or place), "--json", str(path)])
        if code:
            raise RuntimeError(f"joyai-ros eval {' '.join(words)} ended with {code}")
        content: dict[str, Any] = json.loads(path.read_text())
    return content


def _share(figures: dict[str, Any]) -> str:
    chance = "" if figures["chance"] is None else f", chance {figures['chance']:.3f}"
    return f"{figures['accuracy']:.3f} ({_interval(figures['interval'], '.3f')}{chance}, n {figures['n']})"


def _interval(interval: Sequence[float], form: str) -> str:
    return f"95%: {interval[0]:{form}} to {interval[1]:{form}}"


def _line(line: str, figure: str, target: str, ok: bool | None, words: Sequence[str]) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": f"joyai-ros eval {' '.join(words)}"}


def main() -> None:
    """Print each line with its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=SCENES, help=f"for questions; default: {SCENES}")
    parser.add_argument("--views", type=int, default=VIEWS, help=f"scenes for views; default: {VIEWS}")
    parser.add_argument("--per-task", type=int, default=PER_TASK, help=f"questions at most; default: {PER_TASK}")
    parser.add_argument("--hidden", type=int, default=HIDDEN, help=f"scenes for imagined views; default: {HIDDEN}")
    parser.add_argument("--work", type=Path, help="folder to keep the scenes in, and to go on from")
    given = parser.parse_args()
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    for line in evidence(given.scenes, given.views, given.per_task, given.hidden, given.work):
        mark = {True: "met", False: "short", None: "not measured"}[line["ok"]]
        console.print(f"{mark:>12}  {line['line']}: {line['figure']} (target {line['target']})", markup=False)


if __name__ == "__main__":
    main()

"""Whether a LoRA learns a new family of objects from 20 bags, and what of the old it forgets, with and without a teacher.

The new family stands on the same tables, in pastel colours that small-und never saw under these names. From bags of it, and
from scenes of tabletop-v1 beside them as general samples, small-und learns by a LoRA: with the divergence from the frozen
teacher on the general samples and without, each with several seeds. Before and after, questions of `joyai-ros eval` are
answered about scenes of both kinds that no model was trained on.

python -m benchmarks.lora_family [--bags 20] [--seeds 3] [--steps 120]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import yaml

from joyai_ros.cli.main import run
from joyai_ros.geometry.arrays import Float
from joyai_ros.models.card import load_card
from joyai_ros.models.store import stored
from joyai_ros.sim.bag import write_bag
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.frames import SimSettings
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1
from joyai_ros.training.mllm.curriculum import COMPARISONS, LENGTHS, WINDOWS

COMMAND = "python -m benchmarks.lora_family"
BASE = "small-und"
BAGS, FRAMES, SEEDS, STEPS, PER_TASK = 20, 6, 3, 120, 100
LEAST_GAIN, MOST_LOSS = 0.20, 0.02
KEEP = 1.0  # weight of the divergence, where there is one
TOGETHER = 32  # questions that are decoded together
NEW_FAMILY = "better on 20 bags of a new object family"
_DRAWS = 2000  # of an interval
TASKS = "color,count,existence"  # of which the answers depend on what things look like
PASTEL = dataclasses.replace(
    TABLETOP_V1,
    name="pastel-v1",
    colors=(
        ("red", (0.96, 0.64, 0.66)),
        ("orange", (0.98, 0.80, 0.62)),
        ("yellow", (0.98, 0.95, 0.70)),
        ("green", (0.68, 0.88, 0.72)),
        ("blue", (0.66, 0.77, 0.95)),
        ("purple", (0.80, 0.70, 0.91)),
        ("white", (0.96, 0.95, 0.92)),
        ("black", (0.42, 0.42, 0.44)),
    ),
)
# Away from every seed that anything here was trained with.
NEW, OLD = 700_000, 750_000


@dataclass(frozen=True)
class Asked:
    """One question, and how right its answer is, 0 to 1."""

    task: str
    scene: str
    score: float


Scores: TypeAlias = dict[str, Asked]  # by the question's id


@dataclass(frozen=True)
class Outcome:
    """How questions are answered.

    Attributes:
        before: by the model as it was, on the new family and on the old.
        kept, free: for each seed the same after a LoRA with the teacher, and without.
    """

    before: tuple[Scores, Scores]
    kept: tuple[tuple[Scores, Scores], ...]
    free: tuple[tuple[Scores, Scores], ...]


def measured(
    work: Path, base: str = BASE, bags: int = BAGS, seeds: int = SEEDS, steps: int = STEPS, per_task: int = PER_TASK
) -> Outcome:
    """Train and ask; what is in ``work`` already is not done again."""
    new, old = _bags(work, "new", NEW, bags, 0), _scenes(work, "old", OLD, bags, 0)
    tests = _bags(work, "new-test", NEW + bags, bags, 1), _scenes(work, "old-test", OLD + bags, bags, 1)
    recipe = work / "lora.yaml"
    recipe.write_text(yaml.safe_dump(_recipe(base, new, old, steps)))
    results: dict[float, list[tuple[Scores, Scores]]] = {0.0: [], KEEP: []}
    for weight, found in results.items():
        for seed in range(seeds):
            out = work / f"lora-{weight:g}-{seed}"
            _joyai(
                "train", "mllm", recipe, "--out", out, "--set", f"keep.weight={weight}", "--set", f"loop.seed={seed}"
            )
            found.append(_scores(work, out / "model", tests, per_task))
    return Outcome(_scores(work, base, tests, per_task), tuple(results[KEEP]), tuple(results[0.0]))


def _recipe(base: str, new: Path, old: Path, steps: int) -> dict[str, Any]:
    kinds = {WINDOWS: 2.5, LENGTHS: 0.25, COMPARISONS: 0.25}
    return {
        "name": "family",
        "base": base,
        "stores": [str(new), str(old)],
        "exercises": True,
        "stages": [{"mix": {f"{store.name}/{kind}": share for store in (new, old) for kind, share in kinds.items()}}],
        "tokens": 4096,
        "vision_rate": 0.5,
        "lora": {"rank": 16, "alpha": 32, "mlp": True, "vision": True},  # pastel colours look like none it has seen
        "keep": {"general": [old.name]},
        "loop": {
            "steps": steps,
            "learning_rate": 3e-3,
            "warmup": max(1, steps // 10),
            "save_every": 20,
            "log_every": 10,
        },
    }


def _bags(work: Path, name: str, first: int, count: int, test: int) -> Path:
    """Return a store of bags of the new family."""
    paths = []
    for number in range(first, first + count):
        path = work / "bags" / f"{number}"
        if not (path / "metadata.yaml").is_file():
            write_bag(path, describe(number, PASTEL), FRAMES, SimSettings(noise=False), overwrite=True)
        paths.append(path)
    return _built(work / name, test, *paths)


def _scenes(work: Path, name: str, first: int, count: int, test: int) -> Path:
    """Return a store of scenes of tabletop-v1."""
    source = ("--scenes", str(count), "--seed", str(first), "--set", "simulator.noise=false")
    return _built(work / name, test, *source, "--set", f"simulator.frames={FRAMES}")


def _built(folder: Path, test: int, *source: Path | str) -> Path:
    settings = ("simulator.longest_side=320", f"split.test={test}", "split.validation=0")
    _joyai("data", "build", *source, "--out", folder, *(word for each in settings for word in ("--set", each)))
    return folder


def _scores(work: Path, model: Path | str, tests: tuple[Path, Path], per_task: int) -> tuple[Scores, Scores]:
    """Return how each store's questions are answered."""
    new, old = (_score(work, model, store, per_task) for store in tests)
    return new, old


def _score(work: Path, model: Path | str, store: Path, per_task: int) -> Scores:
    path = work / f"{Path(model).parent.name}-{Path(model).name}-{store.name}.json"
    words = ("--data", store, "--split", "test", "--tasks", TASKS, "--per-task", str(per_task), "--work", work / "eval")
    _joyai("eval", "mllm", "--model", model, *words, "--set", f"model.local.batch={TOGETHER}", "--json", path)
    asked = json.loads(path.read_text())["questions"]
    return {each["id"]: Asked(each["task"], each["scene"], each["score"]) for each in asked}


def _joyai(*words: Path | str) -> None:
    code = run([str(word) for word in words])
    if code:
        raise RuntimeError(f"joyai-ros {' '.join(map(str, words))} ended with {code}")


def evidence() -> list[dict[str, Any]]:
    """Return the lines of ``make evidence``."""
    if not stored(load_card(BASE)).present:
        figure: dict[str, Any] = {"figure": f"no weights of {BASE} under models/", "ok": None, "command": COMMAND}
        return [{"line": "a LoRA on 20 bags of a new object family", "target": f"{LEAST_GAIN:.0%} better", **figure}]
    with TemporaryDirectory() as work:
        return lines(measured(Path(work)))


def lines(found: Outcome) -> list[dict[str, Any]]:
    """Return gain and loss with and without the teacher, as lines of evidence."""
    result = []
    for how, after in (("with the KL term", found.kept), ("without it", found.free)):
        gain = changes(found.before[0], [new for new, _ in after])
        loss = changes(found.before[1], [old for _, old in after])
        for what, change, sign, target, ok in (
            (NEW_FAMILY, gain, 1.0, f"at least {LEAST_GAIN:.0%}", mean(gain[0]) >= LEAST_GAIN),
            ("lost on the old", loss, -1.0, f"at most {MOST_LOSS:.0%}", -mean(loss[0]) <= MOST_LOSS),
        ):
            each, ends = change
            low, high = sorted(sign * end for end in ends)
            shown = ", ".join(f"{sign * value:+.1%}" for value in each)
            figure = f"{sign * mean(each):+.1%} (95%: {low:+.1%} to {high:+.1%}; seeds: {shown})"
            line = {"line": f"a LoRA {how}: {what}", "figure": figure, "target": target, "ok": ok}
            result.append({**line, "command": COMMAND})
    return result


def changes(before: Scores, after: Sequence[Scores]) -> tuple[list[float], tuple[float, float]]:
    """Return by how much the mean over the tasks has changed with each seed, and the 95% interval of the mean over seeds.

    The interval is that of drawing whole scenes and seeds anew: the same questions are answered before and after, and those
    about one scene succeed and fail together.
    """
    names = sorted(before)
    gains = np.array([[found[name].score - before[name].score for name in names] for found in after])
    tasks = np.array([before[name].task for name in names])
    scenes, scene = np.unique([before[name].scene for name in names], return_inverse=True)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        counts = np.bincount(random.integers(len(scenes), size=len(scenes)), minlength=len(scenes))[scene]
        some = gains[random.integers(len(gains), size=len(gains))].mean(axis=0)
        drawn.append(_mean_of_tasks(some, tasks, counts))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return [_mean_of_tasks(gain, tasks, np.ones(len(names))) for gain in gains], (float(low), float(high))


def _mean_of_tasks(values: Float, tasks: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean over tasks of their weighted means; a task without weight has no vote."""
    each = [tasks == task for task in np.unique(tasks)]
    return mean(float(np.average(values[of], weights=weights[of])) for of in each if weights[of].any())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lora_family", description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("out/lora-family"), help="what is made, and gone on with")
    parser.add_argument("--base", default=BASE, help=f"card or folder of the model ({BASE})")
    parser.add_argument("--bags", type=int, default=BAGS, help=f"to learn from ({BAGS})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of each way ({SEEDS})")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each run ({STEPS})")
    parser.add_argument("--per-task", type=int, default=PER_TASK, help=f"questions of a task ({PER_TASK})")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    found = measured(chosen.work, chosen.base, chosen.bags, chosen.seeds, chosen.steps, chosen.per_task)
    for line in lines(found):
        print(f"{line['line']}: {line['figure']} (target {line['target']})")


if __name__ == "__main__":
    main()

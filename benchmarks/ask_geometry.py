"""Questions of measurement and relationship, answered by geometry alone, and models that are planted right or wrong.

python -m benchmarks.ask_geometry [--seeds 20000:20200]

Each frame of ``tabletop-v1`` is asked up to six questions of each task about objects of which the camera sees at least
30%, with the true 2D boxes. What is true follows from the exact boxes by the same definitions and margins; pairs within the
margins are not asked. *Answered* is the share of questions to which geometry gives an answer, *right* the share of these
answers that are right: the same choice, or a number within the tolerance for agreeing.

Then a model is planted twice, as a backend of its own, through prompts, schemas and parsing: one that knows the truth, and
one that is wrong. A wrong choice is another of the options; a wrong number is off by at least three times the tolerance,
sigmas included: twice of it contradicts, and geometry may be off by as much itself. What is unchecked (geometry abstains, or
is not sure enough of its choice to contradict) is counted apart: it is neither agreed with nor contradicted.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.scene_ycb import DATA, read_frames
from benchmarks.workers import over_seeds, seed_range
from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.compare import CompareConfig
from joyai_ros.reasoning.measure import measure
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked, Look, Question
from joyai_ros.reasoning.resolve import resolve
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import Status
from joyai_ros.sim.relations import true_objects
from joyai_ros.training.evaluation.scene_scores import LEAST_VISIBLE, look
from joyai_ros.understanding.backend import Finish, IsCanceled, ModelReply, ModelRequest, OnText
from joyai_ros.understanding.formats import Choice, Number
from joyai_ros.understanding.tasks import TASKS, Capability

SEEDS = range(20000, 20200)
EACH = 6  # questions of a task in a frame at most
TASK_NAMES = tuple(
    name
    for name, task in TASKS.items()
    if task.capability in (Capability.MEASUREMENT, Capability.RELATIONSHIP) and name != "count"
)
LEAST_CAUGHT, MOST_ACCUSED = 0.99, 0.01


@dataclass(frozen=True)
class Outcome:
    """One question.

    Attributes:
        task: its name.
        answered, right: by geometry alone.
        error: of a number, metres; NaN for a choice.
        honest, wrong: how the right and the wrong planted answer fared.
    """

    task: str
    answered: bool
    right: bool
    error: float
    honest: Status
    wrong: Status


class Planted:
    """A model that gives prepared answers, in the order of the requests."""

    name = "planted"

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def answer(
        self, requests: Sequence[ModelRequest], on_text: OnText | None = None, is_canceled: IsCanceled | None = None
    ) -> list[ModelReply]:
        """Return them."""
        del on_text, is_canceled
        assert len(requests) == len(self._texts)
        return [ModelReply(text, Finish.STOP) for text in self._texts]

    def close(self) -> None:
        """Nothing to close."""


def ask_seed(seed: int) -> list[Outcome]:
    """Return what became of the questions about one frame."""
    seen = look(seed)
    observation = seen.observations["true"]
    scene = SceneEngine().process(observation)
    true_scene = replace(scene, objects=true_objects(seen.truth), up=seen.truth.up)
    found = {item.id for item in scene.objects}
    visible = [v.id for v in seen.truth.views if v.visible_fraction >= LEAST_VISIBLE and v.id in found]
    random = np.random.default_rng([seed, 5])
    return _outcomes(Look(observation, scene), Look(observation, true_scene), visible, random)


def _outcomes(measured: Look, true: Look, visible: list[str], random: np.random.Generator) -> list[Outcome]:
    config, margins = CompareConfig(), RelationConfig()
    asked: list[tuple[Asked, Measured | None, Measured]] = []
    for name in TASK_NAMES:
        taken = 0
        for ids in _groups(name, visible, random):
            question = Question(name, name, objects=ids)
            truth = measure(resolve(question, [true], False, margins))
            if truth is None or taken == EACH:
                continue
            taken += 1
            one = resolve(question, [measured], False, margins)
            asked.append((one, measure(one), truth))
    if not asked:
        return []
    questions = [one.question for one, _, _ in asked]
    plain = Asker().ask_all(questions, [measured])
    honest = Asker(Planted([_text(one, truth) for one, _, truth in asked])).ask_all(questions, [measured])
    lies = [_text(one, _lie(one, truth, known, config, random)) for one, known, truth in asked]
    wrong = Asker(Planted(lies)).ask_all(questions, [measured])
    result = []
    for (one, _, truth), alone, agreed, accused in zip(asked, plain, honest, wrong, strict=True):
        answered = bool(alone.choice) if truth.choice else alone.value is not None
        error = float("nan") if truth.choice or not answered else float(alone.value or 0.0) - float(truth.value or 0.0)
        right = answered and (
            alone.choice == truth.choice
            if truth.choice
            else abs(error) <= _tolerance(float(truth.value or 0.0), config)
        )
        result.append(Outcome(one.task.name, answered, right, error, agreed.status, accused.status))
    return result


def _groups(name: str, visible: list[str], random: np.random.Generator) -> list[tuple[str, ...]]:
    """Return all groups of objects that a task can be asked about, in random order; three for an order in depth."""
    least = TASKS[name].objects[0]
    size = 3 if name == "depth_order" else least
    groups = list(itertools.permutations(visible, size))
    random.shuffle(groups)
    return groups[:200]


def _tolerance(value: float, config: CompareConfig) -> float:
    return max(config.tolerance, config.tolerance_share * abs(value))


def _lie(
    asked: Asked, truth: Measured, known: Measured | None, config: CompareConfig, random: np.random.Generator
) -> Measured:
    """Return a wrong answer, outside the margins."""
    if truth.choice:
        others = [option for option in asked.options if option != truth.choice]
        return replace(truth, choice=str(random.choice(others)))
    value = float(truth.value or 0.0)
    sigma = 0.0 if known is None else known.sigma or 0.0
    off = (config.doubt + 1.0) * (_tolerance(value, config) + config.sigmas * sigma) * random.uniform(1.0, 2.0)
    below = value - off > 0 and random.random() < 0.5
    return replace(truth, value=value - off if below else value + off)


def _text(asked: Asked, answer: Measured) -> str:
    """Return an answer as a model would write it."""
    if answer.choice:
        wanted = Asker()._request(asked).format
        assert isinstance(wanted, Choice)
        return json.dumps({"answer": wanted.options[asked.options.index(answer.choice)]})
    assert isinstance(asked.task.answer, Number)
    return json.dumps({"value": round(float(answer.value or 0.0), 6), "unit": "m"})


def evidence() -> list[dict[str, Any]]:
    """Return what is claimed of answers from geometry and of the check of a model's answers."""
    return ycb_lines() + lines([item for found in over_seeds(ask_seed, SEEDS, "questions") for item in found])


# Words for the annotated predicates: the task that asks for each, and the answer that it amounts to ("" for the subject).
_WAYS = {
    "left_of": ("left_right", "left"),
    "right_of": ("left_right", "right"),
    "in_front_of": ("front_behind", "in front of"),
    "behind": ("front_behind", "behind"),
    "above": ("above_below", "above"),
    "below": ("above_below", "below"),
    "on": ("above_below", "above"),
    "taller_than": ("relative_height", "subject"),
    "shorter_than": ("relative_height", "object"),
}


def ycb_lines() -> list[dict[str, Any]]:
    """Return the lines about the real frames: annotated heights and relations as questions in words, no task named."""
    command = "python -m benchmarks.ask_geometry"
    if not DATA.is_dir():
        line = "YCB questions, geometry alone"
        return [{"line": line, "figure": "recording absent", "target": "measured", "ok": None, "command": command}]
    heights, relations = [], []
    for frame in read_frames():
        look_at = Look(frame.observation, SceneEngine().process(frame.observation))
        for name, true in frame.heights.items():
            value = Asker().ask(Question(f"How tall is {name}?"), [look_at]).value
            heights.append(value is not None and abs(value - true) <= max(0.08 * true, 0.008))
        for subject, predicate, other in frame.relations:
            task, wanted = _WAYS[predicate]
            wanted = {"subject": subject, "object": other}.get(wanted, wanted)
            words = {"relative_height": f"Which is taller, {subject} or {other}?"}
            words["left_right"] = f"Is {subject} left or right of {other}?"
            words["front_behind"] = f"Is {subject} in front of {other} or behind it?"
            words["above_below"] = f"Is {subject} above or below {other}?"
            relations.append(Asker().ask(Question(words[task]), [look_at]).choice == wanted)
    return [
        {
            "line": f"YCB, {what} asked in words, geometry alone: right",
            "figure": f"{sum(right)} of {len(right)}",
            "target": "all",
            "ok": all(right),
            "command": command,
        }
        for what, right in (("heights (8% or 8 mm)", heights), ("relations", relations))
    ]


def lines(found: list[Outcome]) -> list[dict[str, Any]]:
    """Return the lines of evidence of some outcomes."""
    command = "python -m benchmarks.ask_geometry"
    answered = [item for item in found if item.answered]
    honest = [item for item in found if item.honest is not Status.UNCHECKED]
    wrong = [item for item in found if item.wrong is not Status.UNCHECKED]
    caught = float(np.mean([item.wrong is Status.CONTRADICT for item in wrong]))
    accused = float(np.mean([item.honest is Status.CONTRADICT for item in honest]))
    right = float(np.mean([item.right for item in answered]))
    share = len(answered) / len(found)
    unchecked = 1.0 - len(wrong) / len(found)
    return [
        {
            "line": f"tabletop-v1, {len(found)} questions, geometry alone: answered, and right of these",
            "figure": f"{share:.1%}, {right:.2%}",
            "target": "as the scene engine's figures say",
            "ok": None,
            "command": command,
        },
        {
            "line": "planted wrong answers outside the margins that are marked contradict, where geometry is sure",
            "figure": f"{caught:.2%} ({unchecked:.1%} of all unchecked)",
            "target": f"at least {LEAST_CAUGHT:.0%}",
            "ok": caught >= LEAST_CAUGHT,
            "command": command,
        },
        {
            "line": "planted right answers that are marked contradict",
            "figure": f"{accused:.2%}",
            "target": f"at most {MOST_ACCUSED:.0%}",
            "ok": accused <= MOST_ACCUSED,
            "command": command,
        },
    ]


def main() -> None:
    """Print the figures of each task."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ask_geometry", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=seed_range, default=SEEDS, metavar="A:B", help="seeds of tabletop-v1")
    seeds = parser.parse_args().seeds
    found = [item for items in over_seeds(ask_seed, seeds, "questions") for item in items]
    table = Table(title="answers by geometry, and planted answers of a model")
    for heading in (
        "task",
        "asked",
        "answered",
        "right",
        "|error| median m",
        "wrong: contradict / agree",
        "right: contradict",
    ):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for name in TASK_NAMES:
        items = [item for item in found if item.task == name]
        if not items:
            continue
        answered = [item for item in items if item.answered]
        errors = [abs(item.error) for item in answered if np.isfinite(item.error)]
        wrong = Counter(item.wrong for item in items)
        honest = Counter(item.honest for item in items)
        table.add_row(
            name,
            str(len(items)),
            f"{len(answered) / len(items):.1%}",
            f"{np.mean([item.right for item in answered]):.1%}",
            f"{np.median(errors):.4f}" if errors else "",
            f"{wrong[Status.CONTRADICT]} / {wrong[Status.AGREE]}",
            str(honest[Status.CONTRADICT]),
        )
    console = Console()
    console.print(table)
    for item in ycb_lines() + lines(found):
        console.print(f"{item['line']}: {item['figure']} ({item['target']})")


if __name__ == "__main__":
    main()

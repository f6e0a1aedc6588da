"""How right one answer is, and what many of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from joyai_ros.geometry.arrays import Float
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.models.confidence import OTHERS, ConfidenceLine, ConfidenceLines, line_of
from joyai_ros.reasoning.compare import CompareConfig, Said, compare
from joyai_ros.reasoning.measured import Measured
from joyai_ros.scene.types import Status
from joyai_ros.training.data.records import Content
from joyai_ros.training.data.statistics import Statistics
from joyai_ros.training.evaluation.estimates import (
    Calibration,
    beyond_chance,
    bootstrap,
    calibration,
    fitted_line,
    relative_accuracy,
    wilson,
)
from joyai_ros.training.evaluation.judge import Judge
from joyai_ros.training.evaluation.questions import Posed, reference_of
from joyai_ros.understanding.tasks import TASKS, Scorer

METRICS = {
    Scorer.EXACT: "share that is right",
    Scorer.RELATIVE: "mean relative accuracy",
    Scorer.OVERLAP: "F1 of boxes that overlap by half, or of points within boxes",
    Scorer.POSE: "share within 10 degrees and a fifth of the way",
    Scorer.NONE: "mean of the judge's scores",
}
_OVERLAP = 0.5
_ENOUGH = 30  # answers for a line of their own
_TRIED = 64  # true answers of which each is tried as the constant guess


@dataclass(frozen=True)
class Outcome:
    """What became of one question.

    Attributes:
        id, task, scene: of the question.
        answer: as it was given.
        truth: as it is stored.
        score: 0 to 1.
        failure: why there is no answer that could be scored; empty where there is one.
        log_p: natural logarithm of the probability of a chosen option; None where it is not known.
    """

    id: str
    task: str
    scene: str
    answer: str
    truth: str
    score: float
    failure: str = ""
    log_p: float | None = None


def score(task: str, said: Said, truth: Said, places: Sequence[Box2D] = ()) -> float:
    """Return how right an answer is, 0 to 1.

    Args:
        task: whose scorer is taken.
        said, truth: object ids, metres, pixels.
        places: boxes in which points must lie, one in each.
    """
    kind = TASKS[task].scorer
    if kind is Scorer.POSE:
        known = Measured(pose=truth.pose)
        return float(said.pose is not None and compare(said, known, CompareConfig()) is Status.AGREE)
    if kind is Scorer.OVERLAP:
        if truth.points:
            return _matched(np.array([[_holds(box, point) for box in places] for point in said.points]), len(places))
        return _matched(
            np.array([[box2d_iou(a, b) >= _OVERLAP for b in truth.boxes] for a in said.boxes], float), len(truth.boxes)
        )
    if truth.choice:
        return float(said.choice == truth.choice)
    if said.value is None or truth.value is None:
        return 0.0
    if kind is Scorer.RELATIVE:
        return relative_accuracy(said.value, truth.value)
    return float(round(said.value) == round(truth.value))


def chances(questions: Sequence[Posed], seed: int, judge: Judge | None = None) -> dict[str, float]:
    """Return, for each task, the score of the best blind guess.

    Of options that is one over their number, or always the most frequent one where that is better; of everything else the one
    of the true answers (64 of them, drawn at random) that would score best if it were always said. Of open answers it is the
    mean score of the reference of another question.
    """
    counted = Statistics()
    counted.add(Content((), tuple(posed.item for posed in questions), ()))
    by_task: dict[str, list[Posed]] = {}
    for posed in questions:
        by_task.setdefault(posed.item.task, []).append(posed)
    random = np.random.default_rng([seed, 44])
    found = {}
    for task, group in by_task.items():
        if TASKS[task].scorer is Scorer.NONE:
            assert judge is not None, "open questions are asked where there is a judge"
            found[task] = float(
                np.mean([_swapped(judge, *pair) for pair in zip(group, group[1:] + group[:1], strict=True)])
            )
            continue
        guess = counted.guess(task)
        if guess is None:
            tried = [group[int(index)] for index in random.permutation(len(group))[:_TRIED]]
            guess = max(float(np.mean([_guessed(one, other) for other in group])) for one in tried)
        found[task] = guess
    return found


def _guessed(one: Posed, other: Posed) -> float:
    """Return the score of one question's answer to another."""
    said = one.truth
    if said.points:  # of one point for each box
        said = Said(points=tuple(((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in one.places))
    return score(other.item.task, said, other.truth, other.places)


def _swapped(judge: Judge, one: Posed, other: Posed) -> float:
    return judge(one.item.prompt, reference_of(one.item), reference_of(other.item))


def summarise(
    outcomes: Sequence[Outcome], chance: dict[str, float], lines: ConfidenceLines, seed: int
) -> dict[str, dict[str, Any]]:
    """Return the figures of each task.

    Args:
        outcomes: of all questions.
        chance: by task, from :func:`chances`.
        lines: of confidences.
        seed: of bootstrap draws.
    """
    by_task: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_task.setdefault(outcome.task, []).append(outcome)
    return {task: _figures(task, group, chance.get(task), lines, seed) for task, group in sorted(by_task.items())}


def _figures(
    task: str, outcomes: Sequence[Outcome], chance: float | None, lines: ConfidenceLines, seed: int
) -> dict[str, Any]:
    scores = [outcome.score for outcome in outcomes]
    kind = TASKS[task].scorer
    accuracy = float(np.mean(scores))
    is_share = kind in (Scorer.EXACT, Scorer.POSE)
    interval = (
        wilson(round(sum(scores)), len(scores))
        if is_share
        else bootstrap(scores, [outcome.scene for outcome in outcomes], seed)
    )
    calibrated = calibration_of(outcomes, lines)
    return {
        "metric": METRICS[kind],
        "n": len(scores),
        "accuracy": accuracy,
        "chance": chance,
        "chance_adjusted": beyond_chance(accuracy, chance),
        "interval": list(interval),
        "mean_relative_accuracy": accuracy if kind is Scorer.RELATIVE else None,
        "calibration_error": None if calibrated is None else calibrated.error,
        "failures": sum(bool(outcome.failure) for outcome in outcomes),
    }


def overall(outcomes: Sequence[Outcome], tasks: dict[str, dict[str, Any]], lines: ConfidenceLines) -> dict[str, Any]:
    """Return the figures of all questions together; accuracies are means over tasks, one task one vote."""
    calibrated = calibration_of(outcomes, lines)
    adjusted = [figures["chance_adjusted"] for figures in tasks.values() if figures["chance_adjusted"] is not None]
    return {
        "n": len(outcomes),
        "accuracy": float(np.mean([figures["accuracy"] for figures in tasks.values()])),
        "chance_adjusted": float(np.mean(adjusted)) if adjusted else None,
        "calibration_error": None if calibrated is None else calibrated.error,
        "confidences": 0 if calibrated is None else calibrated.n,
        "bins": [] if calibrated is None else [list(item) for item in calibrated.bins],
        "confidence": {task: asdict(line) for task, line in lines.items()},
        "fitted": {task: asdict(line) for task, line in fitted_lines(outcomes).items()},
        "failures": dict(Counter(outcome.failure.partition(":")[0] for outcome in outcomes if outcome.failure)),
    }


def fitted_lines(outcomes: Iterable[Outcome]) -> dict[str, ConfidenceLine]:
    """Return the lines that make these answers most likely: of each task of which enough is known, and for
    the others that of all answers together.
    """
    known: dict[str, list[tuple[float, bool]]] = {}
    for outcome in outcomes:
        if outcome.log_p is not None:
            known.setdefault(outcome.task, []).append((outcome.log_p, outcome.score == 1.0))
    groups = {task: each for task, each in sorted(known.items()) if len(each) >= _ENOUGH}
    groups[OTHERS] = [one for each in known.values() for one in each]
    lines = {
        name: fitted_line([log_p for log_p, _ in each], [right for _, right in each]) for name, each in groups.items()
    }
    return {name: line for name, line in lines.items() if line is not None}


def calibration_of(outcomes: Iterable[Outcome], lines: ConfidenceLines) -> Calibration | None:
    """Return how well the confidences of choices are calibrated; None where there are none.

    Of a task without a line the confidence is the model's own probability.
    """
    known = [
        ((line_of(lines, o.task) or ConfidenceLine()).confidence(o.log_p), o.score == 1.0)
        for o in outcomes
        if o.log_p is not None
    ]
    return calibration([sure for sure, _ in known], [right for _, right in known])


def _holds(box: Box2D, point: tuple[float, float]) -> float:
    return float(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def _matched(fits: Float, true: int) -> float:
    """Return the F1 of the best one-to-one match; ``fits`` (said, true) is 1 where one may be taken for the other."""
    said = len(fits)
    if not said or not true:
        return float(said == true)
    rows, columns = linear_sum_assignment(-fits)
    return 2.0 * float(fits[rows, columns].sum()) / (said + true)

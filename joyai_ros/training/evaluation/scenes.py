"""The scene engine against the simulator's truth, in a few figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from joyai_ros.scene.predicates import Predicate
from joyai_ros.training.evaluation.estimates import beyond_chance, bootstrap, wilson
from joyai_ros.training.evaluation.scene_scores import ObjectScore, SceneScore
from joyai_ros.training.evaluation.scene_summary import summarise, summary_json

_PLAY_M, _PLAY_SHARE = 0.006, 0.06  # a height is right within the larger of both


def scene_tasks(scores: Sequence[SceneScore], seed: int) -> dict[str, dict[str, Any]]:
    """Return the figures of one setting: of relations, and of heights.

    Args:
        scores: of each scene.
        seed: of bootstrap draws.
    """
    return {"relations": _relations(scores, seed), "heights": _heights(scores)}


def _relations(scores: Sequence[SceneScore], seed: int) -> dict[str, Any]:
    summary = summarise(scores)
    tally = summary.statements
    stated = [(1.0, s.seed) for s in scores for _ in range(s.right.total())]
    stated += [(0.0, s.seed) for s in scores for _ in range(s.wrong.total())]
    interval = bootstrap([value for value, _ in stated], [str(scene) for _, scene in stated], seed)
    chance = _dealt(scores)
    return {
        "metric": "share of the stated relations that are true",
        "n": len(stated),
        "accuracy": tally.precision,
        "chance": chance,
        "chance_adjusted": beyond_chance(tally.precision, chance),
        "interval": list(interval),
        "recall": tally.recall,
        "precision_beyond_margins": tally.precision_beyond_margins,
        "within_one_sigma": _plain(summary.calibration),
        "box_iou_median": _plain(summary.iou),
        "missing": summary.missing,
        "predicates": summary_json(summary)["relations"],
    }


def _dealt(scores: Sequence[SceneScore]) -> float | None:
    """Return the share that would be true if each stated relation were dealt to objects of its scene at random."""
    stated: Counter[str] = Counter()
    true: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for score in scores:
        stated.update(score.right)
        stated.update(score.wrong)
        true.update(score.right)
        true.update(score.missed)
        n = len(score.objects)
        for predicate in Predicate:
            pairs = n * (n - 1)
            possible[predicate.value] += pairs * max(n - 2, 0) // 2 if predicate is Predicate.BETWEEN else pairs
    total = sum(stated.values())
    if not total:
        return None
    return sum(count * true[name] / max(possible[name], 1) for name, count in stated.items()) / total


def _heights(scores: Sequence[SceneScore]) -> dict[str, Any]:
    objects = [item for score in scores for item in score.objects]
    right = [item.found and _is_right(item.size_error[2], item.height) for item in objects]
    true = np.array([item.height for item in objects])
    guesses = [np.mean([_is_right(guess - height, height) for height in true]) for guess in true]
    accuracy = float(np.mean(right)) if right else 0.0
    chance = float(max(guesses, default=0.0))
    errors = [abs(item.size_error[2]) for item in objects if item.found]
    return {
        "metric": f"share of heights within {_PLAY_SHARE:.0%} or {1000 * _PLAY_M:g} mm",
        "n": len(objects),
        "accuracy": accuracy,
        "chance": chance,
        "chance_adjusted": beyond_chance(accuracy, chance),
        "interval": list(wilson(sum(right), len(right))),
        "error_median_m": float(np.median(errors)) if errors else None,
        "failures": sum(not item.found for item in objects),
    }


def _is_right(error: float, height: float) -> bool:
    return abs(error) <= max(_PLAY_M, _PLAY_SHARE * height)


def worst_objects(scores: Sequence[SceneScore], count: int) -> list[ObjectScore]:
    """Return the objects whose heights are most wrong, those not found first."""
    objects = [item for score in scores for item in score.objects]
    return sorted(objects, key=lambda item: -abs(item.size_error[2]) if item.found else -math.inf)[:count]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Scores of many scenes in a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from joyai_ros.geometry.arrays import Float
from joyai_ros.training.evaluation.scene_scores import QUANTITIES, ObjectScore, SceneScore

ONE_SIGMA = 0.68  # share of errors within one sigma where sigmas are right and errors normal


@dataclass(frozen=True)
class Tally:
    """Statements counted: stated and true, stated and not true, true and not stated.

    Attributes:
        right, wrong, missed: the counts.
        outright: those of ``wrong`` that are not comparisons of things that differ by less than the margin.
    """

    right: int
    wrong: int
    missed: int
    outright: int

    @property
    def precision(self) -> float:
        """Share of what is stated that is true, 1 where nothing is stated."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def precision_beyond_margins(self) -> float:
        """The same, comparisons of things that differ by less than the margin left out."""
        return self.right / (self.right + self.outright) if self.right + self.outright else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true that is stated, 1 where nothing is true."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


@dataclass(frozen=True)
class Summary:
    """Many scenes in one setting.

    Attributes:
        scenes: how many.
        objects: those that were looked for.
        statements: pooled over all predicates.
        by_predicate: one by one.
        ratios: errors over their sigmas, by quantity.
        extra: measured objects that are none.
    """

    scenes: int
    objects: tuple[ObjectScore, ...]
    statements: Tally
    by_predicate: dict[str, Tally]
    ratios: dict[str, Float]
    extra: int

    @property
    def missing(self) -> int:
        """Objects that were not found."""
        return sum(not item.found for item in self.objects)

    @property
    def iou(self) -> float:
        """Median 3D intersection over union of all objects that were looked for; 0 for those not found."""
        return float(np.median([item.iou for item in self.objects])) if self.objects else float("nan")

    @property
    def within_one_sigma(self) -> dict[str, float]:
        """Share of errors within one sigma, by quantity, for those that were measured at all."""
        return {name: share_within(values) for name, values in self.ratios.items() if len(values)}

    @property
    def calibration(self) -> float:
        """Share of all errors within one sigma."""
        return share_within(np.concatenate(list(self.ratios.values())))

    def iou_by(self, key: Callable[[ObjectScore], str]) -> dict[str, Float]:
        """Return the objects' intersections over unions, grouped by ``key``, sorted."""
        groups: dict[str, list[float]] = {}
        for item in self.objects:
            groups.setdefault(key(item), []).append(item.iou)
        return {name: np.array(values) for name, values in sorted(groups.items())}


def share_within(ratios: Float, sigmas: float = 1.0) -> float:
    """Return the share of errors (N,) in sigmas that are within so many sigmas."""
    return float((np.abs(ratios) <= sigmas).mean()) if len(ratios) else float("nan")


def summarise(scores: Sequence[SceneScore]) -> Summary:
    """Pool the scores of one setting."""
    counts: list[Counter[str]] = [Counter(), Counter(), Counter(), Counter()]
    for score in scores:
        for total, counted in zip(counts, (score.right, score.wrong, score.missed, score.outright), strict=True):
            total.update(counted)
    names = sorted(set().union(*counts))
    return Summary(
        scenes=len(scores),
        objects=tuple(item for score in scores for item in score.objects),
        statements=Tally(*(count.total() for count in counts)),
        by_predicate={name: Tally(*(count[name] for count in counts)) for name in names},
        ratios={name: np.array([r for score in scores for r in score.ratios[name]]) for name in QUANTITIES},
        extra=sum(score.extra for score in scores),
    )


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain data for JSON."""
    return {
        "scenes": summary.scenes,
        "objects": len(summary.objects),
        "missing": summary.missing,
        "extra": summary.extra,
        "iou_median": summary.iou,
        "iou_by_kind": {
            kind: {"count": len(values), "median": float(np.median(values))}
            for kind, values in summary.iou_by(lambda item: item.kind).items()
        },
        "within_one_sigma": {"all": summary.calibration} | summary.within_one_sigma,
        "relations": {"all": _tally_json(summary.statements)}
        | {name: _tally_json(tally) for name, tally in summary.by_predicate.items()},
    }


def _tally_json(tally: Tally) -> dict[str, float]:
    return {
        "precision": tally.precision,
        "precision_beyond_margins": tally.precision_beyond_margins,
        "recall": tally.recall,
        "right": tally.right,
        "wrong": tally.wrong,
        "outright_wrong": tally.outright,
        "missed": tally.missed,
    }

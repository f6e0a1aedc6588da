"""Figures of samples: intervals, calibration, paired differences, and how much of a score is more than guessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import binomtest

from joyai_ros.geometry.arrays import Float
from joyai_ros.models.confidence import ConfidenceLine, log_odds

_Z = 1.959964  # of a 95% interval
_RESAMPLES = 2000
_THRESHOLDS = np.arange(0.50, 0.951, 0.05)  # VSI-Bench's
_BINS = 10  # of confidences


@dataclass(frozen=True)
class Calibration:
    """How far confidences are from the share that is right.

    Attributes:
        n: confidences.
        error: expected calibration error: over ten bins of equal width, the mean distance between the mean confidence and
            the share that is right, weighted by how many are in each.
        bins: (mean confidence, share right, number) of each bin that is not empty.
    """

    n: int
    error: float
    bins: tuple[tuple[float, float, int], ...]


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share; (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def bootstrap(values: Sequence[float], groups: Sequence[str], seed: int) -> tuple[float, float]:
    """Return a 95% interval of the mean, by drawing whole groups anew 2000 times.

    Args:
        values: (n,) of each question.
        groups: (n,) what it is drawn with: questions of one scene succeed and fail together.
        seed: of the draws.
    """
    if not values:
        return 0.0, 1.0
    order = sorted(set(groups))
    place = {name: number for number, name in enumerate(order)}
    index = np.array([place[name] for name in groups])
    sums = np.bincount(index, np.asarray(values, dtype=np.float64), len(order))
    counts = np.bincount(index, minlength=len(order))
    drawn = np.random.default_rng([seed, 41]).integers(len(order), size=(_RESAMPLES, len(order)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p of McNemar's test: how likely so uneven a change is if both ways are as good."""
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def relative_accuracy(said: float, true: float) -> float:
    """Return VSI-Bench's mean relative accuracy of a number.

    It is the share of the thresholds 0.50, 0.55 ... 0.95 for which the relative error is below one minus the threshold.
    """
    error = abs(said - true) / max(abs(true), 1e-9)
    return float((error < 1.0 - _THRESHOLDS).mean())


def beyond_chance(score: float, chance: float | None) -> float | None:
    """Return the score on a scale from guessing, 0, to all right, 1; None where guessing has no score."""
    return None if chance is None or chance >= 1.0 else (score - chance) / (1.0 - chance)


def calibration(confidences: Sequence[float], right: Sequence[bool]) -> Calibration | None:
    """Return how well confidences are calibrated; None of nothing."""
    if not confidences:
        return None
    values, hits = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    which = np.minimum((values * _BINS).astype(int), _BINS - 1)
    bins = []
    for number in range(_BINS):
        inside = which == number
        if inside.any():
            bins.append((float(values[inside].mean()), float(hits[inside].mean()), int(inside.sum())))
    error = sum(count * abs(sure - share) for sure, share, count in bins) / len(values)
    return Calibration(len(values), float(error), tuple(bins))


def fitted_line(log_p: Sequence[float], right: Sequence[bool]) -> ConfidenceLine | None:
    """Return the line under which what happened is most likely; None of nothing.

    As Platt has it, a right answer counts as a little less than sure, and a wrong one as a little more than impossible, so that
    few answers do not make a line that is sure of everything.

    Args:
        log_p: (n,) natural logarithms of the probabilities of the chosen answers.
        right: (n,) whether they were right.
    """
    hits = np.asarray(right, bool)
    if not len(hits):
        return None
    odds = np.array([log_odds(item) for item in log_p])
    wanted = np.where(hits, (hits.sum() + 1) / (hits.sum() + 2), 1 / ((~hits).sum() + 2))

    def loss(line: Float) -> float:
        value = line[0] * odds + line[1]
        return float((np.logaddexp(0.0, value) - wanted * value).mean())

    found = minimize(loss, (0.5, 0.0), method="L-BFGS-B", bounds=((0.0, None), (None, None)))
    return ConfidenceLine(float(found.x[0]), float(found.x[1]))

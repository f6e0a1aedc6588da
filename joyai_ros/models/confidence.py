"""From the probability that a model gives its answer to the probability that it is right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

OTHERS = "others"  # tasks without a line of their own
_SUREST = -1e-9  # logarithm of a probability above which its log odds cannot be told
_MOST = 50.0  # log odds


@dataclass(frozen=True)
class ConfidenceLine:
    """Platt scaling: the log odds that an answer is right are a line over the log odds that the model gives it (J. Platt,
    "Probabilistic outputs for support vector machines", 1999).

    Attributes:
        slope: below 1 for a model that is too sure, at least 0.
        offset: added after it.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if {type(self.slope), type(self.offset)} - {int, float}:
            raise TypeError("slope and offset are numbers")
        if not (math.isfinite(self.slope) and math.isfinite(self.offset) and self.slope >= 0.0):
            raise ValueError("slope is finite and at least 0, offset finite")

    def confidence(self, log_p: float) -> float:
        """Return the probability that an answer is right; ``log_p`` is the natural logarithm of what the model gives it."""
        odds = self.slope * log_odds(log_p) + self.offset
        return 1.0 / (1.0 + math.exp(-max(min(odds, _MOST), -_MOST)))


ConfidenceLines: TypeAlias = Mapping[str, ConfidenceLine]  # by task, and of OTHERS; none: nothing is known


def line_of(lines: ConfidenceLines, task: str) -> ConfidenceLine | None:
    """Return the line of a task's answers; None where confidences were not calibrated for it."""
    return lines.get(task, lines.get(OTHERS))


def log_odds(log_p: float) -> float:
    """Return the log odds of a probability that is given as its natural logarithm, of which 0 and 1 have large ones."""
    log_p = max(min(log_p, _SUREST), -_MOST)
    return log_p - math.log(-math.expm1(log_p))

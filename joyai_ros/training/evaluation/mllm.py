"""Asking a whole set of questions, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from joyai_ros.training.evaluation.answering import BACKEND, Answers
from joyai_ros.training.evaluation.estimates import bootstrap, mcnemar
from joyai_ros.training.evaluation.journal import Journal
from joyai_ros.training.evaluation.questions import Posed, QuestionSet, together
from joyai_ros.training.evaluation.scoring import Outcome
from joyai_ros.understanding.backend import ModelError

_IN_A_ROW = 10  # failures of a backend, after which it is taken to be gone


def ask_all(
    questions: QuestionSet, answers: Answers, journal: Journal, progress: Callable[[int], None] | None = None
) -> list[Outcome]:
    """Return what became of every question, in their order.

    Args:
        questions: to ask.
        answers: who answers.
        journal: what was asked before is not asked again.
        progress: called with the number of questions done.

    Raises:
        ModelError: ten questions in a row failed in the backend; what was answered before is kept.
        OutputError: the journal cannot be written.
    """
    known = {line["id"]: Outcome(**line) for line in journal.lines if not line["failure"].startswith(BACKEND)}
    in_a_row = 0
    left = [posed for posed in questions.questions if posed.item.id not in known]
    for portion in _portions(left, answers.at_once):
        found = answers.answer(portion)
        journal.add([asdict(outcome) for outcome in found])
        for outcome in found:
            in_a_row = in_a_row + 1 if outcome.failure.startswith(BACKEND) else 0
            if in_a_row >= _IN_A_ROW:
                raise ModelError(f"{in_a_row} questions in a row failed; the last: {outcome.failure}")
        known |= {outcome.id: outcome for outcome in found}
        if progress is not None:
            progress(len(known))
    return [known[posed.item.id] for posed in questions.questions]


def _portions(questions: Sequence[Posed], size: int) -> Iterator[list[Posed]]:
    """Yield questions in portions of about a size; those about the same images are in one."""
    portion: list[Posed] = []
    for group in together(questions):
        portion += group
        if len(portion) >= size:
            yield portion
            portion = []
    if portion:
        yield portion


def paired(without: list[Outcome], with_views: list[Outcome], seed: int) -> dict[str, Any]:
    """Return how the same questions fare without and with imagined views.

    ``difference`` is the mean gain, its interval from drawing whole scenes anew; ``p`` is McNemar's, on questions that one
    of both has fully right and the other has not.
    """
    gains = [b.score - a.score for a, b in zip(without, with_views, strict=True)]
    right = [(a.score == 1.0, b.score == 1.0) for a, b in zip(without, with_views, strict=True)]
    gained, lost = sum(not a and b for a, b in right), sum(a and not b for a, b in right)
    return {
        "n": len(gains),
        "without": float(np.mean([outcome.score for outcome in without])),
        "with": float(np.mean([outcome.score for outcome in with_views])),
        "difference": float(np.mean(gains)),
        "interval": list(bootstrap(gains, [outcome.scene for outcome in without], seed)),
        "gained": gained,
        "lost": lost,
        "p": mcnemar(gained, lost),
    }

"""Intervals, calibration and paired differences, against values worked out by hand or in print."""

import math

import numpy as np
import pytest

from joyai_ros.models.confidence import ConfidenceLine
from joyai_ros.training.evaluation.estimates import (
    beyond_chance,
    bootstrap,
    calibration,
    fitted_line,
    mcnemar,
    relative_accuracy,
    wilson,
)


def test_wilson():
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)  # Newcombe 1998, method 3
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert wilson(10, 10)[0] == pytest.approx(0.7225, abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_bootstrap_draws_whole_scenes():
    apart = [float(k % 2) for k in range(400)]
    alone = bootstrap(apart, [str(k) for k in range(400)], 0)
    assert alone == bootstrap(apart, [str(k) for k in range(400)], 0), "seeded"
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    together = bootstrap(sorted(apart), [str(k // 40) for k in range(400)], 0)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0]), "ten scenes, each all right or all wrong, tell less"


def test_relative_accuracy_is_that_of_vsi_bench():
    assert relative_accuracy(1.0, 1.0) == 1.0
    assert relative_accuracy(1.12, 1.0) == pytest.approx(0.8)  # below 0.5 ... 0.15, not below 0.10 and 0.05
    assert relative_accuracy(2.0, 1.0) == 0.0
    assert relative_accuracy(0.7, 1.0) == pytest.approx(0.4)


def test_mcnemar_and_chance():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(8, 0) == pytest.approx(2 * 0.5**8)
    assert beyond_chance(0.75, 0.5) == 0.5
    assert beyond_chance(0.25, 0.5) == -0.5
    assert beyond_chance(0.9, None) is None


def test_calibration_and_the_line_that_mends_it():
    random = np.random.default_rng(0)
    honest = random.uniform(0.5, 0.999, 4000)
    right = random.random(4000) < honest
    found = calibration(honest.tolist(), right.tolist())
    assert found is not None
    assert found.error < 0.02
    assert sum(count for _, _, count in found.bins) == 4000
    # A model whose log odds are three times what they should be, and a half.
    log_p = [math.log(ConfidenceLine(3.0, 0.5).confidence(math.log(p))) for p in honest]
    boastful = calibration([math.exp(item) for item in log_p], right.tolist())
    assert boastful is not None
    assert boastful.error > 0.1
    line = fitted_line(log_p, right.tolist())
    assert (line.slope, line.offset) == pytest.approx((1 / 3, -0.5 / 3), abs=0.05)
    mended = calibration([line.confidence(item) for item in log_p], right.tolist())
    assert mended is not None
    assert mended.error < 0.02
    assert calibration([], []) is None
    assert fitted_line([], []) is None
    always = fitted_line(log_p[:50], [True] * 50)
    assert 0.95 < always.confidence(-1e-4) < 1.0, "fifty of fifty are not certainty"
    # A model that is as sure where it errs is right as often as it is, whatever it says.
    guesses = fitted_line([-1e-6] * 100, [True] * 30 + [False] * 70)
    assert guesses.confidence(-1e-6) == pytest.approx(0.3, abs=0.02)

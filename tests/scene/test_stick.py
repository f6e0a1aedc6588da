"""Long thin things that lean, and where their hidden ends are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.scene.footprint import Footprint
from joyai_ros.scene.stick import fit_stick
from tests.scene.layouts import lengths

MUG = Footprint(np.array([0.1, 0.8]), np.array([1.0, 0.0]), 0.08, 0.08)


def rod(lean, low, high, radius=0.008, through=(0.1, 0.8, 0.0), count=400, seed=0):
    """Points on a leaning rod between two heights."""
    random = np.random.default_rng(seed)
    height = random.uniform(low, high, count)
    around = random.uniform(0, 2 * math.pi, count)
    at = np.array(through) + np.column_stack([height * lean[0], height * lean[1], height])
    return at + radius * np.column_stack([np.cos(around), np.sin(around), np.zeros(count)])


@settings(max_examples=60)
@given(st.tuples(lengths(-0.8, 0.8), lengths(-0.8, 0.8)), st.integers(0, 99))
def test_the_axis_leads_to_the_hidden_end(lean, seed):
    stick = fit_stick(rod(lean, 0.07, 0.16, seed=seed))
    assert stick is not None
    np.testing.assert_allclose(stick.lean, lean, atol=0.08)
    np.testing.assert_allclose(stick.at(0.005), (0.1 + 0.005 * lean[0], 0.8 + 0.005 * lean[1]), atol=0.01)
    assert 0.008 < stick.thickness < 0.025


def test_its_footprint_reaches_from_end_to_end():
    stick = fit_stick(rod((0.5, 0.0), 0.07, 0.15))
    found = stick.footprint(0.15, 0.005, MUG)
    assert found.length == pytest.approx(0.145 * 0.5 + stick.thickness, abs=0.006)
    assert found.width == stick.thickness
    assert abs(found.axis[0]) == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(found.center, (0.1 + 0.0775 * 0.5, 0.8), atol=0.004)


def test_the_lower_end_stays_in_the_container():
    stick = fit_stick(rod((0.9, 0.0), 0.09, 0.16, through=(0.02, 0.8, 0.0)))
    assert stick.at(0.005)[0] < 0.05  # the fitted axis leads out through the wall
    found = stick.footprint(0.16, 0.005, MUG)
    left = found.center[0] - found.length / 2.0
    assert left > MUG.center[0] - MUG.length / 2.0 - 1e-3


@pytest.mark.parametrize(
    "points",
    [
        rod((0.0, 0.0), 0.0, 0.1)[:20],
        rod((0.0, 0.0), 0.0, 0.02),
        np.random.default_rng(0).normal(size=(500, 3)) * 0.05,
        np.column_stack([np.linspace(0, 0.2, 300), np.full(300, 0.8), np.zeros(300)]),
    ],
    ids=["few points", "short", "a lump", "lying"],
)
def test_what_is_no_stick(points):
    assert fit_stick(points) is None

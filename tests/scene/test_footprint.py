"""Rectangles and circles around points seen from one side."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.scene.footprint import fit_footprint
from tests.scene.layouts import lengths

PITCH = 0.002


def filled(length, width, heading, center, random, count=3000):
    """Points all over a rectangle."""
    axis = np.array([math.cos(heading), math.sin(heading)])
    across = np.array([-axis[1], axis[0]])
    share = random.uniform(-0.5, 0.5, (count, 2))
    return center + share[:, :1] * length * axis + share[:, 1:] * width * across


def disc(radius, center, random, count=3000, half=math.pi):
    """Points all over a disc, or over the part within ``half`` of the direction to the viewer at the origin."""
    toward = math.atan2(-center[1], -center[0])
    bearing = toward + random.uniform(-half, half, count)
    away = radius * np.sqrt(random.uniform(0, 1, count)) if half == math.pi else np.full(count, radius)
    return center + np.column_stack([away * np.cos(bearing), away * np.sin(bearing)])


@settings(max_examples=60)
@given(
    st.tuples(lengths(0.06, 0.4), lengths(0.02, 0.4)),
    lengths(-1.5, 1.5),
    lengths(-0.4, 0.4),
    lengths(0.5, 1.5),
    st.integers(0, 99),
)
def test_a_rectangle_at_any_heading(sides, heading, right, forward, seed):
    length, width = max(sides), min(sides)
    center = np.array([right, forward])
    found = fit_footprint(filled(length, width, heading, center, np.random.default_rng(seed)), PITCH, 0.0)
    if found.round:  # a square-ish outline may pass for a circle only where it nearly is one
        assert length / width < 1.3
        return
    assert found.length == pytest.approx(length, abs=0.012 + 0.02 * length)
    assert found.width == pytest.approx(width, abs=0.012 + 0.02 * length)
    np.testing.assert_allclose(found.center, center, atol=0.008)
    assert found.length >= found.width
    assert np.linalg.norm(found.axis) == pytest.approx(1.0)
    if length / width > 1.3:
        assert abs(math.remainder(math.atan2(found.axis[1], found.axis[0]) - heading, math.pi)) < 0.08


@pytest.mark.parametrize("radius", [0.03, 0.05, 0.12])
@pytest.mark.parametrize("half", [math.pi, math.radians(85.0)])
def test_a_circle_is_completed_from_its_near_side(radius, half):
    center = np.array([0.2, 0.9])
    found = fit_footprint(disc(radius, center, np.random.default_rng(0), half=half), PITCH, 0.0)
    assert found.round
    assert found.length == pytest.approx(2 * radius, rel=0.04, abs=0.004)
    assert found.width == found.length
    np.testing.assert_allclose(found.center, center, atol=0.004)


def test_a_corner_is_no_circle():
    """Two walls of a box at a right angle, seen from their corner."""
    random = np.random.default_rng(0)
    wall = random.uniform(0, 0.15, (1500, 1))
    points = np.vstack([np.hstack([wall, wall]), np.hstack([-wall, wall])]) + np.array([0.0, 0.8])
    found = fit_footprint(points, PITCH, 0.0)
    assert not found.round
    assert found.length == pytest.approx(0.15 * math.sqrt(2), abs=0.01)
    assert found.width == pytest.approx(0.15 * math.sqrt(2), abs=0.01)


def test_stray_points_are_left_out():
    random = np.random.default_rng(0)
    points = filled(0.2, 0.1, 0.4, (0.0, 1.0), random, count=12000)
    alone = fit_footprint(points, PITCH, 0.0)
    stray = np.vstack([points, random.uniform(-1.0, 1.0, (12, 2)) + np.array([0.0, 1.0])])
    found = fit_footprint(stray, PITCH, 0.0)
    assert found.length == pytest.approx(alone.length, abs=0.004)
    assert found.width == pytest.approx(alone.width, abs=0.004)


@pytest.mark.parametrize("spread", [1.0, 1e3, 1e7])
def test_points_far_apart_cost_no_more_than_others(spread):
    points = np.random.default_rng(0).normal(size=(1500, 2)) * spread
    found = fit_footprint(points, 1e-3, 0.0)
    assert np.isfinite([found.length, found.width, *found.center]).all()


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.ones((50, 2)), np.linspace((0, 1), (0.2, 1), 60)])
def test_points_on_one_spot_or_line(points):
    found = fit_footprint(points, PITCH, 0.0)
    assert np.isfinite([found.length, found.width, *found.center, *found.axis]).all()
    assert found.length == pytest.approx(np.ptp(points, axis=0).max(), abs=0.02)

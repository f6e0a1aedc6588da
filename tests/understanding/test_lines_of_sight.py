"""Places of a listing, brought together with the boxes that they are of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.understanding.lines_of_sight import FOCAL, in_line

ASPECT = 0.75
SEEDS = st.integers(0, 2**32 - 1)


def alone(heights):
    """Nothing stands on another thing."""
    return np.zeros(len(heights)), np.arange(len(heights))


def table(seed, count=6, storeys=0):
    """Return boxes, places and heights of things on a table that a camera looks down at; the last seem to be on the first."""
    random = np.random.default_rng(seed)
    pitch, above = random.uniform(0.4, 1.1), random.uniform(0.4, 0.9)
    heights = random.uniform(0.02, 0.2, count)
    x, y = random.uniform(-0.45, 0.45, count), random.uniform(-0.3, 0.45, count) * ASPECT
    for storey in range(storeys):
        x[-1 - storey], y[-1 - storey] = x[0], y[0] - 0.04 * (storeys - storey)
        heights[-1 - storey] = heights[0]
    lines = np.stack([x, np.cos(pitch) * FOCAL - y * np.sin(pitch), np.sin(pitch) * FOCAL + y * np.cos(pitch)], axis=1)
    lines *= ((above - heights / 2) / lines[:, 2])[:, None]
    places = np.stack([lines[:, 0], lines[:, 1], np.linalg.norm(lines, axis=1), lines[:, 2]], axis=1)
    wide, high = random.uniform(0.02, 0.1, (2, count))
    x, y = x + 0.5, y / ASPECT + 0.5
    return list(zip(x - wide, y - high, x + wide, y + high, strict=True)), places, heights


@given(SEEDS, st.integers(1, 12))
def test_what_agrees_stays_as_it_is(seed, count):
    boxes, places, heights = table(seed, count)
    np.testing.assert_allclose(in_line(boxes, places, heights, *alone(heights), ASPECT), places, rtol=0.02, atol=0.005)


@given(SEEDS)
def test_places_lie_on_lines_of_sight(seed):
    boxes, places, heights = table(seed)
    random = np.random.default_rng(seed)
    said = places * np.exp(0.1 * random.standard_normal(places.shape))
    right, ahead, distance, below = in_line(boxes, said, heights, *alone(heights), ASPECT).T
    np.testing.assert_allclose(np.sqrt(right**2 + ahead**2 + below**2), distance)
    x = (np.array(boxes)[:, 0] + np.array(boxes)[:, 2]) / 2 - 0.5
    assert (np.sign(right) == np.sign(x)).all()


def test_uncertain_places_come_nearer_to_the_truth():
    random = np.random.default_rng(0)
    before, after = [], []
    for seed in range(200):
        boxes, places, heights = table(seed)
        said = places * np.exp(0.08 * random.standard_normal(places.shape))
        found = in_line(boxes, said, heights, *alone(heights), ASPECT)
        before.append(np.abs(said - places).mean(0))
        after.append(np.abs(found - places).mean(0))
    assert (np.mean(after, axis=0) < 0.75 * np.mean(before, axis=0)).all(), "of each: right, ahead, distance and below"


def test_what_stands_far_above_the_others_is_hardly_moved():
    boxes, places, heights = table(4)
    raised = places.copy()
    raised[2] *= 0.7  # nearer on its line, so higher: on a shelf
    found = in_line(boxes, raised, heights, *alone(heights), ASPECT)
    assert found[2, 2] == pytest.approx(raised[2, 2], rel=0.02)


@given(SEEDS, st.integers(1, 2))
def test_what_stands_on_another_thing_is_where_that_is(seed, storeys):
    boxes, places, heights = table(seed, storeys=storeys)
    likely, under = alone(heights)
    for storey in range(storeys):
        likely[-1 - storey], under[-1 - storey] = 1.0, -2 - storey if storey < storeys - 1 else 0
    found = in_line(boxes, places, heights, likely, under, ASPECT)
    np.testing.assert_allclose(found[:-storeys], places[:-storeys], rtol=0.02, atol=0.02)
    way = np.hypot(found[:, 0], found[:, 1])
    said = np.hypot(places[:, 0], places[:, 1])
    for storey in range(1, storeys + 1):
        if said[-storey] < 1.2 * said[0]:  # from so far it moves nearly all of the way
            assert way[-storey] == pytest.approx(way[0], rel=0.05)
        assert way[-storey] - way[0] < 0.6 * (said[-storey] - said[0]) + 0.02
        assert found[-storey, 3] < found[0, 3], "and higher"


def test_how_likely_it_is_says_how_far_a_thing_moves():
    boxes, places, heights = table(7, storeys=1)
    likely, under = alone(heights)
    under[-1] = 0
    found = []
    for likely[-1] in (0.0, 0.5, 1.0):
        found.append(in_line(boxes, places, heights, likely, under, ASPECT)[-1, 2])
    assert found[0] > found[1] + 0.01 > found[2] + 0.02


@given(SEEDS)
def test_a_mirror_image_is_the_other_way_round(seed):
    boxes, places, heights = table(seed)
    said = places * np.exp(0.1 * np.random.default_rng(seed).standard_normal(places.shape))
    mirrored = [(1 - x1, y0, 1 - x0, y1) for x0, y0, x1, y1 in boxes]
    found = in_line(mirrored, said * [-1, 1, 1, 1], heights, *alone(heights), ASPECT)
    np.testing.assert_allclose(found * [-1, 1, 1, 1], in_line(boxes, said, heights, *alone(heights), ASPECT), atol=1e-9)


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(0, 2)] * 3, st.floats(-1, 2), st.floats(0, 0.5), st.floats(0, 1)),
        min_size=1,
        max_size=16,
    )
)
def test_whatever_is_said_places_stay_finite(said):
    values = np.array(said)
    boxes = [(min(a, b), min(a, b), max(a, b), max(a, b)) for a, b, *_ in said]
    under = np.roll(np.arange(len(said)), 1)
    found = in_line(boxes, values[:, 2:6], *values[:, 6:].T, under, ASPECT)
    assert found.shape == (len(said), 4) and np.isfinite(found).all() and (found[:, 2] >= 0).all()

"""Places of a listing, brought together with the boxes that they are of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.understanding.lines_of_sight import FOCAL, in_line

ASPECT = 0.75
SEEDS = st.integers(0, 2**32 - 1)


def table(seed, count=6):
    """Return boxes, places and heights of things on a table that a camera looks down at."""
    random = np.random.default_rng(seed)
    pitch, above = random.uniform(0.4, 1.1), random.uniform(0.4, 0.9)
    heights = random.uniform(0.02, 0.2, count)
    x, y = random.uniform(-0.45, 0.45, count), random.uniform(-0.3, 0.45, count) * ASPECT
    lines = np.stack([x, np.cos(pitch) * FOCAL - y * np.sin(pitch), np.sin(pitch) * FOCAL + y * np.cos(pitch)], axis=1)
    lines *= ((above - heights / 2) / lines[:, 2])[:, None]
    places = np.stack([lines[:, 0], lines[:, 1], np.linalg.norm(lines, axis=1), lines[:, 2]], axis=1)
    wide, high = random.uniform(0.02, 0.1, (2, count))
    x, y = x + 0.5, y / ASPECT + 0.5
    return list(zip(x - wide, y - high, x + wide, y + high, strict=True)), places, heights


@given(SEEDS, st.integers(1, 12))
def test_what_agrees_stays_as_it_is(seed, count):
    boxes, places, heights = table(seed, count)
    np.testing.assert_allclose(in_line(boxes, places, heights, ASPECT), places, rtol=0.02, atol=0.005)


@given(SEEDS)
def test_places_lie_on_lines_of_sight(seed):
    boxes, places, heights = table(seed)
    random = np.random.default_rng(seed)
    said = places * np.exp(0.1 * random.standard_normal(places.shape))
    right, ahead, distance, below = in_line(boxes, said, heights, ASPECT).T
    np.testing.assert_allclose(np.sqrt(right**2 + ahead**2 + below**2), distance)
    x = (np.array(boxes)[:, 0] + np.array(boxes)[:, 2]) / 2 - 0.5
    assert (np.sign(right) == np.sign(x)).all()


def test_uncertain_places_come_nearer_to_the_truth():
    random = np.random.default_rng(0)
    before, after = [], []
    for seed in range(200):
        boxes, places, heights = table(seed)
        said = places * np.exp(0.08 * random.standard_normal(places.shape))
        found = in_line(boxes, said, heights, ASPECT)
        before.append(np.abs(said - places).mean(0))
        after.append(np.abs(found - places).mean(0))
    assert (np.mean(after, axis=0) < 0.75 * np.mean(before, axis=0)).all(), "of each: right, ahead, distance and below"


def test_what_stands_far_above_the_others_is_hardly_moved():
    boxes, places, heights = table(4)
    raised = places.copy()
    raised[2] *= 0.7  # nearer on its line, so higher: on a shelf
    found = in_line(boxes, raised, heights, ASPECT)
    assert found[2, 2] == pytest.approx(raised[2, 2], rel=0.02)


@given(SEEDS)
def test_a_mirror_image_is_the_other_way_round(seed):
    boxes, places, heights = table(seed)
    said = places * np.exp(0.1 * np.random.default_rng(seed).standard_normal(places.shape))
    mirrored = [(1 - x1, y0, 1 - x0, y1) for x0, y0, x1, y1 in boxes]
    found = in_line(mirrored, said * [-1, 1, 1, 1], heights, ASPECT)
    np.testing.assert_allclose(found * [-1, 1, 1, 1], in_line(boxes, said, heights, ASPECT), atol=1e-9)


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(0, 2)] * 3, st.floats(-1, 2), st.floats(0, 0.5)),
        min_size=1,
        max_size=16,
    )
)
def test_whatever_is_said_places_stay_finite(said):
    values = np.array(said)
    boxes = [(min(a, b), min(a, b), max(a, b), max(a, b)) for a, b, *_ in said]
    found = in_line(boxes, values[:, 2:6], values[:, 6], ASPECT)
    assert found.shape == (len(said), 4) and np.isfinite(found).all() and (found[:, 2] >= 0).all()

"""Holes of depth and colour, continued from what lies behind them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.complete import complete_nearness
from joyai_ros.geometry.fill import fill_color, pull_push
from joyai_ros.geometry.spans import spans_of

CAMERA = Camera(96, 64, 90.0, 90.0, 48.0, 32.0)


def two_surfaces(hole):
    """A near surface on the left of column 40, a far one on the right, and a hole (rows, columns) between."""
    nearness = np.full((64, 96), 1 / 3.0, dtype=np.float32)
    nearness[:, :40] = 1.0
    nearness[hole] = 0.0
    return nearness


def test_a_depth_hole_beside_an_object_belongs_to_what_is_behind():
    hole = (slice(None), slice(40, 50))
    np.testing.assert_allclose(complete_nearness(two_surfaces(hole), CAMERA)[hole], 1 / 3.0, rtol=1e-4)


def test_a_depth_hole_inside_a_surface_is_straight():
    rows = np.arange(64, dtype=np.float32)[:, None]
    plane = np.broadcast_to(0.3 + 0.002 * rows, (64, 96)).astype(np.float32)
    holed = plane.copy()
    holed[20:30, 30:50] = 0
    np.testing.assert_allclose(complete_nearness(holed, CAMERA), plane, rtol=0.01)


@given(
    arrays(np.float32, (13, 17), elements=st.sampled_from(np.array([0.0, 0.2, 0.5, 0.51, 2.0], np.float32).tolist()))
)
def test_completing_keeps_what_is_measured_and_leaves_no_hole(nearness):
    camera = Camera(17, 13, 15.0, 15.0, 8.0, 6.0)
    complete = complete_nearness(nearness, camera)
    measured = nearness > 0
    np.testing.assert_array_equal(complete[measured], nearness[measured])
    if measured[::2, ::2].any():  # it looks at every other pixel
        assert (complete > 0.19).all()
        assert (complete < 2.01).all()


def test_color_spreads_from_the_background_alone():
    hole = (slice(None), slice(40, 52))
    nearness = two_surfaces(hole)
    known = nearness > 0
    color = np.where((nearness == 1.0)[..., None], (200, 0, 0), (0, 0, 200)).astype(np.uint8)
    color[~known] = 0
    fill_color(color, nearness, known, CAMERA)
    assert color[hole][..., 0].max() < 25
    assert color[hole][..., 2].min() > 175
    np.testing.assert_allclose(nearness[hole], 1 / 3.0, rtol=1e-3)


def test_known_pixels_are_not_touched_and_nothing_known_stays_black():
    rng = np.random.default_rng(0)
    color = rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)
    known = rng.random((64, 96)) < 0.5
    color[~known] = 0
    before, nearness = color.copy(), np.where(known, np.float32(0.5), np.float32(0))
    fill_color(color, nearness, known, CAMERA)
    np.testing.assert_array_equal(color[known], before[known])
    black, nothing = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.float32)
    fill_color(black, nothing, np.zeros((64, 96), bool), CAMERA)
    assert not black.any()
    assert not nothing.any()


@given(arrays(np.float32, (9, 11), elements=st.floats(0, 1, width=32)), st.floats(1, 200))
def test_pull_push_continues_a_constant_as_it_is(weight, value):
    total = np.float32(value) * weight[..., None]
    field = pull_push(total, weight)
    if weight.max() > 1e-3:
        np.testing.assert_allclose(field[..., 0], value, rtol=2e-3)


@given(arrays(np.bool_, (7, 9)))
def test_spans_end_at_the_nearest_known_pixels(known):
    nearness = np.where(known, np.arange(1, 64, dtype=np.float32).reshape(7, 9), np.float32(0))
    holes, along, across = spans_of(nearness, known)
    np.testing.assert_array_equal(holes, np.flatnonzero(~known))
    for number, hole in enumerate(holes):
        row, column = divmod(int(hole), 9)
        for spans, line, here in ((along, nearness[row], column), (across, nearness[:, column], row)):
            before, after = np.flatnonzero(line[:here]), np.flatnonzero(line[here:]) + here
            assert spans.start[number] == (line[before[-1]] if len(before) else 0)
            assert spans.end[number] == (line[after[0]] if len(after) else 0)
            if len(before) and len(after):
                assert spans.length[number] == after[0] - before[-1]

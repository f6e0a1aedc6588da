"""Objects told by colour where depth sees one piece."""

import numpy as np
import pytest

from joyai_ros.scene.contrast import tell_by_color

SHAPE = (120, 160)
MUG, MARKER = (40.0, 40.0, 110.0, 110.0), (70.0, 30.0, 84.0, 90.0)
MUG_COLOR, MARKER_COLOR, TABLE_COLOR = (40, 70, 190), (230, 140, 30), (150, 150, 150)


def painted(marker=MARKER_COLOR, seed=0):
    """A mug with a marker before it, in one depth; noise as a camera's."""
    color = np.empty((*SHAPE, 3))
    color[:] = TABLE_COLOR
    color[rows_and_columns(MUG)] = MUG_COLOR
    color[rows_and_columns(MARKER)] = marker
    noise = np.random.default_rng(seed).normal(0, 4, color.shape)
    return np.clip(color + noise, 0, 255).astype(np.uint8)


def rows_and_columns(box):
    x0, y0, x1, y1 = (int(v) for v in box)
    return slice(y0, y1), slice(x0, x1)


def inside(*boxes):
    mask = np.zeros(SHAPE, dtype=bool)
    for box in boxes:
        mask[rows_and_columns(box)] = True
    return np.flatnonzero(mask)


DEPTH = np.full(SHAPE, 0.8, dtype=np.float32)


def test_a_marker_in_a_mug_gets_its_own_pixels_back():
    assigned = [inside(MUG, MARKER), np.zeros(0, dtype=np.int64)]
    mug, marker = tell_by_color(painted(), DEPTH, [MUG, MARKER], assigned)
    truth = inside(MARKER)
    assert np.isin(marker, truth).all()
    assert len(marker) > 0.7 * len(truth)
    assert not np.isin(mug, marker).any()
    assert len(mug) > 0.9 * len(np.setdiff1d(inside(MUG), truth))


def test_what_depth_has_found_already_stays():
    assigned = [np.setdiff1d(inside(MUG), inside(MARKER)), inside(MARKER)]
    mug, marker = tell_by_color(painted(), DEPTH, [MUG, MARKER], assigned)
    np.testing.assert_array_equal(marker, assigned[1])
    np.testing.assert_array_equal(mug, assigned[0])


@pytest.mark.parametrize("color", [MUG_COLOR, TABLE_COLOR])
def test_without_a_colour_of_its_own_nothing_is_taken(color):
    assigned = [inside(MUG), np.zeros(0, dtype=np.int64)]
    found = tell_by_color(painted(color), DEPTH, [MUG, MARKER], assigned)
    np.testing.assert_array_equal(found[0], assigned[0])
    assert len(found[1]) == 0


def test_a_part_that_another_box_needs_is_not_taken():
    """The neck of a bottle has a colour of its own; a book behind it has nothing of that colour."""
    bottle, book = (60.0, 20.0, 90.0, 110.0), (50.0, 20.0, 100.0, 60.0)
    color = painted(TABLE_COLOR)
    color[rows_and_columns(MUG)] = TABLE_COLOR
    color[rows_and_columns(bottle)] = MUG_COLOR
    color[20:58, 52:98] = MARKER_COLOR
    assigned = [inside(bottle), np.zeros(0, dtype=np.int64)]
    found = tell_by_color(color, DEPTH, [bottle, book], assigned)
    np.testing.assert_array_equal(found[0], assigned[0])


def test_no_boxes_and_no_depth():
    assert tell_by_color(painted(), DEPTH, [], []) == []
    nothing = [np.zeros(0, dtype=np.int64)] * 2
    found = tell_by_color(painted(), np.zeros(SHAPE, dtype=np.float32), [MUG, MARKER], nothing)
    assert [len(f) for f in found] == [0, 0]


def test_an_object_that_is_mostly_of_a_patch_keeps_it():
    """Half of the bowl is not measured; what shows in its box in a colour of its own is the pen, nearly all of it."""
    pen, bowl = (40.0, 20.0, 120.0, 110.0), (60.0, 30.0, 130.0, 105.0)
    color = painted(TABLE_COLOR)
    color[rows_and_columns(MUG)] = TABLE_COLOR
    stripe = (64.0, 20.0, 118.0, 110.0)
    color[rows_and_columns(stripe)] = MARKER_COLOR
    assigned = [inside(stripe), inside((119.0, 60.0, 130.0, 100.0))]
    found = tell_by_color(color, DEPTH, [pen, bowl], assigned)
    for before, after in zip(assigned, found, strict=True):
        np.testing.assert_array_equal(after, before)

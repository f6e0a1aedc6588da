"""2D and 3D boxes: corners, inside, other frames, and what is no box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import BoxError
from joyai_ros.geometry.boxes import OrientedBox, box2d_iou, checked_box2d
from tests.geometry.test_rigid import offsets, rotations, transforms

sizes = st.tuples(st.floats(0.01, 3), st.floats(0.01, 3), st.floats(0.01, 3)).map(np.array)
boxes = st.builds(OrientedBox, offsets, rotations, sizes)
edges = st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50))
flat = edges.map(lambda e: (e[0], e[1], e[0] + e[2], e[1] + e[3]))


@given(boxes)
def test_corners_lie_on_the_box_and_span_it(box):
    corners = box.corners()
    assert corners.shape == (8, 3)
    assert box.contains(corners, margin=1e-6).all()
    assert not box.contains(box.center + 1.01 * (corners - box.center)).any()
    local = box.local(corners)
    np.testing.assert_allclose(np.ptp(local, axis=0), box.size, atol=1e-9)
    assert box.volume == pytest.approx(np.prod(np.ptp(local, axis=0)))


@given(boxes, transforms, offsets)
def test_another_frame_changes_nothing_about_a_box(box, transform, point):
    moved = box.transformed(transform)
    np.testing.assert_allclose(moved.local(transform[:3, :3] @ point + transform[:3, 3]), box.local(point), atol=1e-8)
    np.testing.assert_array_equal(moved.size, box.size)


@given(boxes, offsets.filter(lambda v: np.linalg.norm(v) > 0.1))
def test_the_extent_along_a_direction_is_that_of_the_corners(box, direction):
    direction = direction / np.linalg.norm(direction)
    assert box.extent_along(direction) == pytest.approx(np.ptp(box.corners() @ direction), abs=1e-8)


@pytest.mark.parametrize(
    ("center", "rotation", "size"),
    [
        (np.full(3, np.nan), np.eye(3), np.ones(3)),
        (np.zeros(3), 2 * np.eye(3), np.ones(3)),
        (np.zeros(3), np.diag([1.0, 1.0, -1.0]), np.ones(3)),
        (np.zeros(3), np.eye(3), np.array([1.0, -0.1, 1.0])),
        (np.zeros(2), np.eye(3), np.ones(3)),
    ],
)
def test_what_is_no_3d_box(center, rotation, size):
    with pytest.raises(BoxError):
        OrientedBox(center, rotation, size)


@given(flat, flat)
def test_overlap_is_symmetric_and_one_with_itself(a, b):
    assert box2d_iou(a, a) == pytest.approx(1.0)
    assert box2d_iou(a, b) == pytest.approx(box2d_iou(b, a))
    assert 0.0 <= box2d_iou(a, b) <= 1.0


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((5, 5, 5, 9), "inverted or empty"),
        ((9, 5, 5, 9), "inverted or empty"),
        ((70, 5, 80, 9), "outside the 64x48"),
        ((0, 0, np.inf, 9), "NaN or infinity"),
        ((0, 0, 9), "four numbers"),
        ("wide", "four numbers"),
        (None, "four numbers"),
    ],
)
def test_what_is_no_2d_box(box, words):
    with pytest.raises(BoxError, match=words):
        checked_box2d(box, 64, 48)


def test_a_box_is_clipped_to_the_image():
    assert checked_box2d([-5, 3, 90, 60], 64, 48) == (0.0, 3.0, 64.0, 48.0)

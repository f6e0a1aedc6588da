"""Rigid transforms: groups, quaternions, and what is no transform."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import PoseError
from joyai_ros.geometry import rigid

angles = st.floats(-3.1, 3.1)
axes = (
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
    .map(np.array)
    .filter(lambda a: np.linalg.norm(a) > 0.1)
)
offsets = st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9)).map(np.array)
rotations = st.builds(rigid.axis_angle, axes, angles)
transforms = st.builds(rigid.make_transform, rotations, offsets)


@given(transforms, transforms, offsets)
def test_transforms_compose_and_invert(a, b, point):
    np.testing.assert_allclose(rigid.apply(a @ b, point), rigid.apply(a, rigid.apply(b, point)), atol=1e-9)
    np.testing.assert_allclose(rigid.apply(rigid.inverse(a), rigid.apply(a, point)), point, atol=1e-9)


@given(axes, angles)
def test_the_angle_of_a_rotation_about_its_axis(axis, angle):
    rotation = rigid.axis_angle(axis, angle)
    np.testing.assert_allclose(rotation @ axis, axis, atol=1e-9)
    assert rigid.rotation_angle(rotation) == pytest.approx(abs(angle), abs=1e-6)


@given(rotations)
def test_quaternions_come_back(rotation):
    quaternion = rigid.quaternion_from_matrix(rotation)
    assert quaternion[3] >= 0
    np.testing.assert_allclose(rigid.matrix_from_quaternion(quaternion), rotation, atol=1e-9)


@given(transforms)
def test_recorded_rounding_is_taken_off(transform):
    rounded = np.round(transform, 4)
    checked = rigid.checked_transform(rounded)
    np.testing.assert_allclose(checked[:3, :3] @ checked[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(checked, transform, atol=3e-4)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), "4x4"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
        (np.diag([2.0, 1.0, 1.0, 1.0]), "not hold a rotation"),
        (np.diag([-1.0, 1.0, 1.0, 1.0]), "mirrored"),
    ],
)
def test_what_is_no_transform(matrix, words):
    with pytest.raises(PoseError, match=words):
        rigid.checked_transform(matrix)


def test_what_is_no_rotation_and_no_direction():
    with pytest.raises(PoseError):
        rigid.matrix_from_quaternion(np.zeros(4))
    with pytest.raises(PoseError):
        rigid.matrix_from_quaternion(np.array([0.0, 0.0, np.nan, 1.0]))
    for vector in (np.zeros(3), np.array([np.nan, 0.0, 1.0]), np.array([1.0, 2.0])):
        with pytest.raises(PoseError):
            rigid.unit(vector)


def test_the_type_of_points_is_kept():
    points = np.ones((5, 3), dtype=np.float32)
    assert rigid.apply(np.eye(4), points).dtype == np.float32
    half = rigid.make_transform(np.eye(3), np.array([0.5, 0.0, 0.0]))
    np.testing.assert_array_equal(rigid.apply(half, np.array([1, 2, 3])), (1.5, 2.0, 3.0))

"""CameraMotion: the orbit does what its words say, for every pivot, tilt and roll."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import DEFAULT_PIVOT_DISTANCE, CameraMotion, default_pivot, nearest_motion, orbit

LEVEL = np.array([0.0, -1.0, 0.0])
CAMERA = Camera(64, 48, 60.0, 60.0, 32.0, 24.0)

pivots = st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.3, 5)).map(np.array)
tilts = st.floats(-1.0, 1.0)  # radians: how far the camera looks up or down
rolls = st.floats(-3.0, 3.0)
yaws, pitches, zooms = st.floats(-180, 180), st.floats(-25, 25), st.floats(0.2, 5)


def up_of(tilt, roll):
    """Up in the optical frame of a camera that looks ``tilt`` above the horizon, rolled about its axis."""
    level = np.array([0.0, -math.cos(tilt), math.sin(tilt)])
    return rigid.axis_angle(np.array([0.0, 0.0, 1.0]), roll) @ level


def roll_of(up):
    return math.atan2(up[0], -up[1])


@given(pivots, tilts, rolls, yaws, pitches, zooms)
def test_the_pivot_stays_where_it_is_in_the_picture(pivot, tilt, roll, yaw, pitch, zoom):
    pose = orbit(CameraMotion(yaw, pitch, zoom), pivot, up_of(tilt, roll))
    from_there = rigid.apply(rigid.inverse(pose), pivot)
    np.testing.assert_allclose(from_there, pivot / zoom, atol=1e-9)  # same direction, distance divided by zoom


@given(pivots, tilts, rolls, yaws, pitches, zooms)
def test_roll_stays_as_it_was(pivot, tilt, roll, yaw, pitch, zoom):
    assume(abs(math.degrees(tilt) - pitch) < 85)
    up = up_of(tilt, roll)
    pose = orbit(CameraMotion(yaw, pitch, zoom), pivot, up)
    turned = roll_of(pose[:3, :3].T @ up) - roll_of(up)
    assert abs(math.remainder(turned, 2 * math.pi)) < 1e-6


@given(pivots, tilts, rolls, st.floats(-179, 179), pitches, zooms)
def test_the_nearest_motion_to_a_motions_pose_is_that_motion(pivot, tilt, roll, yaw, pitch, zoom):
    up = up_of(tilt, roll)
    found = nearest_motion(orbit(CameraMotion(yaw, pitch, zoom), pivot, up), pivot, up)
    np.testing.assert_allclose([found.yaw_deg, found.pitch_deg, found.zoom], [yaw, pitch, zoom], rtol=1e-6, atol=1e-6)


def test_a_pose_at_the_pivot_has_no_motion():
    pivot = np.array([0.0, 0.0, 2.0])
    with pytest.raises(MotionError, match="at the pivot"):
        nearest_motion(rigid.make_transform(np.eye(3), pivot), pivot, LEVEL)


@given(pivots, tilts, rolls, pitches)
def test_pitch_tilts_by_its_angle(pivot, tilt, roll, pitch):
    up = up_of(tilt, roll)
    pose = orbit(CameraMotion(pitch_deg=pitch), pivot, up)
    elevation = math.asin(np.clip(pose[:3, 2] @ up, -1, 1))
    assert math.degrees(elevation) == pytest.approx(math.degrees(tilt) - pitch, abs=1e-6)


@given(pivots, tilts, rolls, yaws, zooms)
def test_yaw_keeps_the_height_over_the_pivot(pivot, tilt, roll, yaw, zoom):
    up = up_of(tilt, roll)
    pose = orbit(CameraMotion(yaw_deg=yaw, zoom=zoom), pivot, up)
    assert (pivot - pose[:3, 3]) @ up == pytest.approx(pivot @ up / zoom, abs=1e-9)


@given(st.floats(0.5, 60), st.floats(0.3, 5))
def test_positive_yaw_moves_to_the_right_and_pitch_up(angle, distance):
    pivot = np.array([0.0, 0.0, distance])
    right = orbit(CameraMotion(yaw_deg=angle), pivot, LEVEL)
    assert right[0, 3] > 0  # x is to the right
    assert right[0, 2] < 0  # and the view turns back to the left, to the pivot
    above = orbit(CameraMotion(pitch_deg=angle), pivot, LEVEL)
    assert above[1, 3] < 0  # y is down
    assert above[1, 2] > 0  # and the view turns down


@given(pivots, tilts, rolls, st.floats(-60, 60), st.floats(-60, 60), zooms)
def test_two_turns_make_one(pivot, tilt, roll, first, second, zoom):
    up = up_of(tilt, roll)
    one = orbit(CameraMotion(yaw_deg=first, zoom=zoom), pivot, up)
    back = rigid.inverse(one)
    two = orbit(CameraMotion(yaw_deg=second), rigid.apply(back, pivot), back[:3, :3] @ up)
    both = orbit(CameraMotion(yaw_deg=first + second, zoom=zoom), pivot, up)
    np.testing.assert_allclose(one @ two, both, atol=1e-9)


def test_staying_is_the_identity():
    assert CameraMotion().is_identity
    np.testing.assert_allclose(orbit(CameraMotion(), np.array([0.1, 0.2, 1.0]), LEVEL), np.eye(4), atol=1e-12)


@pytest.mark.parametrize(
    "values", [(np.nan, 0, 1), (0, np.inf, 1), (0, 0, np.nan), (0, 0, 0), (0, 0, -1), (400, 0, 1), (0, 180, 1)]
)
def test_motions_that_are_none_are_refused(values):
    with pytest.raises(MotionError):
        CameraMotion(*values)


@pytest.mark.parametrize("pivot", [(0, 0, 0), (np.nan, 0, 1), (0, 0, np.inf)])
def test_pivots_that_are_none_are_refused(pivot):
    with pytest.raises(MotionError, match="pivot"):
        orbit(CameraMotion(yaw_deg=5), np.array(pivot, dtype=float), LEVEL)


@pytest.mark.parametrize(("tilt", "pitch"), [(-70, 25), (60, -35), (0, 95)])
def test_past_straight_down_or_up_is_refused(tilt, pitch):
    with pytest.raises(MotionError, match="may lie within"):
        orbit(CameraMotion(pitch_deg=pitch), np.array([0.0, 0.0, 1.0]), up_of(math.radians(tilt), 0.0))


def test_looking_straight_down_still_turns():
    pose = orbit(CameraMotion(yaw_deg=90), np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(pose[:3, 3], 0.0, atol=1e-12)  # straight above the pivot, it turns on the spot
    np.testing.assert_allclose(pose[:3, 2], (0, 0, 1), atol=1e-12)


def test_the_default_pivot_is_the_surface_at_the_centre():
    depth = np.full((48, 64), 2.0, dtype=np.float32)
    np.testing.assert_allclose(default_pivot(CAMERA, depth), (0.0, 0.0, 2.0))


def test_without_depth_at_the_centre_the_pivot_is_the_nearest_surface():
    depth = np.zeros((48, 64), dtype=np.float32)
    depth[24, 40], depth[5, 5] = 1.5, 1.0
    np.testing.assert_allclose(default_pivot(CAMERA, depth), (8 / 60 * 1.5, 0.0, 1.5))


@pytest.mark.parametrize("depth", [None, np.zeros((48, 64), dtype=np.float32)], ids=["none", "all invalid"])
def test_without_any_depth_the_pivot_lies_at_the_stated_distance(depth):
    np.testing.assert_allclose(default_pivot(CAMERA, depth), (0.0, 0.0, DEFAULT_PIVOT_DISTANCE))

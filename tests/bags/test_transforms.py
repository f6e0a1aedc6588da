import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.bags.transforms import TransformBuffer, interpolate
from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.errors import TransformError
from joyai_ros.geometry import rigid
from joyai_ros.messages.headers import header
from joyai_ros.messages.poses import stamped_transform_message, tf_message
from tests.messages import strategies

FACTORY = RosbagsFactory()
SECOND = 1_000_000_000


def sent(parent, child, stamp, pose=None, yaw=0.0, x=0.0):
    if pose is None:
        pose = rigid.make_transform(rigid.axis_angle(np.array([0, 0, 1.0]), yaw), np.array([x, 0, 0]))
    return tf_message(FACTORY, [stamped_transform_message(FACTORY, header(FACTORY, stamp, parent), child, pose)])


@pytest.fixture
def moving():
    """Return map <- odom (static), odom <- base moving from x 0 to 1 and turning by 90 degrees, base <- camera."""
    buffer = TransformBuffer(tolerance=0.05, max_gap=2.0)
    buffer.add(sent("map", "odom", 0, x=10.0), static=True)
    buffer.add(sent("base", "camera", 0, x=0.5), static=True)
    buffer.add(sent("odom", "base", 5 * SECOND), static=False)
    buffer.add(sent("odom", "base", 6 * SECOND, yaw=math.pi / 2, x=1.0), static=False)
    return buffer


def test_poses_at_samples(moving):
    np.testing.assert_allclose(moving.lookup("map", "camera", 5 * SECOND)[:3, 3], [10.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(moving.lookup("map", "camera", 6 * SECOND)[:3, 3], [11, 0.5, 0], atol=1e-12)


def test_poses_between_samples(moving):
    halfway = moving.lookup("odom", "base", 5 * SECOND + SECOND // 2)
    np.testing.assert_allclose(halfway[:3, 3], [0.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(halfway[:3, 0], [math.cos(math.pi / 4), math.sin(math.pi / 4), 0], atol=1e-12)


def test_any_two_frames_of_the_tree(moving):
    stamp = 5 * SECOND + 123_456_789
    forth, back = moving.lookup("camera", "map", stamp), moving.lookup("map", "camera", stamp)
    np.testing.assert_allclose(forth @ back, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(moving.lookup("base", "base", stamp), np.eye(4))


def test_a_little_beyond_the_samples_the_nearest_holds(moving):
    np.testing.assert_allclose(
        moving.lookup("odom", "base", 6 * SECOND + SECOND // 25), moving.lookup("odom", "base", 6 * SECOND)
    )


@pytest.mark.parametrize("stamp", [4 * SECOND, 6 * SECOND + SECOND // 10])
def test_nothing_is_extrapolated(moving, stamp):
    with pytest.raises(TransformError, match=r"no transform odom <- base at .* \(known from 5.000 to 6.000 s\)"):
        moving.lookup("map", "camera", stamp)


def test_a_gap_says_nothing(moving):
    moving.add(sent("odom", "base", 60 * SECOND, x=9.0), static=False)
    with pytest.raises(TransformError, match="no transform"):
        moving.lookup("odom", "base", 57 * SECOND)
    np.testing.assert_allclose(moving.lookup("odom", "base", 60 * SECOND)[0, 3], 9.0)


def test_unrelated_frames(moving):
    with pytest.raises(TransformError, match="'elsewhere' and 'map' are not in one transform tree"):
        moving.lookup("map", "elsewhere", 5 * SECOND)


def test_late_samples_find_their_place(moving):
    moving.add(sent("odom", "base", 5 * SECOND + SECOND // 2, x=7.0), static=False)
    np.testing.assert_allclose(moving.lookup("odom", "base", 5 * SECOND + SECOND // 2)[0, 3], 7.0)
    np.testing.assert_allclose(moving.lookup("odom", "base", 6 * SECOND)[0, 3], 1.0)


def test_memory_does_not_grow():
    buffer = TransformBuffer(history=1.0)
    for index in range(1000):
        buffer.add(sent("odom", "base", index * SECOND // 10), static=False)
    assert len(buffer._edges["base"].stamps) <= 12


def test_the_tree(moving):
    assert moving.chain("camera") == ["camera", "base", "odom", "map"]
    assert moving.chain("/camera") == ["camera", "base", "odom", "map"]
    assert moving.moves("camera")
    assert not moving.moves("odom")
    assert moving.latest("map", "camera") == 6 * SECOND
    assert moving.latest("map", "odom") is None


def test_a_loop_does_not_hang():
    buffer = TransformBuffer()
    buffer.add(sent("a", "b", 0), static=True)
    buffer.add(sent("b", "a", 0), static=True)
    assert buffer.chain("a") == ["a", "b"]
    buffer.lookup("a", "b", 0)


def test_transforms_that_are_none_are_refused_one_by_one():
    buffer = TransformBuffer()
    good, bad, same = sent("a", "b", 0), sent("a", "c", 0), sent("d", "d", 0)
    bad.transforms[0].transform.rotation.w = math.nan
    good.transforms += [*bad.transforms, *same.transforms]
    assert len(buffer.add(good, static=True)) == 2
    assert buffer.chain("b") == ["b", "a"]
    assert buffer.chain("c") == ["c"]


@settings(max_examples=60)
@given(strategies.transforms(), strategies.transforms(), st.floats(0, 1))
def test_interpolation_stays_rigid_and_meets_both_ends(first, second, share):
    np.testing.assert_allclose(interpolate(first, second, 0.0), first, atol=1e-6)
    np.testing.assert_allclose(interpolate(first, second, 1.0), second, atol=1e-6)
    between = interpolate(first, second, share)
    rigid.checked_transform(between)
    whole = rigid.rotation_angle(first[:3, :3].T @ second[:3, :3])
    part = rigid.rotation_angle(first[:3, :3].T @ between[:3, :3])
    assert part == pytest.approx(share * whole, abs=1e-5)

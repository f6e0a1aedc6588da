"""Where the simulated camera is: still, on a sweep, or on its way."""

import numpy as np
import pytest

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.nodes.camera_path import CameraPath, OutOfReachError, room_around

# Looks along the map's x axis, from 1 m behind the origin, level: optical x is right (-y), y is down (-z), z is forward (x).
LEVEL = rigid.make_transform(
    np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.array([-1.0, 0.0, 1.0])
)
PIVOT = np.array([0.0, 0.0, 1.0])


def anywhere(point):
    return True


def begin(path, motion, now=0.0, seconds=None, is_free=anywhere):
    return path.begin(motion, PIVOT, now, seconds, 0.5, is_free)


def test_a_motion_turns_about_its_pivot_at_a_constant_distance():
    path = CameraPath(LEVEL)
    assert begin(path, CameraMotion(90.0), 0.0, 2.0) == 2.0
    for seconds in np.linspace(0.0, 2.0, 9):
        pose = path.pose(seconds)
        assert np.linalg.norm(pose[:3, 3] - PIVOT) == pytest.approx(1.0)
        assert np.allclose(rigid.apply(rigid.inverse(pose), PIVOT), [0, 0, 1.0])  # it keeps looking at it
    assert np.allclose(path.pose(2.0)[:3, 3], [0.0, -1.0, 1.0], atol=1e-9)  # to its own right: -y
    assert path.progress(1.0) == 0.5
    assert path.progress(5.0) == 1.0


def test_the_default_duration_follows_from_the_speed():
    assert begin(CameraPath(LEVEL), CameraMotion(90.0)) == pytest.approx(np.pi / 2 / 0.5, rel=0.01)
    assert begin(CameraPath(LEVEL), CameraMotion()) == 0.2


def test_halting_stays_and_a_second_motion_starts_there():
    path = CameraPath(LEVEL)
    begin(path, CameraMotion(90.0), 0.0, 2.0)
    halfway = path.pose(1.0)
    path.halt(1.0)
    assert np.allclose(path.pose(9.0), halfway)
    begin(path, CameraMotion(-45.0), 10.0, 1.0)
    assert np.allclose(path.pose(10.0), halfway)
    assert np.allclose(path.pose(11.0), LEVEL, atol=1e-9)


def test_a_sweep_goes_there_and_back_until_a_motion_ends_it():
    poses = [LEVEL.copy() for _ in range(5)]
    for k, pose in enumerate(poses):
        pose[1, 3] = 0.1 * k
    path = CameraPath(LEVEL, poses, period=8.0)
    assert path.pose(0.0)[1, 3] == pytest.approx(0.0)
    assert path.pose(2.0)[1, 3] == pytest.approx(0.2)
    assert path.pose(4.0)[1, 3] == pytest.approx(0.4)
    assert path.pose(6.0)[1, 3] == pytest.approx(0.2)
    assert path.pose(10.0)[1, 3] == pytest.approx(0.2)
    begin(path, CameraMotion(), 10.0, 0.5)
    path.halt(11.0)
    assert path.pose(14.0)[1, 3] == pytest.approx(0.2)


def test_ways_without_room_are_refused_and_nothing_moves():
    box = OrientedBox(np.array([-0.7, -0.7, 1.0]), np.eye(3), np.array([0.2, 0.2, 0.2]))
    outline = [np.array([x, y, 0.7]) for x, y in ((-0.3, -0.3), (0.3, -0.3), (0.3, 0.3), (-0.3, 0.3))]
    is_free = room_around([box], outline)
    path = CameraPath(LEVEL)
    with pytest.raises(OutOfReachError, match="no room"):
        begin(path, CameraMotion(90.0), is_free=is_free)  # through the box
    with pytest.raises(OutOfReachError):
        begin(path, CameraMotion(0.0, -60.0, 2.0), is_free=is_free)  # under the table
    with pytest.raises(OutOfReachError):
        begin(path, CameraMotion(0.0, 0.0, 0.1), is_free=is_free)  # out of the room
    with pytest.raises(MotionError):
        begin(path, CameraMotion(0.0, 100.0))  # past straight down
    assert np.allclose(path.pose(3.0), LEVEL)
    begin(path, CameraMotion(-60.0), is_free=is_free)  # the other side is free


@pytest.mark.parametrize(
    ("point", "free"),
    [
        ((0, 0, 1.5), True),
        ((0, 0, 0.72), False),
        ((0, 0, 0.3), False),
        ((2, 0, 0.3), True),
        ((2, 0, 0.01), False),
        ((5, 0, 1), False),
    ],
)
def test_room(point, free):
    outline = [np.array([x, y, 0.7]) for x in (-0.3, 0.3) for y in (-0.3, 0.3)]
    assert room_around([], outline)(np.array(point, dtype=float)) is free

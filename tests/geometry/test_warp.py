"""Rendering the RGB-D surface from elsewhere: the true picture where it was seen, the background where it was hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from joyai_ros.errors import DepthError, ImageError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.view import FILLED, SEEN, UNKNOWN
from joyai_ros.geometry.warp import warp
from tests.geometry.analytic import CAMERA, PLATE, WALL, Room, inside, moved, near_edge

small = st.floats(-0.12, 0.12)
angle = st.floats(-0.15, 0.15)
poses = st.builds(moved, x=small, y=small, z=small, yaw=angle, pitch=angle)


def rendered(room, pose, camera=CAMERA):
    source = room.seen_from()
    return warp(source.color, source.depth, CAMERA, camera, rigid.inverse(pose))


@settings(max_examples=25)
@given(poses)
def test_seen_pixels_show_the_true_picture(pose):
    result = rendered(Room(), pose)
    truth = Room().seen_from(CAMERA, pose)
    seen = inside(result.validity == SEEN) & ~near_edge(truth.surface, 2)
    assert seen.mean() > 0.4
    error = np.abs(result.color.astype(int) - truth.color.astype(int))[seen]
    assert error.mean() < 1.0  # grey levels
    assert np.percentile(error, 99.5) <= 6
    np.testing.assert_allclose(result.depth[seen], truth.depth[seen], rtol=5e-3)


def test_staying_returns_the_same_picture():
    source = Room().seen_from()
    depth = source.depth.copy()
    depth[60:75, 30:50] = 0
    result = warp(source.color, depth, CAMERA, CAMERA, np.eye(4))
    np.testing.assert_array_equal(result.color, source.color)
    np.testing.assert_array_equal(result.validity == SEEN, depth > 0)
    np.testing.assert_allclose(result.depth[depth > 0], depth[depth > 0], rtol=1e-5)
    assert (result.validity[62:73, 32:48] == FILLED).all()
    np.testing.assert_allclose(result.depth[60:75, 30:50], source.depth[60:75, 30:50], rtol=0.02)


def test_turning_hides_nothing():
    source = Room().seen_from()
    result = warp(source.color, source.depth, CAMERA, CAMERA, moved(yaw=0.1))
    truth = Room().seen_from(CAMERA, rigid.inverse(moved(yaw=0.1)))
    unseen = (result.validity != SEEN)[20:-20, 45:-45]  # the rest of the picture turned in from outside
    assert unseen.sum() <= 4  # corners of the plate, where no sample lies within half a pixel
    error = np.abs(result.color.astype(int) - truth.color)[~near_edge(truth.surface, 2) & (result.validity == SEEN)]
    assert error.mean() < 1.0


@settings(max_examples=20)
@given(poses)
def test_there_and_back_again(pose):
    source = Room().seen_from()
    there = warp(source.color, source.depth, CAMERA, CAMERA, rigid.inverse(pose))
    depth = np.where(there.validity == SEEN, there.depth, 0).astype(np.float32)
    back = warp(there.color, depth, CAMERA, CAMERA, pose)
    same = inside(back.validity == SEEN) & ~near_edge(source.surface, 4)
    assert same.mean() > 0.3
    assert np.abs(back.color.astype(int) - source.color)[same].mean() < 2.0
    np.testing.assert_allclose(back.depth[same], source.depth[same], rtol=0.01)


@pytest.mark.parametrize("pose", [moved(x=0.15), moved(x=-0.15), moved(y=-0.12), moved(x=0.1, y=0.1)])
def test_what_an_object_hid_is_filled_from_behind_it(pose):
    room = Room(plain=True)
    result = rendered(room, pose)
    truth = room.seen_from(CAMERA, pose)
    opened = (truth.surface == WALL) & (result.validity != SEEN) & near_edge(truth.surface == PLATE, 12)
    opened &= ~near_edge(truth.surface, 2)
    assert opened.sum() > 30
    red, _, blue = np.moveaxis(result.color[opened].astype(int), -1, 0)
    assert np.percentile(red, 95) < 60  # the wall's is 30, the plate's 210
    assert np.percentile(blue, 5) > 170  # the wall's is 200, the plate's 30


def test_gaps_are_filled_and_the_far_outside_is_unknown():
    result = rendered(Room(), moved(x=0.15))
    truth = Room().seen_from(CAMERA, moved(x=0.15))
    beside = near_edge(truth.surface == PLATE, 6) & (result.validity != SEEN) & (truth.surface == WALL)
    assert (result.validity[beside] == FILLED).mean() > 0.9
    away = rendered(Room(), moved(x=2.0))
    assert (away.validity[:, -60:] == UNKNOWN).all()
    assert (away.depth[away.validity == UNKNOWN] == 0).all()


def test_a_view_from_behind_the_camera_knows_nothing():
    source = Room().seen_from()
    result = warp(source.color, source.depth, CAMERA, CAMERA, moved(yaw=np.pi))
    assert (result.validity == UNKNOWN).all()
    assert (result.depth == 0).all()


def test_shrinking_does_not_turn_texture_into_noise():
    source = Room().seen_from()
    stripes = np.where(np.arange(CAMERA.width) % 2 == 0, 0, 255).astype(np.uint8)
    color = np.repeat(np.broadcast_to(stripes, CAMERA.shape)[..., None], 3, axis=2).copy()
    result = warp(color, np.full_like(source.depth, 2.0), CAMERA, CAMERA, moved(z=2.0))
    middle = result.color[70:110, 90:150]
    assert middle.std() < 25  # 128 without a filter in the worst case
    assert abs(middle.mean() - 127) < 15


def test_another_camera():
    target = Camera(100, 80, 90.0, 95.0, 40.0, 45.0)
    result = rendered(Room(), moved(x=0.05), target)
    truth = Room().seen_from(target, moved(x=0.05))
    seen = inside(result.validity == SEEN) & ~near_edge(truth.surface, 2)
    assert result.color.shape == (80, 100, 3)
    assert np.abs(result.color.astype(int) - truth.color)[seen].mean() < 3.0


@given(
    arrays(np.float32, (18, 24), elements=st.floats(0.0, 50, width=32) | st.sampled_from([0.0, np.nan, np.inf, -1.0])),
    st.builds(moved, x=st.floats(-3, 3), y=st.floats(-3, 3), z=st.floats(-3, 3), yaw=st.floats(-4, 4)),
)
def test_any_depth_and_any_pose_give_a_whole_picture(depth, pose):
    camera = Camera(24, 18, 20.0, 20.0, 12.0, 9.0)
    color = np.full((18, 24, 3), 77, dtype=np.uint8)
    result = warp(color, depth, camera, camera, pose)
    assert np.isfinite(result.depth).all()
    assert set(np.unique(result.validity)) <= {SEEN, FILLED, UNKNOWN}
    assert (result.depth[result.validity == SEEN] > 0).all()
    known = result.validity != UNKNOWN
    assert (np.abs(result.color[known].astype(int) - 77) <= 1).all()  # of one colour, nothing else can come


def test_wrong_input_is_refused():
    source = Room().seen_from()
    with pytest.raises(ImageError, match="100x180"):
        warp(source.color[:, :100], source.depth, CAMERA, CAMERA, np.eye(4))
    with pytest.raises(DepthError, match="100x180"):
        warp(source.color, source.depth[:, :100], CAMERA, CAMERA, np.eye(4))
    with pytest.raises(PoseError):
        warp(source.color, source.depth, CAMERA, CAMERA, np.full((4, 4), np.nan))

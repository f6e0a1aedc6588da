"""Forward projection: exact on known surfaces, z-buffered, no cracks, no rubber sheets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from joyai_ros.errors import CameraError, DepthError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.geometry.splat import reproject
from tests.geometry.analytic import CAMERA, FLOOR, PLATE, Room, inside, moved, near_edge

small = st.floats(-0.15, 0.15)
angle = st.floats(-0.2, 0.2)
poses = st.builds(moved, x=small, y=small, z=small, yaw=angle, pitch=angle)


@settings(max_examples=25)
@given(poses)
def test_seen_depth_is_that_of_the_true_surface(pose):
    room = Room()
    result = reproject(room.seen_from().depth, CAMERA, CAMERA, rigid.inverse(pose))
    truth = room.seen_from(CAMERA, pose)
    inner = inside(result.seen) & ~near_edge(truth.surface, 2)
    assert inner.mean() > 0.5
    np.testing.assert_allclose(result.depth[inner], truth.depth[inner], rtol=2e-3)


@settings(max_examples=25)
@given(poses)
def test_source_positions_show_the_same_surface_point(pose):
    room = Room()
    source = room.seen_from()
    result = reproject(source.depth, CAMERA, CAMERA, rigid.inverse(pose))
    truth = room.seen_from(CAMERA, pose)
    inner = inside(result.seen) & ~near_edge(truth.surface, 2)
    rows, columns = np.nonzero(inner)
    points = CAMERA.unproject(np.stack([columns, rows], -1).astype(float), truth.depth[inner].astype(float))
    expected = CAMERA.project(rigid.apply(pose, points))
    found = np.stack([result.u[inner], result.v[inner]], axis=-1)
    assert np.percentile(np.abs(found - expected), 99) < 0.1  # pixels


@settings(max_examples=25)
@given(poses)
def test_the_nearest_surface_wins(pose):
    room = Room()
    truth = room.seen_from(CAMERA, pose)
    result = reproject(room.seen_from().depth, CAMERA, CAMERA, rigid.inverse(pose))
    plate = (truth.surface == PLATE) & ~near_edge(truth.surface, 2) & result.seen
    np.testing.assert_allclose(result.depth[plate], truth.depth[plate], rtol=0.01)


@settings(max_examples=25)
@given(poses)
def test_nothing_stands_between_an_object_and_what_is_behind_it(pose):
    room = Room(plate_distance=1.2)
    result = reproject(room.seen_from().depth, CAMERA, CAMERA, rigid.inverse(pose))
    rows, columns = np.nonzero(result.seen)
    points = rigid.apply(
        pose, CAMERA.unproject(np.stack([columns, rows], -1).astype(float), result.depth[rows, columns])
    )
    to_surfaces = np.abs([points[:, 2] - 3.0, points[:, 2] - 1.2, points[:, 1] - 1.0])
    assert to_surfaces.min(axis=0).max() < 0.04


def test_the_same_camera_sees_the_same():
    source = Room().seen_from()
    depth = np.where(np.arange(CAMERA.width) % 7 == 0, 0, source.depth).astype(np.float32)
    result = reproject(depth, CAMERA, CAMERA, np.eye(4))
    measured = depth > 0
    assert (result.seen >= measured).all()
    np.testing.assert_allclose(result.depth[measured], depth[measured], rtol=1e-5)
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    np.testing.assert_allclose(result.u[measured], u[measured], atol=1e-3)
    np.testing.assert_allclose(result.v[measured], v[measured], atol=1e-3)


@pytest.mark.parametrize("ahead", [0.7, 1.0, 1.2])
def test_coming_nearer_leaves_no_cracks(ahead):
    room = Room()
    pose = moved(z=ahead)
    truth = room.seen_from(CAMERA, pose)
    result = reproject(room.seen_from().depth, CAMERA, CAMERA, rigid.inverse(pose))
    plate = (truth.surface == PLATE) & ~near_edge(truth.surface, 6)
    assert plate.any()
    assert result.seen[plate].all()
    np.testing.assert_allclose(result.depth[plate], truth.depth[plate], rtol=5e-3)


def test_a_floor_seen_flat_is_one_surface_from_above():
    room = Room(plate_center=(9.0, 0.0))
    pose = moved(y=-0.5, pitch=-0.5)
    truth = room.seen_from(CAMERA, pose)
    result = reproject(room.seen_from().depth, CAMERA, CAMERA, rigid.inverse(pose))
    floor = (truth.surface == FLOOR) & result.seen & ~near_edge(truth.surface, 3)
    np.testing.assert_allclose(result.depth[floor], truth.depth[floor], rtol=0.02)


def test_cameras_of_another_size_and_behind():
    depth = Room().seen_from().depth
    wide = Camera(320, 200, 250.0, 260.0, 150.0, 90.0)
    assert reproject(depth, CAMERA, wide, np.eye(4)).depth.shape == (200, 320)
    away = reproject(depth, CAMERA, CAMERA, moved(yaw=np.pi))
    assert not away.seen.any()
    assert np.isfinite(away.depth).all()


@pytest.mark.parametrize("far", [1e6, 1e30, 1e150])
def test_a_camera_far_away_sees_nothing(far):
    result = reproject(Room().seen_from().depth, CAMERA, CAMERA, moved(x=far, z=far))
    assert np.isfinite(result.depth).all()
    assert result.seen.sum() <= 1


@given(
    arrays(np.float32, (12, 16), elements=st.floats(-1, 200, width=32) | st.sampled_from([0.0, np.nan, np.inf])),
    st.builds(moved, x=st.floats(-5, 5), y=st.floats(-5, 5), z=st.floats(-5, 5), yaw=st.floats(-4, 4)),
)
def test_any_depth_and_any_pose_give_finite_numbers(depth, pose):
    camera = Camera(16, 12, 14.0, 14.0, 8.0, 6.0)
    result = reproject(depth, camera, camera, pose)
    assert np.isfinite(result.depth).all()
    assert (result.depth >= 0).all()


def test_wrong_input_is_refused():
    depth = Room().seen_from().depth
    with pytest.raises(DepthError, match="100x180"):
        reproject(depth[:, :100], CAMERA, CAMERA, np.eye(4))
    with pytest.raises(PoseError, match="target_from_source"):
        reproject(depth, CAMERA, CAMERA, np.full((4, 4), np.nan))
    lens = replace(CAMERA, distortion=Distortion.PLUMB_BOB, coefficients=(0.1, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(CameraError, match="rectify"):
        reproject(depth, lens, CAMERA, np.eye(4))

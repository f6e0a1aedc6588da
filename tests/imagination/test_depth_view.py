"""DepthImaginer: the view is a camera with a pose, what it remembers is bounded and belongs together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.errors import ConfigError, DepthError, MotionError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, orbit
from joyai_ros.geometry.view import SEEN, Consistency
from joyai_ros.imagination.depth_view import IMAGE_UP, DepthImaginer, ViewConfig
from joyai_ros.scene.observation import Observation
from tests.geometry.analytic import CAMERA, PLATE, UP, WALL, Room, inside, moved, near_edge

SECOND = 1_000_000_000


def observed(pose=None, stamp=0, room=None, world="map", up=UP):
    pose = np.eye(4) if pose is None else pose
    picture = (room or Room()).seen_from(CAMERA, pose)
    return Observation(
        color=picture.color,
        camera=CAMERA,
        depth=picture.depth,
        stamp=stamp,
        world_from_camera=pose,
        world_frame=world,
        up=pose[:3, :3].T @ up,
    )


def center_of(mask):
    return np.argwhere(mask).mean(axis=0)[::-1]


@settings(max_examples=15)
@given(st.floats(-12, 12), st.floats(-12, 12), st.floats(0.8, 1.3))
def test_a_motion_shows_what_the_moved_camera_sees(yaw, pitch, zoom):
    view = DepthImaginer().imagine(observed(), CameraMotion(yaw, pitch, zoom))
    truth = Room().seen_from(CAMERA, view.world_from_view)
    seen = inside(view.validity == SEEN) & ~near_edge(truth.surface, 2)
    assert seen.mean() > 0.3
    assert np.abs(view.image.astype(int) - truth.color)[seen].mean() < 1.5
    np.testing.assert_allclose(view.depth[seen], truth.depth[seen], rtol=0.01)


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [((12, 0), 0, -1), ((-12, 0), 0, 1), ((0, 12), 1, 1), ((0, -12), 1, -1)]
)
def test_what_is_nearer_than_the_pivot_moves_against_the_camera(motion, axis, sign):
    """A step to the right moves near things to the left in the picture; a step up moves them down."""
    room = Room(plain=True)
    view = DepthImaginer().imagine(observed(room=room), CameraMotion(*motion), pivot=np.array([0.0, 0.0, 3.0]))
    plate = (view.image[..., 0] > 150) & (view.validity == SEEN)
    shift = center_of(plate) - center_of(room.seen_from().surface == PLATE)
    assert shift[axis] * sign > 10
    assert abs(shift[1 - axis]) < 3


def test_the_pivot_stays_at_the_centre_and_zoom_comes_nearer():
    view = DepthImaginer().imagine(observed(), CameraMotion(yaw_deg=10, zoom=1.5))
    assert view.depth[90, 120] == pytest.approx(1.0, rel=0.02)  # the plate at 1.5 m, its distance divided by 1.5


def test_a_view_is_a_camera_with_a_pose_and_a_stamp():
    pose = moved(x=0.3, yaw=0.2)
    observation = observed(pose, stamp=42)
    motion = CameraMotion(yaw_deg=8)
    view = DepthImaginer().imagine(observation, motion)
    expected = orbit(motion, np.array([0.0, 0.0, 1.0]), observation.up)
    assert view.stamp == 42
    assert (view.source_frame, view.world_frame) == (observation.frame_id, "map")
    assert view.motion is motion
    assert view.camera == CAMERA
    np.testing.assert_allclose(view.source_from_view[:3, :3], expected[:3, :3], atol=1e-9)
    np.testing.assert_allclose(view.world_from_view, pose @ view.source_from_view)
    np.testing.assert_allclose(view.estimated_source_from_view, view.source_from_view)
    np.testing.assert_array_equal(view.pose_covariance, np.zeros((6, 6)))
    assert view.verified
    assert view.synthetic
    assert view.consistency is Consistency.CONSISTENT
    assert (view.method, view.model, view.seed) == ("depth", "", 0)


def test_without_a_world_pose_the_view_has_none():
    observation = observed()
    loose = Observation(observation.color, CAMERA, observation.depth)
    view = DepthImaginer().imagine(loose, CameraMotion(yaw_deg=5))
    assert view.world_from_view is None
    assert view.world_frame == ""


def test_up_is_the_given_one_then_the_observed_then_the_picture_s():
    tilted = np.array([0.3, -0.9, 0.2])
    observation = observed(up=tilted)
    loose = Observation(observation.color, CAMERA, observation.depth)
    imaginer, motion, pivot = DepthImaginer(), CameraMotion(yaw_deg=20), np.array([0.0, 0.0, 2.0])
    for source, given_up, expected in (
        (observation, UP, UP),
        (observation, None, tilted),
        (loose, None, IMAGE_UP),
    ):
        pose = imaginer.imagine(source, motion, pivot, given_up).source_from_view
        np.testing.assert_allclose(pose, orbit(motion, pivot, expected), atol=1e-9)


def test_a_target_pose_with_another_camera():
    target = Camera(120, 100, 100.0, 100.0, 60.0, 50.0)
    view = DepthImaginer().imagine_pose(observed(), moved(x=0.1), target)
    assert view.image.shape == (100, 120, 3)
    assert view.camera == target
    assert view.motion is None


def test_a_target_pose_is_as_sharp_as_it_is_known():
    sharp = DepthImaginer(ViewConfig(pose_sigma_deg=0.0)).imagine_pose(observed(), moved(x=0.05))
    soft = DepthImaginer(ViewConfig(pose_sigma_deg=0.5)).imagine_pose(observed(), moved(x=0.05))
    edges = [np.abs(np.diff(view.image.astype(int), axis=1)).max() for view in (sharp, soft)]
    assert edges[1] < 0.7 * edges[0]
    np.testing.assert_array_equal(sharp.validity, soft.validity)


def test_a_recorded_pose_is_known_the_less_the_farther_it_is():
    imaginer = DepthImaginer(ViewConfig(pose_sigma_deg=0.4, auto_exposure=False))

    def averaged_away(x):
        soft, exact = (imaginer.imagine_pose(observed(), moved(x=x), is_exact=exact).image for exact in (False, True))
        return np.square(soft.astype(float) - exact).mean()

    assert averaged_away(0.0) == 0.0
    assert averaged_away(0.16) > 2 * averaged_away(0.02) > 0.0


def test_a_camera_exposes_for_what_it_sees_from_a_recorded_pose():
    """Turned to a brighter part of the room, a camera that exposes automatically darkens what it still sees."""
    room = observed()
    color = room.color.copy()
    color[:, : CAMERA.width // 2] //= 2
    frame = replace(room, color=color)
    turned = rigid.make_transform(rigid.axis_angle(np.array([0.0, 1.0, 0.0]), np.radians(15.0)), np.zeros(3))
    fixed, automatic, exact = (
        DepthImaginer(ViewConfig(pose_sigma_deg=0.0, auto_exposure=auto)).imagine_pose(frame, turned, is_exact=is_exact)
        for auto, is_exact in ((False, False), (True, False), (True, True))
    )
    assert fixed.image.mean() > 1.1 * color.mean()
    assert automatic.image.mean() == pytest.approx(color.mean(), rel=0.01)
    np.testing.assert_array_equal(exact.image, fixed.image)


def test_holes_are_seen_from_earlier_frames():
    view_pose = moved(x=0.15)
    alone, remembering = DepthImaginer(), DepthImaginer()
    remembering.remember(observed(moved(x=0.35), stamp=0))
    now = observed(stamp=SECOND)
    remembering.remember(now)
    before, after = (imaginer.imagine_pose(now, view_pose) for imaginer in (alone, remembering))
    assert after.seen_fraction > before.seen_fraction + 0.03
    truth = Room().seen_from(CAMERA, view_pose)
    opened = (
        (after.validity == SEEN) & (before.validity != SEEN) & (truth.surface == WALL) & ~near_edge(truth.surface, 4)
    )
    assert np.abs(after.image.astype(int) - truth.color)[opened].mean() < 6


def test_the_memory_is_bounded_and_holds_what_is_new():
    imaginer = DepthImaginer(ViewConfig(memory=3, memory_step_m=0.05, memory_step_deg=5.0))
    for number in range(40):
        imaginer.remember(observed(moved(x=0.01 * number), stamp=number * SECOND // 30))
    kept = [frame.world_from_camera[0, 3] for frame in imaginer._frames]
    assert len(kept) == 4  # three, and the newest, which may be the one that a view starts from
    assert (np.diff(kept) >= 0.05 - 1e-9).all()


@pytest.mark.parametrize("other", [{"world": "odom"}, {"stamp": 0}], ids=["another world", "started over"])
def test_another_world_or_a_restart_empties_the_memory(other):
    imaginer = DepthImaginer()
    imaginer.remember(observed(stamp=10 * SECOND))
    imaginer.remember(observed(**({"stamp": 11 * SECOND} | other)))
    assert len(imaginer._frames) == 1


def test_a_late_frame_is_left_out():
    imaginer = DepthImaginer()
    imaginer.remember(observed(stamp=10 * SECOND))
    imaginer.remember(observed(moved(x=1.0), stamp=10 * SECOND - 1000))
    assert [frame.stamp for frame in imaginer._frames] == [10 * SECOND]


def test_frames_without_depth_or_pose_are_not_kept():
    imaginer, full = DepthImaginer(), observed()
    imaginer.remember(Observation(full.color, CAMERA, full.depth))
    imaginer.remember(Observation(full.color, CAMERA, world_from_camera=np.eye(4)))
    off = DepthImaginer(ViewConfig(memory=0))
    off.remember(full)
    assert not imaginer._frames
    assert not off._frames


def test_wrong_input_is_refused():
    full, imaginer = observed(), DepthImaginer()
    with pytest.raises(DepthError, match="no depth"):
        imaginer.imagine(Observation(full.color, CAMERA), CameraMotion(yaw_deg=5))
    with pytest.raises(MotionError, match="pivot"):
        imaginer.imagine(full, CameraMotion(yaw_deg=5), pivot=np.array([0.0, np.nan, 1.0]))
    with pytest.raises(PoseError):
        imaginer.imagine(full, CameraMotion(yaw_deg=5), up=np.zeros(3))
    with pytest.raises(PoseError):
        imaginer.imagine_pose(full, np.full((4, 4), np.nan))
    with pytest.raises(PoseError):
        imaginer.imagine_pose(full, rigid.make_transform(2 * np.eye(3), np.zeros(3)))


@pytest.mark.parametrize(
    "setting", [{"memory": -1}, {"memory": 1000}, {"memory_step_m": -0.1}, {"pose_sigma_deg": float("nan")}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match="out of range"):
        ViewConfig(**setting)

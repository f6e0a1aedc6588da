"""Simulated observations: what the robot is told, and how the camera and the objects move."""

import itertools

import numpy as np
import pytest

from joyai_ros.errors import ConfigError, InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import checked_box2d
from joyai_ros.sim.distribution import camera_pose, describe
from joyai_ros.sim.frames import SimSettings, simulate
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.trajectory import ObjectMove, sweep

QUICK = SimSettings(whole="none")


def only(seed, boxes="true", settings=SimSettings()):
    return next(iter(simulate(seed, settings=settings, boxes=boxes)))


def test_an_observation_says_what_a_robot_knows():
    frame = only(3)
    seen, truth = frame.observation, frame.truth
    assert seen.camera == frame.description.view.camera
    assert np.allclose(seen.world_from_camera, camera_pose(frame.description.view))
    assert seen.world_frame == "map" and seen.frame_id == "camera_color_optical_frame"
    assert np.allclose(seen.world_from_camera[:3, :3] @ seen.up, [0, 0, 1])
    assert seen.stamp == 1_000_000_000
    valid = seen.depth > 0
    assert valid.mean() > 0.7
    assert np.median(np.abs(seen.depth - truth.depth)[valid]) < 0.01
    assert not np.array_equal(seen.color, truth.color)
    assert np.abs(seen.color.astype(float).mean() - truth.color.mean() * frame.description.color_noise.exposure) < 3


def test_detections_name_what_is_visible():
    frame = only(1)
    found = {d.id: d for d in frame.observation.detections}
    for view in frame.truth.views:
        visible = view.visible_pixels >= 80 and view.visible_fraction >= 0.08
        assert (view.id in found) == visible
        if visible:
            assert found[view.id].box == view.box
            assert found[view.id].label == frame.truth.world.object(view.id).label
            assert found[view.id].mask is None


def test_jittered_boxes_miss_by_no_more_than_said():
    frame = only(1, "jittered")
    moved = 0.0
    for found in frame.observation.detections:
        box = np.array(frame.truth.view(found.id).box)
        size = np.tile(box[2:] - box[:2], 2)
        shift = np.abs(np.array(found.box) - box) / size
        assert shift.max() <= 0.05 + 1e-9
        assert checked_box2d(found.box, 640, 480) == found.box
        moved = max(moved, shift.max())
    assert moved > 0.02


def test_masks_and_nothing():
    frame = only(3, "masks")
    for found in frame.observation.detections:
        assert np.array_equal(found.mask, frame.truth.mask(found.id))
    assert only(3, "none").observation.detections is None


def test_without_noise_the_truth_is_seen():
    frame = only(0, settings=SimSettings(noise=False))
    assert np.array_equal(frame.observation.color, frame.truth.color)
    assert np.array_equal(frame.observation.depth, frame.truth.depth)


def test_the_same_frames_come_again():
    first, second = (list(simulate(2, 2, QUICK, "jittered")) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.observation.color, b.observation.color)
        assert np.array_equal(a.observation.depth, b.observation.depth)
        assert [d.box for d in a.observation.detections] == [d.box for d in b.observation.detections]
    assert not np.array_equal(first[0].observation.depth, first[1].observation.depth)
    assert first[1].observation.stamp - first[0].observation.stamp == 33_333_333


def test_a_sweep_starts_at_the_view_and_is_smooth():
    for seed in range(12):
        scene = describe(seed)
        poses = sweep(scene, 24)
        assert np.allclose(poses[0], camera_pose(scene.view))
        turns = [rigid.rotation_angle(a[:3, :3].T @ b[:3, :3]) for a, b in itertools.pairwise(poses)]
        assert max(turns) < np.radians(7.0)
        assert max(abs(a - b) for a, b in itertools.pairwise(turns)) < np.radians(1.5)
        target = np.array(scene.view.target)
        for pose in poses:
            ahead = rigid.apply(rigid.inverse(pose), target)
            assert np.allclose(ahead[:2], 0, atol=1e-9)
            for described in scene.objects:
                assert np.linalg.norm(pose[:3, 3] - np.array(described.position)) > 0.15


def test_one_frame_of_a_sweep_stands_for_itself():
    assert len(sweep(describe(0), 1)) == 1


def test_moved_objects_arrive_and_nothing_else_moves():
    frames = list(simulate(0, 6, SimSettings(whole="none", moves=1)))
    start, end = frames[0].truth.world, frames[-1].truth.world
    shifts = {o.id: np.linalg.norm(end.object(o.id).box.center - o.box.center) for o in start.objects}
    moved = [name for name, shift in shifts.items() if shift > 1e-6]
    assert len(moved) == 1
    assert 0.07 < shifts[moved[0]] < 0.31
    assert end.object(moved[0]).stands_on == "table"
    assert any(f.truth.world.object(moved[0]).stands_on == "" for f in frames[1:-1])  # it was in the air meanwhile
    assert end.distances[~np.eye(len(shifts), dtype=bool)].min() > 0.01


def test_a_move_is_carried_between_its_frames():
    move = ObjectMove("mug_1", 2, 6, (0.2, 0.0, 0.0), yaw=0.5, lift=0.1)
    start = np.eye(4)
    assert np.allclose(move.pose(start, 0), start) and np.allclose(move.pose(start, 2), start)
    assert np.allclose(move.pose(start, 4)[:3, 3], [0.1, 0.0, 0.1])
    assert np.allclose(move.pose(start, 9)[:3, 3], [0.2, 0.0, 0.0])
    assert rigid.rotation_angle(move.pose(start, 9)[:3, :3]) == pytest.approx(0.5)


def test_the_live_simulator_keeps_time_and_names():
    with TabletopSim(0) as sim:
        assert sim.step(0.1) == 100_000_000
        assert sim.step(0.0) == 100_000_000
        for wrong in (-0.1, float("nan")):
            with pytest.raises(InputError, match="step"):
                sim.step(wrong)
        with pytest.raises(InputError, match="teapot"):
            sim.move_object("teapot", np.eye(4))
        first = sim.render()
        pose = sim.world_from_camera.copy()
        pose[:3, 3] += 0.05 * pose[:3, 0]
        assert not np.array_equal(first, sim.render(pose))
        sim.world_from_camera = pose
        assert np.array_equal(sim.render(), sim.render(pose))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"boxes": "some"}, "boxes"), ({"frames": 0}, "frames"), ({"scene": -1}, "seed")],
)
def test_unusable_requests_are_refused(wrong, word):
    with pytest.raises(ConfigError, match=word):
        next(iter(simulate(**{"scene": 0, **wrong})))


def test_unusable_settings_are_refused():
    with pytest.raises(ConfigError, match="whole"):
        SimSettings(whole="some")
    with pytest.raises(ConfigError, match="rate"):
        SimSettings(rate=0.0)


def test_a_described_scene_is_simulated_like_a_seed():
    described, seeded = (next(simulate(scene, 2, QUICK)) for scene in (describe(3), 3))
    assert described.seed == seeded.seed == 3 and described.description == seeded.description
    assert np.array_equal(described.observation.color, seeded.observation.color)

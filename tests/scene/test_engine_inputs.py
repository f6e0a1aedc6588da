"""Whatever a detector or a depth camera sends: what cannot be used is said and left out, the rest goes on."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.raycast import Ball
from benchmarks.scene_checks import complaints
from joyai_ros.errors import CameraError, DepthError, ImageError, PoseError
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.config import SceneConfig, TrackingConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from tests.scene.stage import SMALL, block, shoot

AHEAD = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)


@pytest.fixture(scope="module")
def shot():
    return shoot({"block": block(-0.1, 0.0, (0.12, 0.08, 0.12)), "ball": [Ball((0.15, 0.0, 0.06), 0.06)]}, camera=SMALL)


def process(observation):
    scene = SceneEngine().process(observation)
    assert complaints(scene) == []
    return scene


def plain(shape=AHEAD, depth=1.0, **more):
    image = np.zeros((*shape.shape, 3), np.uint8)
    return Observation(image, shape, np.full(shape.shape, depth, np.float32), **more)


BAD = {
    "inverted": Detection("bad", box=(100.0, 100.0, 50.0, 150.0)),
    "empty": Detection("bad", box=(100.0, 100.0, 100.0, 150.0)),
    "left of the image": Detection("bad", box=(-50.0, 10.0, -1.0, 50.0)),
    "below the image": Detection("bad", box=(10.0, 1000.0, 50.0, 1100.0)),
    "NaN": Detection("bad", box=(math.nan, 10.0, 50.0, 60.0)),
    "infinite": Detection("bad", box=(10.0, 10.0, math.inf, 60.0)),
    "three numbers": Detection("bad", box=(10.0, 10.0, 60.0)),
    "words": Detection("bad", box=("left", "top", "right", "bottom")),
    "no box": Detection("bad"),
    "behind the camera": Detection("bad", box3d=OrientedBox(np.array([0, 0, -1.0]), np.eye(3), np.full(3, 0.1))),
    "around the camera": Detection("bad", box3d=OrientedBox(np.zeros(3), np.eye(3), np.full(3, 0.5))),
    "beside the view": Detection("bad", box3d=OrientedBox(np.array([9.0, 0, 1.0]), np.eye(3), np.full(3, 0.1))),
    "over bare table": Detection("bad", box=(10.0, 150.0, 40.0, 180.0)),
    "3D box of air": Detection("bad", box3d=OrientedBox(np.array([0, -0.1, 0.5]), np.eye(3), np.full(3, 0.05))),
    "mask of another size": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), mask=np.ones((10, 10), bool)),
    "empty mask": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), mask=np.zeros(SMALL.shape, bool)),
    "no score": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), score=math.nan),
    "score beyond one": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), score=2.0),
    "no direction": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), front=np.zeros(3)),
    "direction of NaN": Detection("bad", box=(100.0, 80.0, 150.0, 120.0), front=np.array([math.nan, 0.0, 1.0])),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_detection_is_left_out_with_its_reason(shot, kind):
    good = shot.asked("boxes")
    alone = process(good)
    scene = process(replace(good, detections=(good.detections[0], BAD[kind], *good.detections[1:])))
    (reason,) = scene.rejected
    assert reason.startswith("bad: ")
    assert len(reason) > len("bad: ") + 10
    assert "\n" not in reason
    assert [o.id for o in scene.objects] == ["block", "ball"]
    for one, other in zip(scene.objects, alone.objects, strict=True):
        np.testing.assert_allclose(one.obb.corners(), other.obb.corners(), atol=0.004)


def test_an_id_given_twice_is_used_once(shot):
    good = shot.asked("boxes")
    twice = replace(good.detections[1], id="block")
    scene = process(replace(good, detections=(good.detections[0], twice)))
    assert [o.id for o in scene.objects] == ["block"]
    assert len(scene.rejected) == 1
    assert "twice" in scene.rejected[0]


def test_a_box_that_reaches_out_of_the_image_is_clipped(shot):
    good = shot.asked("boxes")
    _, y0, x1, y1 = good.detections[0].box
    scene = process(replace(good, detections=(replace(good.detections[0], box=(-500.0, y0, x1, y1)),)))
    assert scene.rejected == ()
    assert scene.objects[0].box == (0.0, y0, x1, y1)


def test_nothing_pointed_at_is_not_the_same_as_nobody_looking(shot):
    nobody, nothing = shot.asked("nothing"), replace(shot.observation, detections=())
    assert len(process(nobody).objects) == 2
    scene = process(nothing)
    assert scene.objects == ()
    assert scene.relations == ()
    assert scene.support_planes


def test_without_depth_nothing_is_measured(shot):
    scene = process(replace(shot.asked("boxes"), depth=None))
    assert scene.objects == ()
    assert scene.relations == ()
    assert scene.rejected
    np.testing.assert_array_equal(scene.up, shot.observation.up)


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, -math.inf, -1.0, 1e-30, 1e30, 101.0])
def test_depth_that_is_none_is_said(shot, value):
    for detections in (None, (), shot.asked("boxes").detections):
        scene = process(replace(shot.observation, depth=np.full(SMALL.shape, value, np.float32), detections=detections))
        assert scene.objects == ()
        assert scene.support_planes == ()
        assert "depth" in scene.rejected[0]


def test_stray_values_in_the_depth_change_nothing(shot):
    random = np.random.default_rng(0)
    depth = shot.observation.depth.copy()
    stray = random.random(depth.shape) < 0.01
    depth[stray] = random.choice([math.nan, math.inf, -math.inf, -3.0, 1e30, 0.0], int(stray.sum()))
    for how in ("boxes", "nothing"):
        clean, dirty = process(shot.asked(how)), process(replace(shot.asked(how), depth=depth))
        assert len(clean.objects) == len(dirty.objects) == 2
        for one, other in zip(clean.objects, dirty.objects, strict=True):
            np.testing.assert_allclose(one.obb.center, other.obb.center, atol=0.003)
            np.testing.assert_allclose(one.obb.size, other.obb.size, atol=0.006)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 60), (60, 1), (3, 5), (4, 4), (8, 6), (16, 12), (19, 21)])
@pytest.mark.parametrize("up", [None, (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)])
def test_tiny_images(size, up):
    camera = Camera(*size, 30.0, 30.0, (size[0] - 1) / 2, (size[1] - 1) / 2)
    whole = Detection("all", box=(0.0, 0.0, float(size[0]), float(size[1])), mask=np.ones(size[::-1], bool))
    direction = None if up is None else np.array(up)
    for detections in (None, (), (whole,), (replace(whole, mask=None),)):
        scene = process(plain(camera, up=direction, detections=detections))
        assert len(scene.objects) + len(scene.rejected) <= 1


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("color", np.zeros((48, 64), np.uint8), ImageError),
        ("color", np.zeros((48, 64, 3), np.float32), ImageError),
        ("color", np.zeros((24, 32, 3), np.uint8), CameraError),
        ("camera", replace(AHEAD, distortion="plumb_bob", coefficients=(0.1, 0.0, 0.0, 0.0)), CameraError),
        ("depth", np.zeros((24, 32), np.float32), DepthError),
        ("depth", np.zeros((48, 64), np.uint16), DepthError),
        ("world_from_camera", np.eye(3), PoseError),
        ("world_from_camera", np.full((4, 4), np.nan), PoseError),
        ("world_from_camera", 2.0 * np.eye(4), PoseError),
        ("up", np.zeros(3), PoseError),
        ("up", np.array([math.nan, 0.0, 1.0]), PoseError),
        ("up", np.array([1.0, 0.0]), PoseError),
    ],
)
def test_what_is_no_observation_is_refused_when_it_is_made(name, value, error):
    with pytest.raises(error) as refused:
        replace(plain(), **{name: value})
    assert len(str(refused.value)) > 20
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("focal", [0.65, 1.0, 1e6])
@pytest.mark.parametrize("center", [-1e4, 31.5, 1e4])
def test_absurd_cameras_take_no_longer_than_others(focal, center):
    """Points that lie kilometres apart must not become a grid of kilometres."""
    camera = Camera(64, 48, 1e4, focal, center, 23.5)
    depth = np.random.default_rng(0).uniform(0.5, 90.0, AHEAD.shape).astype(np.float32)
    whole = Detection("all", box=(0.0, 0.0, 64.0, 48.0), mask=np.ones(AHEAD.shape, bool))
    for up in (np.array([0.0, 0.0, -1.0]), np.array([0.0, -1.0, 0.0])):
        process(replace(plain(camera, up=up, detections=(whole,)), depth=depth))


@pytest.mark.parametrize("focal", [(0.6, 60.0), (60.0, 0.6), (1e-4, 1e-4)])
def test_a_focal_length_that_is_none_is_refused(focal):
    """Half a pixel is a field of view of 179 degrees: somebody gave metres."""
    with pytest.raises(CameraError, match="given in pixels"):
        plain(Camera(64, 48, *focal, 31.5, 23.5))


def test_pixels_on_one_line_are_no_support_plane():
    """A level strip one sample high has an area and spans no plane."""
    camera = Camera(64, 48, 58.0, 99.0, 31.5, 23.5)
    depth = np.zeros((48, 64), np.float32)
    depth[20:23] = 1.3
    scene = process(replace(plain(camera, up=np.array([0.0, -0.08, -1.0])), depth=depth))
    assert all(len(plane.polygon) >= 3 for plane in scene.support_planes)


def test_any_memory_layout_will_do(shot):
    good = shot.asked("boxes")
    plain_scene = process(good)
    wide = np.repeat(good.depth, 2, axis=1)[:, ::2]
    for depth in (np.asfortranarray(good.depth), wide, good.depth.astype(np.float64), good.depth[::-1][::-1]):
        scene = process(replace(good, depth=depth, color=np.ascontiguousarray(good.color[..., ::-1])[..., ::-1]))
        assert scene.relations == plain_scene.relations


def test_read_only_images_will_do(shot):
    good = shot.asked("boxes")
    color, depth = good.color.copy(), good.depth.copy()
    color.flags.writeable = depth.flags.writeable = False
    assert process(replace(good, color=color, depth=depth)).relations == process(good).relations


def test_frames_of_a_sequence_may_be_anything(shot):
    """Sizes, poses, gravity and detections that change from frame to frame, through one engine."""
    engine = SceneEngine(SceneConfig(tracking=TrackingConfig(confirmed_after=1)))
    tilted = shoot({"ball": [Ball((0.1, 0.0, 0.06), 0.06)]}, camera=AHEAD, up="tf")
    frames = [
        replace(shot.asked("boxes"), stamp=1),
        replace(tilted.asked("nothing"), stamp=2),
        plain(stamp=3),
        replace(tilted.asked("masks"), stamp=2),
        replace(shot.asked("nothing"), stamp=10**18),
        replace(tilted.asked("boxes"), stamp=5, world_frame="map"),
        replace(shot.asked("boxes"), stamp=0, depth=None),
        replace(tilted.asked("boxes"), stamp=6, world_from_camera=None),
    ]
    for frame in (*frames, *frames):
        assert complaints(engine.process(frame)) == []


def test_more_objects_than_can_be_compared_are_still_listed(shot):
    """Statements grow with the square of their number: beyond a limit the smaller objects are measured only."""
    config = SceneConfig()
    limit = config.relations.most_objects
    random = np.random.default_rng(1)
    found = []
    for index in range(limit + 8):
        x, y = random.uniform(0, 200), random.uniform(0, 150)
        mask = np.zeros(SMALL.shape, bool)
        mask[int(y) : int(y) + 40 + index, int(x) : int(x) + 40 + index] = True
        found.append(Detection(f"d{index}", "thing", (x, y, x + 40 + index, y + 40 + index), mask=mask))
    scene = process(replace(shot.observation, detections=tuple(found)))
    assert len(scene.objects) > limit
    assert len({r.subject for r in scene.relations}) <= limit
    assert complaints(scene) == []

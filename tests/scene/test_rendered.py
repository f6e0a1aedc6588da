"""What is measured in ray-cast frames against what is in them.

Tolerances: 5 mm for centres and heights, 8 mm for sides, and the errors within four of the published sigmas.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.raycast import Ball, Block, Tube, tray
from benchmarks.scene_checks import complaints
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.types import LabelSource, UpSource
from tests.scene.stage import NOISE, SMALL, TABLE, block, shoot, without_depth

CENTER, SIDE, HEIGHT, SIGMAS = 0.005, 0.008, 0.005, 4.0
WAYS = ("boxes", "masks", "nothing")
MIX = {
    "block": block(-0.2, 0.0, (0.12, 0.08, 0.12), heading=0.5),
    "can": [Tube((0.05, 0.05, 0.05), 0.035, 0.10)],
    "ball": [Ball((0.25, -0.1, 0.05), 0.05)],
}
TRUE = {
    "block": ((-0.2, 0.0, 0.06), (0.12, 0.08, 0.12)),
    "can": ((0.05, 0.05, 0.05), (0.07, 0.07, 0.10)),
    "ball": ((0.25, -0.1, 0.05), (0.10, 0.10, 0.10)),
}


def process(observation):
    scene = SceneEngine().process(observation)
    assert complaints(scene) == []
    return scene


def assert_measured(shot, item, center, size, loose=1.0):
    """One object's box against the true one, in metres and in sigmas."""
    error = shot.in_world(item) - center
    # Sigmas are along the optical axes; turn the error there.
    optical = shot.pose[:3, :3].T @ error
    assert np.abs(error).max() < loose * CENTER, (item.id, error)
    assert (np.abs(optical) < SIGMAS * item.center_sigma + 1e-3).all(), (item.id, optical, item.center_sigma)
    assert np.abs(item.obb.size[:2] - size[:2]).max() < loose * SIDE, (item.id, item.obb.size)
    assert abs(item.height - size[2]) < loose * HEIGHT, (item.id, item.height)
    assert abs(item.height - size[2]) < SIGMAS * item.height_sigma


@pytest.fixture(scope="module")
def mix():
    return {noise: shoot(MIX, noise=noise) for noise in (0.0, NOISE)}


@pytest.mark.parametrize("noise", [0.0, NOISE])
@pytest.mark.parametrize("how", WAYS)
def test_things_on_a_table_are_measured(mix, how, noise):
    shot = mix[noise]
    scene = process(shot.asked(how))
    found = shot.named(scene)
    assert set(TRUE) <= set(found)
    for name, (center, size) in TRUE.items():
        assert_measured(shot, found[name], center, size, loose=1.0 if noise == 0.0 else 1.5)
        assert found[name].label_source is (LabelSource.NONE if how == "nothing" else LabelSource.DETECTOR)
    assert not any(item.hollow or item.truncated for item in found.values())


def test_statements_about_the_table_are_true(mix):
    scene = process(mix[0.0].asked("boxes"))
    pairs = {(r.subject, r.predicate, *r.objects) for r in scene.relations}
    assert {
        ("block", "left_of", "can"),
        ("can", "left_of", "ball"),
        ("ball", "in_front_of", "can"),
        ("block", "taller_than", "can"),
        ("block", "bigger_than", "ball"),
        ("ball", "closer_than", "can"),
    } <= pairs
    assert not said_any(scene, Predicate.ON, Predicate.INSIDE, Predicate.TOUCHING, Predicate.ABOVE)


def said_any(scene, *predicates):
    return {(r.predicate, r.subject, *r.objects) for r in scene.relations if Predicate(r.predicate) in predicates}


def test_the_same_frame_gives_the_same_scene(mix):
    observation = mix[NOISE].asked("boxes")
    depth, color = observation.depth.copy(), observation.color.copy()
    one, other = process(observation), process(observation)
    assert one.relations == other.relations
    for a, b in zip(one.objects, other.objects, strict=True):
        np.testing.assert_array_equal(a.obb.corners(), b.obb.corners())
    np.testing.assert_array_equal(depth, observation.depth)
    np.testing.assert_array_equal(color, observation.color)


def test_the_order_of_the_boxes_does_not_matter(mix):
    observation = mix[0.0].asked("boxes")
    one = process(observation)
    other = process(replace(observation, detections=observation.detections[::-1]))
    assert [o.id for o in other.objects] == [o.id for o in one.objects][::-1]
    assert facts(one) == facts(other)


def facts(scene):
    return {(r.predicate, r.subject, *sorted(r.objects)) for r in scene.relations}


@pytest.mark.parametrize(
    ("up", "source"), [("given", UpSource.GIVEN), ("tf", UpSource.TF), ("unknown", UpSource.CLOUD)]
)
def test_up_comes_from_whoever_knows_it(up, source):
    shot = shoot(MIX, up=up, noise=NOISE)
    scene = process(shot.asked("boxes"))
    assert scene.up_source is source
    assert math.degrees(math.acos(min(float(scene.up @ shot.pose[2, :3]), 1.0))) < (0.01 if up != "unknown" else 0.5)
    assert_measured(shot, shot.named(scene)["can"], *TRUE["can"], loose=1.5)


def test_without_a_level_surface_nothing_that_needs_gravity_is_said():
    shot = shoot({"ball": [Ball((0, 0, 0.05), 0.05)], "other": [Ball((0.3, 0, 0.05), 0.06)]}, table=[], up="unknown")
    scene = process(shot.asked("masks"))
    assert scene.up is None
    assert scene.up_source is UpSource.UNKNOWN
    assert scene.support_planes == ()
    assert len(scene.objects) == 2
    assert all(math.isnan(item.height) for item in scene.objects)
    assert not {r.predicate for r in scene.relations} & {"left_of", "taller_than", "height", "bearing", "distance"}
    assert said_any(scene, Predicate.CENTER_DISTANCE)


@pytest.mark.parametrize("roll", [0.4, -1.2, math.pi])
def test_a_camera_on_its_side_or_head_sees_the_same(mix, roll):
    upright, shot = process(mix[0.0].asked("boxes")), shoot(MIX, roll=roll)
    scene = process(shot.asked("boxes"))
    for name, (center, size) in TRUE.items():
        # A roll of the image changes which pixels an object loses along its edges: a little more room.
        assert_measured(shot, shot.named(scene)[name], center, size, loose=2.0)
    viewer = (Predicate.LEFT_OF, Predicate.IN_FRONT_OF, Predicate.TALLER_THAN, Predicate.CLOSER_THAN)
    assert said_any(scene, *viewer) == said_any(upright, *viewer)


def test_straight_down_the_image_says_what_is_in_front():
    shot = shoot(MIX, eye=(0.0, 0.0, 1.1), target=(0.0, 0.0, 0.0), up="tf")
    scene = process(shot.asked("boxes"))
    assert {("left_of", "block", "can"), ("in_front_of", "ball", "can")} <= facts(scene)
    found = shot.named(scene)
    assert found["block"].height == pytest.approx(0.12, abs=HEIGHT)
    assert found["can"].height == pytest.approx(0.10, abs=HEIGHT)


def test_each_thing_is_measured_from_what_it_stands_on():
    """A shelf of 0.5 m^2 at 20 cm beside a table: two support planes."""
    shelf = Block((0.55, 0.3, 0.1), (0.7, 0.7, 0.2))
    things = {
        "low": block(-0.15, 0.0, (0.08, 0.08, 0.1)),
        "high": block(0.45, 0.15, (0.08, 0.08, 0.1), bottom=0.2),
    }
    shot = shoot(things, table=[*TABLE, shelf], eye=(0.1, -1.0, 0.9), target=(0.15, 0.0, 0.1))
    for how in ("boxes", "nothing"):
        scene = process(shot.asked(how))
        offsets = sorted(shot.pose[2, 3] - plane.offset for plane in scene.support_planes)
        assert np.allclose(offsets, [0.0, 0.2], atol=0.002)
        found = shot.named(scene)
        assert found["low"].height == pytest.approx(0.1, abs=HEIGHT)
        assert found["high"].height == pytest.approx(0.1, abs=HEIGHT)
        assert shot.in_world(found["high"])[2] == pytest.approx(0.25, abs=HEIGHT)


def test_tables_at_one_height_are_found_apart_from_the_floor():
    floor = Block((0.0, 0.5, -0.72), (4.0, 4.0, 0.04))
    shot = shoot(MIX, table=[*TABLE, floor], eye=(0.0, -1.2, 0.9))
    scene = process(shot.asked("boxes"))
    largest = scene.support_planes[0]
    assert largest.normal @ shot.pose[2, :3] == pytest.approx(1.0, abs=1e-4)
    assert {round(shot.pose[2, 3] - plane.offset, 1) for plane in scene.support_planes} == {0.0, -0.7}
    for name, (center, size) in TRUE.items():
        assert_measured(shot, shot.named(scene)[name], center, size, loose=1.5)


@pytest.mark.parametrize("how", WAYS)
def test_object_on_object(how):
    things = {
        "base": block(0.0, 0.0, (0.2, 0.15, 0.1)),
        "upper": block(0.02, 0.0, (0.08, 0.06, 0.06), heading=0.3, bottom=0.1),
    }
    shot = shoot(things)
    scene = process(shot.asked(how))
    found = shot.named(scene)
    assert_measured(shot, found["base"], (0.0, 0.0, 0.05), (0.2, 0.15, 0.1))
    assert_measured(shot, found["upper"], (0.02, 0.0, 0.13), (0.08, 0.06, 0.06))
    assert (Predicate.ON.value, found["upper"].id, found["base"].id) in facts(scene)
    assert not said_any(scene, Predicate.INSIDE)


@pytest.mark.parametrize("how", ["boxes", "masks"])
def test_object_in_container(how):
    things = {"tray": tray((0.0, 0.0, 0.04), (0.25, 0.2, 0.08), 0.006), "apple": [Ball((0.02, 0.0, 0.046), 0.04)]}
    shot = shoot(things, eye=(0.0, -0.8, 0.8))
    scene = process(shot.asked(how))
    found = shot.named(scene)
    assert found["tray"].hollow
    assert (Predicate.INSIDE.value, "apple", "tray") in facts(scene)
    assert not said_any(scene, Predicate.ON, Predicate.ABOVE)
    assert_measured(shot, found["tray"], (0.0, 0.0, 0.04), (0.25, 0.2, 0.08))
    assert np.abs(shot.in_world(found["apple"]) - (0.02, 0.0, 0.046)).max() < 0.015


def test_a_container_is_known_by_what_stands_in_it():
    """Its floor is lost in the noise of the table, and so is its cavity; what stands in it can be nowhere else."""
    things = {
        "tray": tray((0.0, 0.1, 0.035), (0.28, 0.18, 0.07), 0.003),
        "can": [Tube((0.03, 0.12, 0.043), 0.03, 0.08)],
        "ball": [Ball((-0.06, 0.1, 0.033), 0.03)],
    }
    shot = shoot(things, noise=2.0 * NOISE)
    scene = process(shot.asked("boxes"))
    said = {(r.subject, r.predicate, *r.objects) for r in scene.relations}
    assert {("can", "inside", "tray"), ("ball", "inside", "tray"), ("tray", "contains", "can")} <= said
    found = shot.named(scene)
    assert found["tray"].hollow
    assert found["can"].height == pytest.approx(0.08, abs=0.005)


def test_a_thing_on_a_thin_book_stands_on_it():
    shot = shoot(
        {"book": block(0.0, 0.0, (0.25, 0.17, 0.02)), "can": [Tube((0.03, 0.02, 0.06), 0.03, 0.08)]}, noise=NOISE
    )
    scene = process(shot.asked("boxes"))
    assert ("can", "on", "book") in {(r.subject, r.predicate, *r.objects) for r in scene.relations}
    assert shot.named(scene)["can"].height == pytest.approx(0.08, abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_noise_does_not_move_a_wide_level_top(seed):
    shot = shoot({"book": block(0.0, 0.0, (0.25, 0.17, 0.04))}, noise=3.0 * NOISE, seed=seed)
    assert process(shot.asked("boxes")).objects[0].height == pytest.approx(0.04, abs=0.0008)


def test_an_open_cup_is_one_hollow_thing():
    shot = shoot({"cup": [Tube((0.0, 0.0, 0.05), 0.045, 0.1, closed=False)]})
    scene = process(shot.asked("boxes"))
    (cup,) = scene.objects
    assert cup.hollow
    assert_measured(shot, cup, (0.0, 0.0, 0.05), (0.09, 0.09, 0.1))


@pytest.mark.parametrize("how", ["boxes", "masks"])
def test_touching_things_are_told_apart(how):
    """Two blocks side by side without a gap: one piece of depth, two colours and two boxes."""
    things = {"a": block(-0.04, 0.0, (0.08, 0.08, 0.1)), "b": block(0.04, 0.0, (0.08, 0.08, 0.1))}
    shot = shoot(things)
    scene = process(shot.asked(how))
    for name, right in (("a", -0.04), ("b", 0.04)):
        assert_measured(shot, shot.named(scene)[name], (right, 0.0, 0.05), (0.08, 0.08, 0.1))
    assert ("left_of", "a", "b") in facts(scene)


def test_a_fold_between_touching_things_is_seen_unasked():
    """Two cans side by side, and a ball against a block: where they touch the surface folds inwards."""
    things = {
        "one": [Tube((-0.2, 0.0, 0.06), 0.035, 0.12)],
        "two": [Tube((-0.13, 0.0, 0.05), 0.035, 0.1)],
        "block": block(0.2, 0.0, (0.1, 0.1, 0.12)),
        "ball": [Ball((0.19, -0.09, 0.04), 0.04)],
    }
    shot = shoot(things)
    found = shot.named(process(shot.asked("nothing")))
    assert set(found) == set(things)
    assert {name: item.height for name, item in found.items()} == pytest.approx(
        {"one": 0.12, "two": 0.1, "block": 0.12, "ball": 0.08}, abs=HEIGHT
    )


@pytest.mark.parametrize("how", WAYS)
def test_thin_things(how):
    """A card of 6 mm and a pen of 8 mm: little more than the noise that is to be expected of depth."""
    shot = shoot(
        {"card": block(0.0, 0.0, (0.2, 0.14, 0.006)), "pen": block(0.2, 0.0, (0.15, 0.008, 0.008), math.pi / 2)}
    )
    found = shot.named(process(shot.asked(how)))
    assert_measured(shot, found["card"], (0.0, 0.0, 0.003), (0.2, 0.14, 0.006))
    assert_measured(shot, found["pen"], (0.2, 0.0, 0.004), (0.15, 0.008, 0.008))


@pytest.mark.parametrize("how", WAYS)
def test_what_reaches_out_of_the_image(how):
    shot = shoot({"cut": block(-0.52, 0.0, (0.2, 0.1, 0.1)), "mid": block(0.0, 0.0, (0.1, 0.08, 0.1))})
    scene = process(shot.asked(how))
    found = shot.named(scene)
    assert found["cut"].truncated
    assert not found["mid"].truncated
    assert found["cut"].height == pytest.approx(0.1, abs=HEIGHT)
    assert found["cut"].center_sigma[0] > 5.0 * found["mid"].center_sigma[0]
    # It is at least as long as seen, so it may be bigger; the other is bigger than nothing of which the end is unseen.
    assert (Predicate.BIGGER_THAN.value, found["mid"].id, found["cut"].id) not in facts(scene)
    assert (Predicate.LEFT_OF.value, found["cut"].id, found["mid"].id) in facts(scene)


def test_a_reflective_hole_leaves_the_box():
    """The sensor sees nothing in the middle of the front."""
    shot = shoot({"tin": block(0.0, 0.0, (0.14, 0.1, 0.16))})
    x0, y0, x1, y1 = (int(v) for v in shot.seen.box("tin"))
    hole = np.zeros(shot.observation.camera.shape, dtype=bool)
    hole[y0 + (y1 - y0) // 3 : y1 - 15, x0 + 12 : x1 - 12] = True
    for how in ("boxes", "nothing"):
        blind = without_depth(shot, hole)
        found = blind.named(process(blind.asked(how)))
        assert_measured(shot, found["tin"], (0.0, 0.0, 0.08), (0.14, 0.1, 0.16))


def test_a_hidden_part_makes_the_sigma_larger():
    behind = block(0.0, 0.15, (0.16, 0.08, 0.1))
    free = shoot({"behind": behind})
    hidden = shoot({"behind": behind, "front": block(0.06, -0.02, (0.1, 0.06, 0.18))})
    seen, cut = (shot.named(process(shot.asked("boxes")))["behind"] for shot in (free, hidden))
    assert_measured(free, seen, (0.0, 0.15, 0.05), (0.16, 0.08, 0.1))
    assert cut.center_sigma[0] > 2.0 * seen.center_sigma[0]
    error = np.abs(hidden.pose[:3, :3].T @ (hidden.in_world(cut) - (0.0, 0.15, 0.05)))
    assert (error < SIGMAS * cut.center_sigma + 1e-3).all()


@pytest.mark.parametrize(
    "camera",
    [
        Camera(1280, 720, 900.0, 900.0, 639.5, 359.5),
        Camera(640, 480, 620.0, 420.0, 300.0, 255.0),
        Camera(480, 640, 600.0, 600.0, 239.5, 319.5),
        SMALL,
    ],
    ids=["1280x720", "non-square pixels", "portrait", "320x240"],
)
def test_any_camera(camera):
    shot = shoot(MIX, camera=camera)
    loose = 600.0 / min(camera.fx, camera.fy, 600.0)
    for how in ("boxes", "nothing"):
        found = shot.named(process(shot.asked(how)))
        for name, (center, size) in TRUE.items():
            assert_measured(shot, found[name], center, size, loose=loose)


def test_a_3d_box_points_at_an_object(mix):
    """A 3D detector's box, 1 cm off and a little too large; the object is measured from the depth inside it."""
    shot = mix[0.0]
    inverse = np.linalg.inv(shot.pose)
    found = []
    for name, (center, size) in TRUE.items():
        off = np.add(center, (0.01, -0.005, 0.005))
        box = OrientedBox(off, np.eye(3), 1.15 * np.array(size)).transformed(inverse)
        found.append(Detection(name, name, box3d=box))
    scene = process(replace(shot.observation, detections=tuple(found)))
    for name, (center, size) in TRUE.items():
        assert_measured(shot, shot.named(scene)[name], center, size, loose=2.0)


@pytest.mark.parametrize("seed", range(6))
def test_no_statement_about_a_random_table_is_wrong(seed):
    """Ten blocks, no two on each other: every order stated is true of the true boxes."""
    random = np.random.default_rng(seed)
    things, places = {}, {}
    for index in range(8):
        size = random.uniform((0.06, 0.04, 0.03), (0.12, 0.08, 0.16))
        place = np.array([index % 4 - 1.5, index // 4 - 0.5]) * (0.19, 0.22) + random.uniform(-0.02, 0.02, 2)
        things[f"b{index}"] = block(*place, size, random.uniform(0, 3))
        places[f"b{index}"] = (*place, size[2] / 2, *size)
    shot = shoot(things, noise=NOISE, seed=seed, eye=(random.uniform(-0.3, 0.3), -0.9, random.uniform(0.5, 0.9)))
    scene = process(shot.asked("boxes"))
    assert len(scene.objects) >= 7
    forward = shot.pose[:2, 2] / np.linalg.norm(shot.pose[:2, 2])
    right = np.array([forward[1], -forward[0]])
    true = {
        Predicate.LEFT_OF: {n: -right @ p[:2] for n, p in places.items()},
        Predicate.IN_FRONT_OF: {n: -forward @ p[:2] for n, p in places.items()},
        Predicate.TALLER_THAN: {n: p[5] for n, p in places.items()},
        Predicate.BIGGER_THAN: {n: max(p[3:]) for n, p in places.items()},
        Predicate.CLOSER_THAN: {n: -np.linalg.norm(shot.pose[:3, 3] - p[:3]) for n, p in places.items()},
    }
    stated = 0
    for predicate, rank in true.items():
        for a, b in said_pairs(scene, predicate):
            assert rank[a] > rank[b], (predicate.value, a, b)
            stated += 1
    assert stated > 60  # of 5 orders of 28 pairs, most
    assert not said_any(scene, Predicate.ON, Predicate.INSIDE, Predicate.ABOVE)


def said_pairs(scene, predicate):
    return {(r.subject, r.objects[0]) for r in scene.relations if r.predicate == predicate.value}

"""What a seed means is frozen: the hashes here were recorded when ``tabletop-v1`` was."""

import dataclasses
import hashlib
import json
import math

import numpy as np
import pytest

from joyai_ros.errors import ConfigError
from joyai_ros.sim.distribution import camera_pose, clearance, describe, look_at
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1

CONSTANTS = "4d442408892d4e2796b684bd28c80446d787f8e53b08b80e025073c001b2b7e0"
FINGERPRINTS = {
    0: "01a2dc5332d9dabff33691382267798d489a166df25d71f538bd22f10dc49a94",
    1: "ab18bf042635f6117645bb3de51e2868f4dbc132c297aa40ec7b42331c6beb7c",
    2: "1986c9145309b6dbe6fb95fc65a45ac3fc0385a83bad4e5e1a488736aa6c45ea",
    3: "4382ccafb898ac2178f3eb3134862b4c1e04fc59e8b606724ee4996558ef0cbe",
    17: "737072af750eca98efd0bf0e913f820b2ad681e09d1ddc3070ae389aef7ecfc9",
    101: "f84a9d00a696a22db750cf9e9d237ec8edcb69ab8a0ab6e257340ca2a92bc03b",
    199: "0b0e5bb915f6704bd66259d3a78fc118c3cc2a9cd3cf5e3de7188926fef62747",
    1000: "df2693e813f9f14c9a14d349e729bf7df7ebc225c7e417c638f9a061c728c092",
    123456: "a217d444e03962a67d17b15b0df7071fe25aa2f0f3b8d8a8aa94a7b3d1c4890a",
}
SEEDS = range(60)


@pytest.fixture(scope="module")
def scenes():
    return [describe(seed) for seed in SEEDS]


def test_the_constants_are_frozen():
    text = json.dumps(dataclasses.asdict(TABLETOP_V1), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == CONSTANTS


@pytest.mark.parametrize("seed", FINGERPRINTS)
def test_a_seed_means_what_it_meant(seed):
    assert describe(seed).fingerprint() == FINGERPRINTS[seed]


def test_numpy_integers_are_seeds_too():
    assert describe(np.int64(5)) == describe(5)


@pytest.mark.parametrize("seed", [-1, 1.5, "3", True, None])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ConfigError, match="seed"):
        describe(seed)


def test_counts_and_sizes_keep_their_ranges(scenes):
    ranges = {kind: [dict(r.dimensions)] for kind, r in TABLETOP_V1.kinds}
    for kind, r in TABLETOP_V1.contents:
        ranges[kind].append(dict(r.dimensions))
    ranges["marker"].append(dict(TABLETOP_V1.mug_content.dimensions))
    for scene in scenes:
        assert 3 <= len(scene.objects) <= 10
        assert len({o.id for o in scene.objects}) == len(scene.objects)
        for described in scene.objects:
            sizes = dict(described.dimensions)
            if described.kind == "bottle":
                sizes["height"] -= sizes["shoulder_height"]
                sizes["shoulder_height"] -= sizes["body_height"]
            if {"length", "width"} <= set(sizes):
                assert sizes["length"] >= sizes["width"]
            for name, value in sizes.items():
                limits = [option[other] for option in ranges[described.kind] for other in _exchangeable(name, option)]
                assert any(low - 1e-9 <= value <= high + 1e-9 for low, high in limits), (described.id, name, value)


def _exchangeable(name, option):
    """Length and width are drawn apart and then sorted."""
    return [n for n in ("length", "width") if n in option] if name in ("length", "width") else [name]


def test_cameras_keep_their_ranges_and_their_distance(scenes):
    close = 0
    for scene in scenes:
        view = scene.view
        assert 0.5 <= view.distance <= 1.3
        assert math.radians(20) <= view.elevation <= math.radians(60)
        assert abs(view.roll) <= math.radians(3)
        assert any(view.sensor == s.name and view.camera == s.camera for s in TABLETOP_V1.sensors)
        eye = camera_pose(view)[:3, 3]
        assert np.linalg.norm(eye - np.array(view.target)) == pytest.approx(view.distance)
        close += any(np.linalg.norm(eye - np.array(o.position)) < 0.25 for o in scene.objects)
    assert close == 0
    assert clearance(camera_pose(scenes[0].view), []) == math.inf


def test_every_kind_colour_and_arrangement_occurs(scenes):
    objects = [o for scene in scenes for o in scene.objects]
    assert {o.kind for o in objects} == {kind for kind, _ in TABLETOP_V1.kinds}
    assert {o.color for o in objects} == {name for name, _ in TABLETOP_V1.colors}
    assert {o.placed.partition(":")[0] for o in objects} == {"table", "on", "in", "beside"}
    assert {o.texture.pattern for o in objects} == {"plain", "checker", "stripes", "noise"}
    assert {s.view.sensor for s in scenes} == {s.name for s in TABLETOP_V1.sensors}
    assert {s.dense for s in scenes} == {s.table.round for s in scenes} == {True, False}
    assert {len(s.walls) for s in scenes} == {0, 1, 2}
    assert {len(s.lights) for s in scenes} == {1, 2, 3}


def test_labels_name_colour_and_thing():
    labels = {o.label for seed in SEEDS for o in describe(seed).objects}
    assert "red mug" in labels
    assert any(label.endswith("L-shaped block") for label in labels)


def test_look_at_follows_the_optical_convention():
    pose = look_at(np.array([1.0, 0.0, 1.0]), np.zeros(3))
    ahead = pose[:3, :3] @ [0, 0, 1]
    assert np.allclose(ahead, -np.array([1, 0, 1]) / math.sqrt(2))
    assert (pose[:3, :3] @ [0, 1, 0])[2] < 0  # the image's y axis points down
    assert np.allclose(pose[:3, :3] @ [1, 0, 0], [0, 1, 0])  # looking along -x, right is +y
    rolled = look_at(np.array([1.0, 0.0, 1.0]), np.zeros(3), 0.1)
    assert np.allclose(rolled[:3, 2], pose[:3, 2])
    assert np.linalg.det(rolled[:3, :3]) == pytest.approx(1.0)

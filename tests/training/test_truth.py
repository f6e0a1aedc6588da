"""Answers against the simulator by ways of their own: pixels, shapes, names; none of it through the checks that made them."""

import json
from collections import defaultdict

import numpy as np
import pytest

from joyai_ros.geometry import rigid
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.training.data.store import Store


@pytest.fixture(scope="module")
def asked(made_store):
    """By task: (question, answer, its frames, the truth of its scene as seen from the first frame)."""
    found = defaultdict(list)
    store = Store(made_store)
    for entry in store.shards():
        content = store.read(entry)
        frames = {frame.id: frame for frame in content.frames}
        for scene in entry.scenes:
            with TabletopSim(int(scene.rpartition("/")[2])) as sim:
                seen = {
                    name: sim.truth(frame.world_from_camera, frame.camera, whole=False)
                    for name, frame in frames.items()
                    if frame.scene == scene
                }
            for item in content.items:
                if item.scene == scene:
                    shown = [frames[name] for name in item.frames]
                    found[item.task].append((item, json.loads(item.answer), shown, seen[item.frames[0]]))
    return found


def middle(truth, name):
    return rigid.apply(rigid.inverse(truth.world_from_camera), truth.world.object(name).box.center)


def mark(frame, name):
    return str([item.id for item in frame.objects].index(name) + 1)


@pytest.mark.parametrize("task", ["left_right", "cross_view_position"])
def test_left_is_where_pixels_are_less(asked, task):
    assert asked[task]
    for item, answer, frames, truth in asked[task]:
        a, b = (middle(truth, name) for name in item.objects)
        up = truth.up  # the image may be rolled: level across the view
        across = np.cross([0.0, 0.0, 1.0], up)
        assert (answer["answer"] == "left") == bool((a - b) @ across < 0), item.prompt
        upright = abs(up @ [1.0, 0.0, 0.0]) < 0.03
        pixels = frames[0].camera.project(np.array([a, b]))[:, 0]
        if upright and min(a[2], b[2]) > 0 and abs(a[2] - b[2]) < 0.02 and abs(pixels[0] - pixels[1]) > 3:
            assert (answer["answer"] == "left") == (pixels[0] < pixels[1])


@pytest.mark.parametrize("task", ["object_distance", "cross_view_distance"])
def test_distances_are_those_of_the_shapes(asked, task):
    assert asked[task]
    for item, answer, _, truth in asked[task]:
        assert answer["unit"] == "m"
        assert answer["value"] == pytest.approx(truth.world.distance(*item.objects), abs=0.0051)


def test_heights_and_sizes_are_those_of_the_vertices(asked):
    for item, answer, _, truth in asked["object_height"] + asked["object_size"]:
        box = truth.world.object(item.objects[0]).box
        wanted = box.size[2] if item.task == "object_height" else box.size.max()
        assert answer["value"] == pytest.approx(wanted, abs=0.0051)


def test_what_is_closest_has_the_least_distance(asked):
    for item, answer, frames, truth in asked["depth_order"]:
        nearest = min(item.objects, key=lambda name: float(np.linalg.norm(middle(truth, name))))
        assert answer["answer"] == mark(frames[0], nearest)
    for item, answer, frames, truth in asked["relative_distance"]:
        first, *others = item.objects
        nearest = min(others, key=lambda name: truth.world.distance(first, name))
        assert answer["answer"] == mark(frames[0], nearest)


def test_colours_counts_and_existence_follow_from_names_and_pixels(asked):
    for item, answer, _, truth in asked["color"]:
        assert answer["answer"] == truth.world.object(item.objects[0]).color
    assert asked["count"]
    assert asked["existence"]
    for item, answer, _, truth in asked["count"] + asked["existence"]:
        seen = [truth.world.object(view.id).label for view in truth.views if view.visible_pixels > 0]
        number = sum(item.about in ("object", label, label.partition(" ")[2]) for label in seen)
        if item.task == "count":
            assert answer["count"] == number, item.prompt
        else:
            assert answer["answer"] == ("yes" if number else "no"), item.prompt


def test_points_and_boxes_lie_on_what_they_name(asked):
    assert asked["ground_points"]
    for item, answer, frames, truth in asked["ground_points"]:
        for point in answer["points"]:
            x, y = (
                round(v / 1000 * side - 0.5) for v, side in zip(point["point_2d"], frames[0].camera.size, strict=True)
            )
            near = truth.instances[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            labels = {truth.world.objects[n - 1].label for n in np.unique(near) if 0 < n < 255}
            assert point["label"] in labels, item.prompt


def test_the_same_object_across_views(asked):
    for item, answer, frames, _ in asked["correspondence"]:
        assert answer["answer"] == mark(frames[1], item.objects[0])
    assert asked["reidentification"]
    for item, answer, _, _ in asked["reidentification"]:
        assert (answer["answer"] == "yes") == (item.objects[0] == item.objects[1])


def test_the_pose_carries_the_world_from_one_view_to_the_other(asked):
    """The scene's middle, seen by the second camera, lies where the stated pose puts it."""
    assert asked["camera_pose"]
    for _, answer, frames, truth in asked["camera_pose"]:
        center = truth.world.objects[0].box.center
        second = rigid.apply(rigid.inverse(frames[1].world_from_camera), center)
        yaw, pitch, roll = (np.radians(answer[name]) for name in ("yaw_deg", "pitch_deg", "roll_deg"))
        way = np.array([answer["right_m"], -answer["up_m"], answer["forward_m"]])
        turn = np.eye(3)
        for axis, angle in (("y", yaw), ("x", pitch), ("z", roll)):
            i, j = {"y": (2, 0), "x": (1, 2), "z": (0, 1)}[axis]
            one = np.eye(3)
            one[i, i] = one[j, j] = np.cos(angle)
            one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
            turn = turn @ one
        np.testing.assert_allclose(turn @ second + way, middle(truth, truth.world.objects[0].id), atol=0.015)

"""The validator catches what is planted, each with the tables sealed again so that only the geometry tells."""

import json
import shutil

import numpy as np
import pytest

from joyai_ros.geometry import rigid
from joyai_ros.training.data.ask import ASKED
from joyai_ros.training.data.store import SHARDS, Store, read_manifest
from joyai_ros.training.data.validate import check_store
from tests.training.conftest import plant, rows_of, seal

SHARD = "train-00000"
OBJECTS, ITEMS, PAIRS, FRAMES = "objects.parquet", "questions.parquet", "pairs.parquet", "frames.parquet"


def faults(folder):
    return check_store(Store(folder))


def first(rows, task):
    return next(row for row in rows if row["task"] == task)


def test_a_store_as_it_is_made_agrees_with_itself(made_store):
    assert faults(made_store) == []
    asked = {row["task"] for entry in Store(made_store).shards() for row in rows_of(made_store, entry.name, ITEMS)}
    # These need scenes that have each of their answers; everything else is asked in any few scenes.
    assert asked >= set(ASKED) - {"near_far", "above_below", "camera_motion", "reachability", "direction_to_go"}


@pytest.mark.parametrize("task", ["left_right", "cross_view_position"])
def test_left_and_right_swapped(store, task):
    def swap(rows):
        row = first(rows, task)
        row["answer"] = row["answer"].replace("left", "RIGHT").replace("right", "left")
        row["answer"] = row["answer"].replace("RIGHT", "right")

    plant(store, SHARD, ITEMS, swap)
    (fault,) = faults(store)
    assert fault.kind == "question"
    assert task in fault.text
    assert "the geometry" in fault.text


@pytest.mark.parametrize("task", ["object_distance", "camera_distance", "object_height"])
@pytest.mark.parametrize("unit", ["cm", "mm"])
def test_a_wrong_unit(store, task, unit):
    def change(rows):
        row = first(rows, task)
        row["answer"] = json.dumps({**json.loads(row["answer"]), "unit": unit})

    plant(store, SHARD, ITEMS, change)
    (fault,) = faults(store)
    assert fault.kind == "question"
    assert f'"{unit}"' in fault.text


def test_another_unit_with_its_own_number_is_right(store):
    def change(rows):
        row = first(rows, "camera_distance")
        metres = json.loads(row["answer"])["value"]
        row["answer"] = json.dumps({"value": round(100 * metres, 1), "unit": "cm"})

    plant(store, SHARD, ITEMS, change)
    assert faults(store) == []


def test_the_wrong_camera_in_a_pair(store):
    def change(rows):
        one = rows[0]
        other = next(row for row in rows if row["scene"] != one["scene"])
        one["source_from_target"] = other["source_from_target"]

    plant(store, SHARD, PAIRS, change)
    found = faults(store)
    assert {fault.kind for fault in found} == {"pair"}
    assert "the wrong camera" in found[0].text


def test_the_wrong_camera_of_a_frame(store):
    poses = [row["world_from_camera"] for row in rows_of(store, SHARD, FRAMES)]

    def change(rows):
        rows[0]["world_from_camera"] = poses[-1]  # of another scene

    plant(store, SHARD, FRAMES, change)
    found = faults(store)
    assert any(fault.kind == "object" and "the wrong camera" in fault.text for fault in found)
    assert any(fault.kind == "pair" for fault in found)


def test_the_wrong_intrinsics_of_a_frame(store):
    def change(rows):
        rows[0]["fx"] *= 1.5
        rows[0]["fy"] *= 1.5

    plant(store, SHARD, FRAMES, change)
    assert any("do not project into its mask" in fault.text for fault in faults(store))


def test_pairs_whose_frames_are_swapped(store):
    def change(rows):
        rows[0]["source"], rows[0]["target"] = rows[0]["target"], rows[0]["source"]

    plant(store, SHARD, PAIRS, change)
    assert any(fault.kind == "pair" for fault in faults(store))


def test_a_camera_motion_that_is_not_that_of_the_poses(store):
    def change(rows):
        rows[0]["yaw_deg"] = -rows[0]["yaw_deg"] + 1.0

    plant(store, SHARD, PAIRS, change)
    (fault,) = faults(store)
    assert "camera motion" in fault.text


def test_a_scene_in_two_splits(store):
    other = next(entry for entry in read_manifest(store).shards if entry.split == "test")
    place = store / SHARDS / other.name
    shutil.rmtree(place)
    shutil.copytree(store / SHARDS / SHARD, place)  # the train shard stands for a test shard too
    seal(store)
    found = [fault for fault in faults(store) if fault.kind == "split"]
    scenes = {row["scene"] for row in rows_of(store, SHARD, FRAMES)}
    assert {fault.where for fault in found if "two places" in fault.text} == scenes
    assert "train" in found[0].text
    assert "test" in found[0].text


def test_an_image_in_two_splits_under_another_name(store):
    other = next(entry for entry in read_manifest(store).shards if entry.split == "test").name
    row = rows_of(store, SHARD, FRAMES)[0]

    def change(rows):
        rows[0]["image_hash"] = row["image_hash"]
        shutil.copy(store / SHARDS / SHARD / row["image"], store / SHARDS / other / rows[0]["image"])

    plant(store, other, FRAMES, change)
    assert [fault.kind for fault in faults(store)] == ["split"]


def test_an_answer_inside_its_margin(store):
    """Two objects are put at the same place across the view: left and right become undecidable."""
    frame = first(rows_of(store, SHARD, ITEMS), "left_right")["frames"][0]
    item = first(rows_of(store, SHARD, ITEMS), "left_right")
    up = np.array(next(row for row in rows_of(store, SHARD, FRAMES) if row["id"] == frame)["up"])

    def change(rows):
        a, b = (next(r for r in rows if r["frame"] == frame and r["id"] == name) for name in item["objects"])
        across = np.cross([0.0, 0.0, 1.0], up)
        across /= np.linalg.norm(across)
        way = (np.array(b["center"]) - np.array(a["center"])) @ across
        # Sigmas, not places, are enough to make it unclear: an object that is known to within 30 cm alone.
        a["center_sigma"] = [abs(way) * 2] * 3

    plant(store, SHARD, OBJECTS, change)
    found = [fault for fault in faults(store) if fault.where == item["id"]]
    assert len(found) == 1
    assert "must not be asked" in found[0].text


def test_a_margin_that_is_wider_than_when_it_was_built(store):
    manifest = json.loads((store / "manifest.json").read_text())
    manifest["settings"]["recording.scene.relations.lateral_margin"] = 0.5
    (store / "manifest.json").write_text(json.dumps(manifest))
    found = faults(store)
    assert found
    assert all("within its margin" in fault.text for fault in found)


def test_a_stale_2d_box(store):
    frames = [row["id"] for row in rows_of(store, SHARD, FRAMES)]

    def change(rows):
        here = next(r for r in rows if r["frame"] == frames[0] and r["box"] and r["visibility"] > 0.6)
        there = next(r for r in rows if r["frame"] == frames[1] and r["id"] == here["id"] and r["box"])
        here["box"] = there["box"]

    plant(store, SHARD, OBJECTS, change)
    assert any(fault.kind == "object" and "box" in fault.text for fault in faults(store))


def test_a_stale_3d_box(store):
    """The box of the frame before, in the camera frame of the frame before."""
    frames = [row["id"] for row in rows_of(store, SHARD, FRAMES)]

    def change(rows):
        here = next(r for r in rows if r["frame"] == frames[0] and r["box"] and r["visibility"] > 0.6)
        there = next(r for r in rows if r["frame"] == frames[1] and r["id"] == here["id"])
        here["center"], here["rotation"] = there["center"], there["rotation"]

    plant(store, SHARD, OBJECTS, change)
    assert any(fault.kind == "object" and "stale" in fault.text for fault in faults(store))


def test_a_box_that_was_not_moved_with_its_object(store):
    """An object's box lies 6 cm beside it in one frame of two."""

    def change(rows):
        row = next(r for r in rows if r["box"] and r["visibility"] > 0.6)
        row["center"] = [row["center"][0] + 0.06, *row["center"][1:]]

    plant(store, SHARD, OBJECTS, change)
    assert any(fault.kind == "object" and "stale" in fault.text for fault in faults(store))


def test_a_prompt_that_points_at_another_mark(store):
    def change(rows):
        row = first(rows, "object_height")
        row["prompt"] = row["prompt"].replace("(mark ", "(mark 1")

    plant(store, SHARD, ITEMS, change)
    (fault,) = faults(store)
    assert "prompt" in fault.text


def test_a_count_that_is_one_off(store):
    def change(rows):
        row = first(rows, "count")
        row["answer"] = json.dumps({"count": json.loads(row["answer"])["count"] + 1})

    plant(store, SHARD, ITEMS, change)
    (fault,) = faults(store)
    assert fault.text.startswith("count")


def test_a_pose_that_is_inverted(store):
    def change(rows):
        row = first(rows, "camera_pose")
        row["frames"] = row["frames"][::-1]

    plant(store, SHARD, ITEMS, change)
    (fault,) = faults(store)
    assert fault.text.startswith("camera_pose")


def test_a_pose_that_is_none(store):
    def change(rows):
        rows[0]["world_from_camera"] = rigid.make_transform(2 * np.eye(3), np.zeros(3)).ravel().tolist()

    plant(store, SHARD, FRAMES, change)
    assert any(fault.kind == "frame" for fault in faults(store))

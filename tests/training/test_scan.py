"""Posed scans: files in folders, as a scanner app or a dataset's exporter leaves them."""

import json
import shutil

import cv2
import numpy as np
import pytest

from joyai_ros.errors import BagError
from joyai_ros.settings import load
from joyai_ros.sim.frames import simulate
from joyai_ros.training.data.build import build_store, recorded_sources
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.store import Store
from joyai_ros.training.data.validate import check_store

CONFIG = ("split.test=0", "split.validation=0", "questions.per_scene=2", "recording.frames=4")


@pytest.fixture(scope="module")
def made_scan(tmp_path_factory):
    """Eight frames of a simulated scene, and what is true of its labels."""
    folder = tmp_path_factory.mktemp("scans") / "kitchen"
    for name in ("color", "depth", "pose", "intrinsic", "instance"):
        (folder / name).mkdir(parents=True)
    for index, frame in enumerate(simulate(3, 8)):
        seen, truth = frame.observation, frame.truth
        cv2.imwrite(str(folder / "color" / f"{index}.jpg"), cv2.cvtColor(seen.color, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / "depth" / f"{index}.png"), np.rint(seen.depth * 1000).astype(np.uint16))
        np.savetxt(folder / "pose" / f"{index}.txt", seen.world_from_camera)
        instances = np.where(truth.instances == 255, 0, truth.instances).astype(np.uint16)
        cv2.imwrite(str(folder / "instance" / f"{index}.png"), instances)
    matrix = np.eye(4)
    matrix[:3, :3] = seen.camera.matrix
    np.savetxt(folder / "intrinsic" / "intrinsic_color.txt", matrix)
    labels = {str(number): item.label for number, item in enumerate(truth.world.objects, start=1)}
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture
def scan(made_scan, tmp_path):
    shutil.copytree(made_scan, tmp_path / "kitchen")
    return tmp_path / "kitchen"


def built(scan, folder):
    manifest = build_store(folder, recorded_sources([scan], 0), 0, load(DataConfig, None, CONFIG))
    store = Store(folder)
    (entry,) = store.shards()
    return manifest, store.read(entry)


def test_a_scan_with_instances(made_scan, tmp_path):
    manifest, content = built(made_scan, tmp_path / "s")
    assert manifest.scenes == ("scan/kitchen",)
    assert check_store(Store(tmp_path / "s")) == []
    labels = set(json.loads((made_scan / "labels.json").read_text()).values())
    assert {item.measured.label for frame in content.frames for item in frame.objects} <= labels
    assert {item.task for item in content.items} >= {"left_right", "object_height", "existence", "color"}
    assert content.pairs


def test_what_nobody_named_is_neither_counted_nor_looked_for(scan, tmp_path):
    """Without instances the objects are pieces of the depth image: they can be measured, not named."""
    shutil.rmtree(scan / "instance")
    _, content = built(scan, tmp_path / "s")
    tasks = {item.task for item in content.items}
    assert tasks >= {"left_right", "object_height", "camera_pose"}
    assert tasks.isdisjoint({"count", "existence", "color", "ground_boxes", "ground_points"})
    assert all("the object (mark" in item.prompt for item in content.items if item.objects)


def test_frames_without_a_pose_are_left_out(scan, tmp_path):
    lost = np.full((4, 4), -np.inf)
    for index in (2, 3):
        np.savetxt(scan / "pose" / f"{index}.txt", lost)
    (scan / "depth" / "5.png").write_bytes(b"")
    manifest, _ = built(scan, tmp_path / "s")
    assert manifest.shards[0].left_out["frame without a camera pose"] == 2
    assert manifest.shards[0].left_out["frame that cannot be used: BagError"] == 1


def test_depth_of_another_size_is_registered(scan, tmp_path):
    for path in (scan / "depth").iterdir():
        small = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[::2, ::2]
        cv2.imwrite(str(path), small)
    matrix = np.loadtxt(scan / "intrinsic" / "intrinsic_color.txt")
    matrix[:2, :3] /= 2.0
    np.savetxt(scan / "intrinsic" / "intrinsic_depth.txt", matrix)
    _, content = built(scan, tmp_path / "s")
    assert content.items


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda scan: (scan / "intrinsic" / "intrinsic_color.txt").unlink(), "intrinsic_color.txt cannot be read"),
        (
            lambda scan: (scan / "intrinsic" / "intrinsic_color.txt").write_text("f = 600"),
            "something else than numbers",
        ),
        (lambda scan: (scan / "labels.json").write_text("[]"), "does not say what the instances are"),
        (lambda scan: [path.unlink() for path in (scan / "pose").iterdir()], "without a camera pose"),
        (lambda scan: [path.unlink() for path in (scan / "color").iterdir()], "it has no frames"),
    ],
)
def test_what_is_no_scan(scan, tmp_path, spoil, says):
    spoil(scan)
    with pytest.raises(BagError, match=says):
        built(scan, tmp_path / "s")

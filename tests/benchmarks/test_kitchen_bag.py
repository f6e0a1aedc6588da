import json

import numpy as np
import pytest

from benchmarks.kitchen_bag import COLOR_FRAME, START, write_kitchen_bag
from joyai_ros.bags.config import BagConfig
from joyai_ros.bags.discovery import find_stream
from joyai_ros.bags.frames import FrameReader
from joyai_ros.bags.reader import BagReader
from joyai_ros.errors import InputError
from joyai_ros.messages.frames import observe
from joyai_ros.perception.bag_run import RunConfig, process_bag
from joyai_ros.settings import build


@pytest.fixture(scope="module")
def kitchen(data_dir, tmp_path_factory):
    """The first frames of the recording, and their bag."""
    data = tmp_path_factory.mktemp("kitchen")
    for file in sorted((data_dir / "kitchen").glob("frame-0000[0-4]0.*")):
        (data / file.name).symlink_to(file)
    (data / "camera.json").symlink_to(data_dir / "kitchen" / "camera.json")
    assert write_kitchen_bag(data / "bag", data) == 5
    return data


def test_the_bag_holds_the_recording(kitchen):
    rig = json.loads((kitchen / "camera.json").read_text())
    with BagReader(kitchen / "bag") as reader:
        topics = find_stream(reader)
        assert (topics.color, topics.depth) == ("/camera/color/image_raw/compressed", "/camera/depth/image_raw")
        source = FrameReader(reader, topics, BagConfig())
        frames = [f.messages for raw in reader.messages() for f in source.feed(raw)]
        frames += [f.messages for f in source.finish()]
    assert not source.rejections.all()
    assert (source.world.frame, source.world.up_frame) == ("reconstruction", "")
    assert [f.stamp - START for f in frames] == [round(i / 3 * 1e9) for i in range(5)]
    np.testing.assert_allclose(frames[0].color_from_depth, rig["color_from_depth"], atol=1e-9)
    for index, frame in enumerate(frames):
        observation, _ = observe(frame)
        assert (observation.frame_id, observation.camera.fx) == (COLOR_FRAME, 521.0)
        depth_pose = np.loadtxt(kitchen / f"frame-{10 * index:06d}.pose.txt")
        expected = depth_pose @ np.linalg.inv(rig["color_from_depth"])
        np.testing.assert_allclose(observation.world_from_camera, expected, atol=1e-4)
        assert 0.5 < (observation.depth > 0).mean() < 1.0  # registered: the two cameras do not see the same


def test_a_run_makes_a_scene_of_every_frame(kitchen, tmp_path):
    report = process_bag(kitchen / "bag", tmp_path / "out", build(RunConfig, {"view.rate": 0.5}))
    assert (report.frames, report.rejections) == (5, [])
    assert report.views == 1


def test_a_missing_recording_is_said(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*camera.json"):
        write_kitchen_bag(tmp_path / "bag", tmp_path)
    assert not (tmp_path / "bag").exists()

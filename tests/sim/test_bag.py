"""A simulated recording, read by rosbags alone."""

import json

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from joyai_ros.bags.typestore import typestore
from joyai_ros.errors import ConfigError, OutputError
from joyai_ros.geometry import rigid
from joyai_ros.messages.cameras import camera_from_info
from joyai_ros.messages.images import decode_color, decode_depth
from joyai_ros.messages.poses import pose_from_message, transform_from_message
from joyai_ros.sim.bag import write_bag
from joyai_ros.sim.frames import SimSettings, simulate

FRAMES = 4
TYPES = {
    "/camera/color/image_raw": "sensor_msgs/msg/Image",
    "/camera/color/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
    "/camera/aligned_depth_to_color/camera_info": "sensor_msgs/msg/CameraInfo",
    "/detections": "vision_msgs/msg/Detection2DArray",
    "/tf": "tf2_msgs/msg/TFMessage",
    "/tf_static": "tf2_msgs/msg/TFMessage",
    "/ground_truth/instances": "sensor_msgs/msg/Image",
    "/ground_truth/boxes": "vision_msgs/msg/Detection3DArray",
    "/ground_truth/camera_pose": "geometry_msgs/msg/PoseStamped",
    "/ground_truth/scene": "std_msgs/msg/String",
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("sim") / "bag"
    counted = []
    recording = write_bag(path, 3, FRAMES, progress=counted.append)
    assert counted == [1, 2, 3, 4]
    assert recording.frames == FRAMES and recording.seconds == pytest.approx(0.1, abs=1e-3)
    return path


@pytest.fixture(scope="module")
def messages(bag):
    found = {}
    with AnyReader([bag], default_typestore=typestore()) as reader:
        types = {c.topic: c.msgtype for c in reader.connections}
        for connection, _, raw in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(raw, connection.msgtype))
    assert types == TYPES
    return found


@pytest.fixture(scope="module")
def frames():
    return list(simulate(3, FRAMES, SimSettings(whole="none")))


def test_every_frame_has_every_message(messages):
    for topic, found in messages.items():
        assert len(found) == (1 if topic == "/tf_static" else FRAMES), topic


def test_images_and_cameras_are_the_simulated_ones(messages, frames):
    for k, frame in enumerate(frames):
        color = messages["/camera/color/image_raw"][k]
        depth = messages["/camera/aligned_depth_to_color/image_raw"][k]
        assert color.encoding == "rgb8" and depth.encoding == "16UC1"
        assert color.header.frame_id == depth.header.frame_id == "camera_color_optical_frame"
        assert color.header.stamp == depth.header.stamp
        assert np.array_equal(decode_color(color), frame.observation.color)
        assert np.abs(decode_depth(depth) - frame.observation.depth).max() < 1e-6
        assert camera_from_info(messages["/camera/color/camera_info"][k]) == frame.observation.camera
        instances = messages["/ground_truth/instances"][k]
        assert instances.encoding == "mono8"
        assert np.array_equal(np.reshape(instances.data, (480, 640)), frame.truth.instances)


def test_the_tree_of_frames_ends_at_the_camera(messages, frames):
    fixed = {t.child_frame_id: t for t in messages["/tf_static"][0].transforms}
    for k, frame in enumerate(frames):
        known = {**fixed, **{t.child_frame_id: t for t in messages["/tf"][k].transforms}}
        assert set(known) == {"odom", "base_link", "camera_link", "camera_color_optical_frame"}
        pose, child = np.eye(4), "camera_color_optical_frame"
        while child != "map":
            pose = transform_from_message(known[child].transform) @ pose
            child = known[child].header.frame_id
        assert np.abs(pose - frame.truth.world_from_camera).max() < 1e-9
        exact = messages["/ground_truth/camera_pose"][k]
        assert exact.header.frame_id == "map"
        assert np.abs(pose_from_message(exact.pose) - frame.truth.world_from_camera).max() < 1e-9
        base = transform_from_message(known["odom"].transform) @ transform_from_message(known["base_link"].transform)
        assert np.allclose(base[:3, 2], [0, 0, 1]) and base[2, 3] == pytest.approx(0.0)
        link = transform_from_message(known["camera_link"].transform)
        assert link[0, 3] == pytest.approx(0.25) and link[2, 3] > 0.5


def test_truth_is_complete(messages, frames):
    for k, frame in enumerate(frames):
        scene = json.loads(messages["/ground_truth/scene"][k].data)
        boxes = messages["/ground_truth/boxes"][k]
        assert boxes.header.frame_id == scene["frame_id"] == "map"
        assert [d.id for d in boxes.detections] == [o["id"] for o in scene["objects"]]
        for found, text, owner in zip(boxes.detections, scene["objects"], frame.truth.world.objects, strict=True):
            assert found.results[0].hypothesis.class_id == text["label"] == owner.label
            assert np.allclose(pose_from_message(found.bbox.center)[:3, 3], owner.box.center)
            assert np.allclose(text["size_m"], owner.box.size, atol=1e-6)
            turned = rigid.matrix_from_quaternion(np.array(text["rotation"]))
            assert np.allclose(turned, owner.box.rotation, atol=1e-6)
            assert (text["stands_on"], text["inside"]) == (owner.stands_on, owner.inside)
        assert scene["distribution"] == "tabletop-v1" and scene["seed"] == 3 and scene["frame"] == k
        assert scene["supports"][0]["owner"] == "table"


def test_without_boxes_there_are_no_detections(tmp_path):
    write_bag(tmp_path / "bag", 0, 1, boxes="none")
    with AnyReader([tmp_path / "bag"], default_typestore=typestore()) as reader:
        assert {c.topic for c in reader.connections} == set(TYPES) - {"/detections"}


def test_a_bag_is_not_overwritten_unasked(bag):
    with pytest.raises(OutputError, match="exists"):
        write_bag(bag, 0, 1)


def test_a_bad_request_leaves_nothing_behind(tmp_path):
    with pytest.raises(ConfigError):
        write_bag(tmp_path / "bag", -1, 1)
    assert not (tmp_path / "bag").exists()

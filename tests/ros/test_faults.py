"""What goes wrong on robots: the node says so, drops what it must, and is back as soon as the input is."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from vision_msgs.msg import Detection3DArray

from joyai_ros.messages.detections import detections_3d_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.msg import Scene
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.types import UpSource
from tests.ros.harness import Robot, status_of, wait_for

OK, WARN, STALE = b"\x00", b"\x01", b"\x03"


@pytest.fixture
def scenes(ros):
    return ros.listen(Scene, "joyai/scene")


@pytest.fixture
def diagnostics(ros):
    return ros.listen(DiagnosticArray, "/diagnostics")


def level(diagnostics, part):
    found = status_of(diagnostics, f"joyai_scene: {part}")
    return None if found is None else found[0].level


def test_the_camera_stops_and_returns(ros, robot, scenes, diagnostics):
    node = ros.launch(SceneNode, parameters={"stale_after": 0.3})
    robot.show_until(lambda: len(scenes) >= 3, "scenes")
    wait_for(lambda: level(diagnostics, "input") == STALE, "diagnostics to notice")
    assert "no whole frame for" in status_of(diagnostics, "joyai_scene: input")[0].message
    assert node.is_active
    seen = len(scenes)
    robot.show_until(lambda: len(scenes) > seen, "scenes after its return")
    robot.show_until(lambda: level(diagnostics, "input") == OK, "diagnostics to be content again")


def test_a_camera_that_nobody_drives_is_named(ros, diagnostics):
    ros.launch(SceneNode, parameters={"stale_after": 0.1})
    wait_for(lambda: level(diagnostics, "input") == STALE, "diagnostics to notice")
    assert "nobody publishes /camera/color/image_raw" in status_of(diagnostics, "joyai_scene: input")[0].message


def test_tf_never_comes(ros, frames, scenes, diagnostics):
    robot = Robot(ros, frames, transforms=False)
    ros.launch(SceneNode)
    robot.show_until(lambda: len(scenes) >= 2, "scenes")
    scene = scene_from_message(scenes[-1])
    assert scene.world_from_camera is None
    assert scene.up_source is UpSource.CLOUD  # gravity from the table, since nobody else tells
    assert len(scene.objects) >= 4
    wait_for(lambda: level(diagnostics, "transforms") == WARN, "diagnostics to notice")
    assert "no transform tree holds 'camera_color_optical_frame'" in status_of(diagnostics, "transforms")[0].message


def test_tf_stops_and_frames_that_need_it_wait_no_longer_than_the_timeout(ros, robot, scenes, diagnostics):
    node = ros.launch(SceneNode, parameters={"transforms.timeout": 0.05, "transforms.tolerance": 0.15})
    robot.show_until(lambda: scenes and scenes[-1].has_camera_pose, "a scene with a pose")
    seen = len(scenes)
    robot.show(leave_out=["/tf"])  # 0.1 s after the last transform: within the tolerance
    wait_for(lambda: len(scenes) > seen, "the next scene")
    assert scenes[-1].has_camera_pose
    robot.show_until(lambda: not scenes[-1].has_camera_pose, "a scene without a pose", leave_out=["/tf"])
    wait_for(lambda: level(diagnostics, "transforms") == WARN, "diagnostics to notice")
    assert "extrapolation" in status_of(diagnostics, "joyai_scene: transforms")[0].message
    assert node.tally.counts()["frames_without_transform"] >= 1


def test_where_tf_is_required_frames_without_it_are_left_out(ros, frames, scenes, diagnostics):
    robot = Robot(ros, frames, transforms=False)
    node = ros.launch(SceneNode, parameters={"transforms.required": True})
    robot.show_until(lambda: node.tally.counts().get("rejected.transform", 0) >= 2, "frames to be left out")
    assert scenes == []
    robot.transforms = True
    robot._publish_fixed()
    robot.show_until(lambda: scenes, "scenes once TF is there")


def test_depth_and_colour_out_of_sync(ros, robot, scenes, diagnostics):
    def late(topic, message):
        if "depth" in topic:
            message.header.stamp.nanosec = (message.header.stamp.nanosec + 40_000_000) % 1_000_000_000

    node = ros.launch(SceneNode)
    lost = lambda: node.tally.counts().get("dropped.unsynchronised", 0)  # noqa: E731
    robot.show_until(lambda: lost() >= 3, "frames to be dropped", change=late)
    assert scenes == []
    robot.show_until(lambda: level(diagnostics, "input") == WARN, "diagnostics to notice", change=late)
    robot.show_until(lambda: scenes, "scenes once they fit")


@pytest.mark.parametrize(
    ("what", "reason"),
    [("data", "encoding"), ("encoding", "encoding"), ("info", "camera"), ("depth", "depth"), ("intrinsics", "camera")],
)
def test_a_frame_that_is_not_what_it_says_is_left_out(ros, robot, scenes, diagnostics, what, reason):
    def spoil(topic, message):
        color, info = topic.endswith("color/image_raw"), topic.endswith("color/camera_info")
        if what == "data" and color:
            message.data = message.data[: len(message.data) // 2]  # its size does not fit its encoding
        elif what == "encoding" and color:
            message.encoding = "rgb9"
        elif what == "info" and info and "depth" not in topic:
            message.width, message.height = 320, 240
        elif what == "intrinsics" and info and "depth" not in topic:
            message.k, message.p = np.full(9, np.nan), np.zeros(12)
        elif what == "depth" and topic.endswith("depth_to_color/image_raw"):
            message.data = bytes(len(message.data))

    node = ros.launch(SceneNode)
    left_out = lambda: node.tally.counts().get(f"rejected.{reason}", 0)  # noqa: E731
    robot.show_until(lambda: left_out() >= 2, "frames to be left out", change=spoil)
    assert scenes == []
    robot.show_until(lambda: level(diagnostics, "work") == WARN, "diagnostics to notice", change=spoil)
    robot.show_until(lambda: scenes, "scenes once the frames are right")
    assert node.is_active


def test_detections_in_an_unknown_frame(ros, robot, scenes):
    def astray(topic, message):
        if topic == "/detections":
            message.header.frame_id = "somebody_elses_camera"

    ros.launch(SceneNode)
    robot.show_until(lambda: scenes, "a scene", change=astray)
    assert any("somebody_elses_camera" in line for line in scenes[-1].rejected)
    assert len(scenes[-1].objects) == 0  # whoever looked, it was not this camera: nothing is made up
    seen = len(scenes)
    robot.show_until(lambda: len(scenes) > seen and len(scenes[-1].objects) >= 4, "objects once the frame is right")


def test_3d_detections_in_an_unknown_frame(ros, robot, scenes, frames):
    factory = RosFactory()
    box = frames[0].truth.views[0].camera_box
    publisher = ros.node.create_publisher(Detection3DArray, "detections_3d", 10)

    def in_frame(name):
        def publish(topic, message):
            if topic == "/detections":
                head = header(factory, stamp_ns(message), name)
                publisher.publish(detections_3d_message(factory, head, [Detection("extra", "thing", box3d=box)]))

        return publish

    ros.launch(SceneNode, parameters={"topics.detections_2d": "", "topics.detections_3d": "detections_3d"})

    def rejected():
        return scenes and any("1 3D detections: no transform" in line for line in scenes[-1].rejected)

    robot.show_until(rejected, "the detections to be refused", change=in_frame("no_such_frame"))

    def used():
        return any(o.label == "thing" for o in scenes[-1].objects)

    robot.show_until(used, "the detections to be used", change=in_frame("camera_color_optical_frame"))


def test_stamps_that_jump_back_begin_anew(ros, robot, scenes):
    ros.launch(SceneNode)
    robot.show_until(lambda: len(scenes) >= 2, "scenes")
    earlier = stamp_ns(scenes[-1])
    robot.stamp = 5_000_000_000  # a recording that starts over
    robot.show_until(lambda: stamp_ns(scenes[-1]) < earlier, "scenes of the new time")
    robot.show_until(lambda: scenes[-1].has_camera_pose, "poses of the new time")


def test_without_depth_nothing_metric_is_said(ros, robot, scenes):
    ros.launch(SceneNode, parameters={"topics.depth": ""})
    robot.show_until(lambda: scenes, "a scene of colour alone", leave_out=["depth"])
    assert list(scenes[-1].objects) == []
    assert any("depth" in line for line in scenes[-1].rejected)


def test_a_detector_that_falls_silent_is_not_waited_for(ros, robot, scenes):
    ros.launch(SceneNode, parameters={"sync.silence": 0.5, "sync.patience": 0.3})
    robot.show_until(lambda: scenes and len(scenes[-1].objects) >= 4, "objects that the detector named")
    last = robot.stamp
    robot.show_until(
        lambda: stamp_ns(scenes[-1]) > last + 1_000_000_000, "scenes without detections", leave_out=["/detections"]
    )
    waiting = robot.show(leave_out=["/detections"])
    wait_for(lambda: stamp_ns(scenes[-1]) == waiting, "the newest frame to be served at once")

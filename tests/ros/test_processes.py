"""The executables: what they host, how they end, what they say to wrong parameters."""

import gc
import signal
import threading
import time

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import State

from joyai_ros.action import Imagine, MoveCamera
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.motion import motion_message
from joyai_ros.msg import Scene
from joyai_ros.nodes import process as hosting
from joyai_ros.nodes import qos
from joyai_ros.nodes.spinning import Spinner
from tests.ros.harness import Process, wait_for

FACTORY = RosFactory()


def alive(ros, node):
    """Return the states that a node tells in its heartbeat."""
    beats = []
    ros.node.create_subscription(State, f"/{node}/heartbeat", lambda m: beats.append(m.label), qos.heartbeat(0.5))
    return beats


def camera_runs(ros, robot, topic="joyai/scene"):
    scenes = ros.listen(Scene, topic)
    robot.show_until(lambda: scenes, "a scene")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_in_the_middle_of_a_goal(ros, robot, number):
    with Process(ros.domain, "perception") as process:
        camera_runs(ros, robot)
        client, heard = ros.action(Imagine, "joyai/imagine"), []
        goal = Imagine.Goal(motions=[motion_message(FACTORY, CameraMotion(float(yaw))) for yaw in range(32)])
        handle = ros.send(client, goal, heard.append)
        future = handle.get_result_async()
        wait_for(lambda: heard, "the goal to be in work")
        process.signal(number)
        wait_for(future.done, "the result of the goal")
        assert future.result().status == GoalStatus.STATUS_ABORTED
        assert future.result().result.error_code == Imagine.Goal.NODE_INACTIVE
        code, output = process.end()
        assert code == 0, output
        assert "Traceback" not in output


@pytest.mark.parametrize(
    ("name", "number"),
    [("scene", signal.SIGINT), ("view", signal.SIGTERM), ("qa", signal.SIGINT)],
    ids=["scene-SIGINT", "view-SIGTERM", "qa-SIGINT"],
)
def test_a_node_runs_alone_and_a_signal_ends_it_with_zero(ros, name, number):
    beats = alive(ros, f"joyai_{name}")
    with Process(ros.domain, name) as process:
        wait_for(lambda: "active" in beats, "the node to be active")
        process.signal(number)
        code, output = process.end()
        assert code == 0, output
        assert "Traceback" not in output


def test_a_signal_before_the_node_is_up(ros):
    with Process(ros.domain, "scene") as process:
        time.sleep(0.2)  # the interpreter is still importing
        process.signal(signal.SIGTERM)
        code, _ = process.end()
        assert code in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("executable", "arguments", "said"),
    [
        ("perception", ["-p", "scene_rat:=3.0"], "unknown key 'scene_rat'"),
        ("perception", ["-p", "nodes:=[scene, ears]"], "there is no node 'ears'"),
        ("scene", ["-p", "sync.slop:=-1.0"], "sync.slop is -1.0"),
        ("scene", ["-p", "topics.detector:=yolo_msgs"], "package yolo_msgs is not in this workspace"),
    ],
)
def test_wrong_parameters_end_the_process_with_one_line(ros, executable, arguments, said):
    with Process(ros.domain, executable, *arguments) as process:
        code, output = process.end()
    assert code == 2, output
    assert said in output
    assert "Traceback" not in output


def test_one_process_hosts_the_nodes_that_it_is_told_to(ros):
    scene, view = alive(ros, "joyai_scene"), alive(ros, "joyai_view")
    with Process(ros.domain, "perception", "-p", "nodes:=[view]") as process:
        wait_for(lambda: "active" in view, "the view node to be active")
        names = ros.node.get_node_names()
        assert "joyai_view" in names
        assert "joyai_scene" not in names
        assert scene == []
        process.signal(signal.SIGINT)
        assert process.end()[0] == 0


def test_the_simulator_moves_its_camera_and_stops_when_told(ros):
    beats, codes = alive(ros, "joyai_sim"), MoveCamera.Goal
    with Process(ros.domain, "sim", "-p", "width:=160", "-p", "camera_rate:=5.0") as process:
        wait_for(lambda: "active" in beats, "the simulator to be active", 90.0)
        client, heard = ros.action(MoveCamera, "move_camera"), []
        goal = MoveCamera.Goal(motion=motion_message(FACTORY, CameraMotion(20.0, 5.0, 1.05)))
        goal.duration.sec = 1
        status, result = ros.result(ros.send(client, goal, heard.append))
        assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
        assert heard
        progress = [f.feedback.progress for f in heard]
        assert progress == sorted(progress)
        start, end = heard[0].feedback.camera_pose.pose.position, result.camera_pose.pose.position
        assert abs(start.x - end.x) + abs(start.y - end.y) + abs(start.z - end.z) > 0.05
        into_the_table = MoveCamera.Goal(motion=motion_message(FACTORY, CameraMotion(0.0, 0.0, 60.0)))
        _, result = ros.result(ros.send(client, into_the_table))
        assert result.error_code == codes.OUT_OF_REACH
        goal.duration.sec = 30
        handle = ros.send(client, goal, heard.append)
        future = handle.get_result_async()
        seen = len(heard)
        wait_for(lambda: len(heard) > seen, "the camera to be on its way")
        process.signal(signal.SIGTERM)
        wait_for(future.done, "the result of the goal")
        assert future.result().result.error_code == codes.NODE_INACTIVE
        code, output = process.end()
        assert code == 0, output
        assert "Traceback" not in output


def test_free_memory_is_returned_while_nodes_run(monkeypatch):
    stop, returned = threading.Event(), []
    monkeypatch.setattr(hosting, "_TIDY", 0.0)

    def give_back():
        returned.append(time.monotonic())
        if len(returned) == 2:
            stop.set()

    monkeypatch.setattr(hosting.heap, "give_back", give_back)
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        monkeypatch.setattr(hosting, "Spinner", lambda threads: Spinner(threads, context))
        assert hosting.Host([]).run(stop) == 0
    finally:
        rclpy.shutdown(context=context)
        gc.unfreeze()  # the host had frozen what this test process holds
    assert len(returned) == 2

"""Newest frame wins: whatever the engine costs, what is served is new, and what is not served is counted."""

import itertools
import threading
from typing import ClassVar

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from joyai_ros.messages.headers import stamp_ns
from joyai_ros.msg import Scene
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.srv import GetScene
from tests.ros.harness import status_of, wait_for


@pytest.fixture
def gate():
    """A class of engines that work on a frame only when they are let; each test has its own."""

    class Gate(SceneEngine):
        opened = threading.Semaphore(0)
        entered: ClassVar[list[int]] = []

        def process(self, observation):
            self.entered.append(observation.stamp)
            assert self.opened.acquire(timeout=60)
            return super().process(observation)

    yield Gate
    for _ in range(100):
        Gate.opened.release()


def test_the_newest_frame_is_served_and_drops_are_counted(ros, robot, gate):
    scenes = ros.listen(Scene, "joyai/scene")
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    node = ros.launch(SceneNode, make_engine=gate)
    robot.show_until(lambda: gate.entered, "the first frame to be taken")

    def newest_waits():
        waiting = node._worker._item
        return waiting is not None and waiting.stamp == robot.stamp

    # A burst would outrun the best-effort queues, so one frame by the other.
    robot.show_until(
        lambda: node.tally.counts().get("dropped.busy", 0) >= 10 and newest_waits(),
        "drops, and the last frame",
        pause=0.1,
    )
    gate.opened.release()
    wait_for(lambda: len(gate.entered) == 2, "the second frame to be taken")
    assert gate.entered[1] == robot.stamp  # not the next in line: the newest
    gate.opened.release()
    wait_for(lambda: len(scenes) == 2, "both scenes")
    assert [stamp_ns(s) for s in scenes] == gate.entered
    counts = node.tally.counts()
    left_out = sum(n for name, n in counts.items() if name.startswith("dropped."))
    assert counts["received.color"] == counts["published"] + left_out  # every frame is accounted for
    _, values = wait_for(
        lambda: (s := status_of(diagnostics, "joyai_scene: work")) and int(s[1]["published"]) == 2 and s,
        "the report",
    )
    assert int(values["dropped busy"]) == counts["dropped.busy"]


def test_a_new_sequence_begins_though_its_first_frames_are_dropped(ros, robot, gate):
    scenes = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode, make_engine=gate)
    robot.show_until(lambda: gate.entered, "the first frame to be taken")
    dropped = node.tally.counts().get("dropped.busy", 0)
    robot.stamp = 5_000_000_000  # a recording that starts over
    robot.show_until(lambda: node.tally.counts().get("dropped.busy", 0) >= dropped + 3, "drops", pause=0.1)
    for _ in range(50):
        gate.opened.release()
    robot.show_until(lambda: scenes and scenes[-1].has_camera_pose and stamp_ns(scenes[-1]) < 10e9, "the new time")
    kept = [stamp for stamp, _ in wait_for(lambda: list(node._scenes), "a scene to be kept")]
    assert kept == sorted(kept)
    assert kept[-1] < 10_000_000_000


def test_a_rate_limit_goes_by_stamps(ros, robot):
    scenes = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode, parameters={"scene_rate": 2.0})  # the robot's stamps are 0.1 s apart
    robot.show_until(lambda: len(scenes) >= 6, "six scenes")
    stamps = [stamp_ns(s) / 1e9 for s in scenes]
    assert all(b - a >= 0.39 for a, b in itertools.pairwise(stamps))
    assert node.tally.counts()["skipped.rate_limit"] >= 16


def test_services_answer_while_a_frame_is_in_work(ros, robot, gate):
    ros.launch(SceneNode, make_engine=gate)
    robot.show_until(lambda: gate.entered, "a frame to be taken")
    assert ros.call(GetScene, "joyai/get_scene").error_code == GetScene.Request.NO_SCENE_YET

"""What the suite knows of the world: topics, an action, two services. Nothing of any simulator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vision_msgs.msg import Detection3DArray

from joyai_ros.action import Imagine, MoveCamera
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.msg import Scene
from joyai_ros.nodes.action_client import ThreadedActionClient
from joyai_ros.nodes.spinning import Spinner

_KEPT = 400  # messages of one topic


class Ear(Node):
    """Listens to a simulated robot and its perception.

    Attributes:
        scenes: (age in seconds when it was heard, Scene), the latest of them.
        scenes_heard: how many there were.
        images, boxes, poses, truths: of the camera, and what is true (boxes and camera pose in the fixed frame).
    """

    def __init__(self, domain: int | None = None, image_topic: str = "camera/color/image_raw") -> None:
        self._own = rclpy.Context()
        rclpy.init(context=self._own, domain_id=domain)
        sim_time = Parameter("use_sim_time", value=True)
        super().__init__("sim_tests", context=self._own, parameter_overrides=[sim_time])
        self.scenes: list[tuple[float, Scene]] = []
        self.scenes_heard = 0
        self.images: list[Image] = []
        self.boxes: list[Detection3DArray] = []
        self.poses: list[PoseStamped] = []
        self.truths: list[String] = []
        # Reliable: what a test misses would look like what a simulator did not say.
        profile = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        self.create_subscription(Scene, "joyai/scene", self._hear_scene, profile)
        for kind, topic, heard in (
            (Image, image_topic, self.images),
            (Detection3DArray, "ground_truth/boxes", self.boxes),
            (PoseStamped, "ground_truth/camera_pose", self.poses),
            (String, "ground_truth/scene", self.truths),
        ):
            self.create_subscription(kind, topic, lambda m, heard=heard: _keep(heard, m), profile)
        self.imagine = ThreadedActionClient(self, Imagine, "joyai/imagine")
        self.move_camera = ThreadedActionClient(self, MoveCamera, "move_camera")
        self._spinner = Spinner(2, self._own)
        self._spinner.add(self)
        self._spinner.start()

    def close(self) -> None:
        """Stop listening."""
        self._spinner.stop()
        self.destroy_node()
        rclpy.shutdown(context=self._own)

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Wait until a condition holds and return its value.

        Raises:
            AssertionError: it does not within the time.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(f"waited {seconds:g} s for {what}")

    def send(self, client: ThreadedActionClient, goal: Any, feedback: Callable[[Any], None] | None = None) -> Any:
        """Send a goal and return its handle."""
        assert client.wait_for_server(60.0), "no action server"
        future = client.send_goal_async(goal, feedback_callback=feedback)
        self.wait_for(future.done, "the goal to be accepted")
        assert future.result().accepted
        return future.result()

    def result(self, handle: Any, seconds: float = 60.0) -> Any:
        """Wait for the result of a goal.

        Raises:
            AssertionError: it did not succeed.
        """
        future = handle.get_result_async()
        self.wait_for(future.done, "the result of the goal", seconds)
        status, result = future.result().status, future.result().result
        assert status == GoalStatus.STATUS_SUCCEEDED, f"code {result.error_code}: {result.error_msg}"
        return result

    def truth_of(self, stamp: int, slop: int = 20_000_000) -> tuple[Detection3DArray, PoseStamped] | None:
        """Return the true boxes and the true camera pose of a stamp, None where they are not known."""
        found = [_nearest(messages, stamp, slop) for messages in (self.boxes, self.poses)]
        return None if None in found else (found[0], found[1])  # type: ignore[return-value]

    def _hear_scene(self, message: Scene) -> None:
        age = (self.get_clock().now().nanoseconds - stamp_ns(message)) / 1e9
        _keep(self.scenes, (age, message))
        self.scenes_heard += 1


def _keep(heard: list[Any], item: Any) -> None:
    heard.append(item)
    del heard[:-_KEPT]


def _nearest(messages: list[Any], stamp: int, slop: int) -> Any:
    best = min(list(messages), key=lambda m: abs(stamp_ns(m) - stamp), default=None)
    return best if best is not None and abs(stamp_ns(best) - stamp) <= slop else None

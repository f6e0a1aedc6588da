"""The simulator node: a robot with an RGB-D camera over a table, as ROS topics, with everything that is true beside it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rosgraph_msgs.msg import Clock as ClockMessage
from tf2_msgs.msg import TFMessage

from joyai_ros.action import MoveCamera
from joyai_ros.errors import InputError, MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import default_pivot
from joyai_ros.messages import headers
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.motion import Pivot, motion_from_message
from joyai_ros.messages.poses import pose_message, stamped_transform_message
from joyai_ros.nodes import qos
from joyai_ros.nodes.camera_path import OutOfReachError, room_around
from joyai_ros.nodes.config import SimNodeConfig
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.goals import Goal, OneGoalServer
from joyai_ros.nodes.managed import ManagedNode
from joyai_ros.nodes.simulation import Simulation
from joyai_ros.sim import robot
from joyai_ros.sim.bag import robot_messages, truth_messages
from joyai_ros.sim.frames import SimFrame

_START = 1_000_000_000  # nanoseconds; zero would mean "no time yet"
_FEEDBACK_PERIOD = 0.1  # seconds


class SimNode(ManagedNode[SimNodeConfig]):
    """Draws the scene in a thread of its own and publishes each frame; moves the camera on request.

    While the node is inactive its camera is off, and time goes on.
    """

    NAME = "joyai_sim"
    CONFIG = SimNodeConfig
    LIVE = ("move_speed", "recover_after")

    def __init__(self, **options: Any) -> None:
        self._factory = RosFactory()
        self._origin = time.monotonic()
        super().__init__(**options)

    def setup(self) -> None:
        """Build the scene; publish time and transforms from here on."""
        self._camera_topics: dict[str, Any] = {}
        self._simulation = Simulation(self.config, self.sim_time, self._take, self.fail)
        supports = self._simulation.world.supports
        table = next(s for s in supports if s.owner == "table")
        self._is_free = room_around([o.box for o in self._simulation.world.objects], list(table.outline))
        self._clock_out = (
            self._plain_publisher(ClockMessage, "/clock", qos.clock()) if self.config.publish_clock else None
        )
        self._tf = self._plain_publisher(TFMessage, "/tf", qos.transforms())
        fixed = self._plain_publisher(TFMessage, "/tf_static", qos.latched())
        fixed.publish(self._transforms(robot.fixed_transforms(), self.sim_time()))
        self._goals = OneGoalServer(self, MoveCamera, "move_camera", self._move, result_timeout=30.0)
        timer = self.steady_timer(1.0 / self.config.clock_rate, self._tick)
        self.own(lambda: self.destroy_timer(timer))

    def start(self) -> None:
        """Switch the camera on."""
        self._simulation.resume()
        self._goals.start()

    def stop(self) -> None:
        """Switch the camera off."""
        if hasattr(self, "_goals"):
            self._goals.stop()
        if hasattr(self, "_simulation"):
            self._simulation.pause()

    def teardown(self) -> None:
        """End the drawing, before the publishers that it uses are destroyed."""
        if hasattr(self, "_simulation"):
            self._simulation.close()

    def abort_goals(self) -> bool:
        """Abort the motion in work."""
        return hasattr(self, "_goals") and self._goals.stop()

    def sim_time(self) -> int:
        """Return the time of the simulated world in nanoseconds; that of the others where they make it."""
        if not self.config.publish_clock:
            return int(self.get_clock().now().nanoseconds)
        return _START + int((time.monotonic() - self._origin) * self.config.real_time_factor * 1e9)

    def reports(self) -> list[Report]:
        """Report on the camera."""
        rate = self.tally.since_last().get("frames", 0) / self.config.diagnostics_period
        slow = rate < 0.8 * self.config.camera_rate * self.config.real_time_factor
        text = f"draws {rate:.1f} of {self.config.camera_rate:g} frames per second"
        return [Report("camera", "warning" if slow else "ok", text, {"rate (Hz)": rate})]

    # Publishing ----------------------------------------------------------------------------------

    def _plain_publisher(self, kind: type[Any], topic: str, profile: Any) -> Any:
        """Return a publisher that also speaks while the node is inactive: time and place go on."""
        made = self.create_publisher(kind, topic, profile, qos_overriding_options=qos.overridable())
        self.own(lambda: self.destroy_publisher(made))
        return made

    def _tick(self) -> None:
        now = self.sim_time()
        if self._clock_out is not None:
            self._clock_out.publish(ClockMessage(clock=headers.time_message(self._factory, now)))
        self._tf.publish(self._transforms(robot.moving_transforms(self._simulation.path.pose(now / 1e9)), now))

    def _transforms(self, frames: list[tuple[str, str, Mat4]], stamp: int) -> TFMessage:
        return TFMessage(
            transforms=[
                stamped_transform_message(self._factory, headers.header(self._factory, stamp, parent), child, pose)
                for parent, child, pose in frames
            ]
        )

    def _take(self, frame: SimFrame) -> None:
        """Publish a frame (called by the simulation)."""
        if not self.is_active:
            return
        messages = robot_messages(frame, self._factory)
        if self.config.ground_truth:
            messages += truth_messages(frame, self._factory)
        for topic, _, message in messages:
            self._publisher_of(topic, type(message)).publish(message)
        self.tally.add("frames")

    def _publisher_of(self, topic: str, kind: type[Any]) -> Any:
        if topic == "/tf":
            return self._tf
        if topic not in self._camera_topics:
            # Names in bags are absolute; live they are relative, so that many robots fit into one network.
            self._camera_topics[topic] = self._plain_publisher(kind, topic.lstrip("/"), qos.camera())
        return self._camera_topics[topic]

    # Moving the camera ---------------------------------------------------------------------------

    def _move(self, goal: Goal, result: MoveCamera.Result) -> tuple[int, str]:
        """Move the camera and report on the way; return error code and message."""
        codes, path = MoveCamera.Goal, self._simulation.path
        seconds = headers.nanoseconds(goal.request.duration) / 1e9
        try:
            if seconds < 0:
                raise MotionError(f"duration {seconds} s is negative; give 0 for the default speed")
            motion, pivot = motion_from_message(goal.request.motion)
            center = self._pivot_in_map(pivot)
            path.begin(motion, center, self._seconds(), seconds or None, self.config.move_speed, self._is_free)
        except OutOfReachError as error:
            return codes.OUT_OF_REACH, str(error)
        except InputError as error:
            return codes.INVALID_MOTION, str(error)
        try:
            while (progress := path.progress(self._seconds())) < 1.0:
                goal.feedback(MoveCamera.Feedback(progress=float(progress), camera_pose=self._camera_pose()))
                goal.wait(_FEEDBACK_PERIOD)
        finally:
            path.halt(self._seconds())
            result.camera_pose = self._camera_pose()
        return codes.NONE, ""

    def _seconds(self) -> float:
        return self.sim_time() / 1e9

    def _camera_pose(self) -> Any:
        now = self.sim_time()
        pose = pose_message(self._factory, self._simulation.path.pose(now / 1e9))
        return self._factory("geometry_msgs/msg/PoseStamped")(
            header=headers.header(self._factory, now, robot.MAP), pose=pose
        )

    def _pivot_in_map(self, pivot: Pivot) -> Vec3:
        """Return the (3,) pivot in the map.

        Raises:
            MotionError: there is no such object or frame.
        """
        map_from_camera = self._simulation.path.pose(self._seconds())
        if pivot.object_id:
            objects = {o.id: o for o in self._simulation.world.objects}
            if pivot.object_id not in objects:
                raise MotionError(f"there is no object {pivot.object_id!r}; there are {', '.join(objects)}")
            return np.asarray(objects[pivot.object_id].box.center)
        if pivot.point is None:
            seen = self._simulation.latest
            if seen is None:
                return rigid.apply(map_from_camera, np.array([0.0, 0.0, 1.0]))
            return rigid.apply(seen.truth.world_from_camera, default_pivot(seen.truth.camera, seen.truth.depth))
        frames = _map_from(map_from_camera)
        frame = pivot.frame_id.lstrip("/") or robot.COLOR_OPTICAL
        if frame not in frames:
            raise MotionError(f"pivot_point is in frame {frame!r}; give one of {', '.join(frames)}")
        return rigid.apply(frames[frame], pivot.point)


def _map_from(map_from_camera: Mat4) -> dict[str, Mat4]:
    """Return map_from_frame (4, 4) of every frame of the robot."""
    frames: dict[str, Mat4] = {robot.MAP: np.eye(4)}
    transforms = robot.fixed_transforms() + robot.moving_transforms(map_from_camera)
    edges = {child: (parent, pose) for parent, child, pose in transforms}
    while len(frames) <= len(edges):
        for child, (parent, pose) in edges.items():
            if parent in frames:
                frames[child] = frames[parent] @ pose
    return frames

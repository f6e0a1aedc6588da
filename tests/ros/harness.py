"""What the tests of the nodes stand on: a domain, a robot that publishes what it is told to, and ears."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from tf2_msgs.msg import TFMessage

from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.poses import stamped_transform_message, tf_message
from joyai_ros.nodes.action_client import ThreadedActionClient
from joyai_ros.nodes.spinning import Spinner
from joyai_ros.sim import robot as frames_of_robot
from joyai_ros.sim.bag import robot_messages

PATIENCE = 30.0  # seconds; a test machine may be busy, and only a failing test waits for so long


def wait_for(condition, what, patience=PATIENCE):
    """Wait until a condition holds and return its value."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {patience:g} s for {what}")


class Ros:
    """One domain: a context, an executor in a thread, and the nodes of a test."""

    def __init__(self, domain):
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.spinner = Spinner(6, self.context)
        self.nodes = []
        self.node = self.add(Node("test", context=self.context))
        self.spinner.start()

    def add(self, node):
        self.nodes.append(node)
        self.spinner.add(node)
        return node

    def remove(self, node):
        """Destroy a node while the others go on."""
        self.nodes.remove(node)
        self.spinner.remove(node)
        node.destroy_node()

    def launch(self, kind, **options):
        """Make one of our nodes and wait until it is active; parameters are given by their dotted names."""
        node = self.make(kind, **options)
        wait_for(lambda: node.is_active, f"{node.get_name()} to become active")
        return node

    def make(self, kind, parameters=None, **options):
        given = {"heartbeat_rate": 20.0, "diagnostics_period": 0.1, **(parameters or {})}
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        return self.add(kind(context=self.context, parameter_overrides=overrides, **options))

    def listen(self, kind, topic, reliability=ReliabilityPolicy.RELIABLE, depth=200):
        """Return a list that fills with what is published, and wait until somebody publishes there."""
        heard = []
        self.node.create_subscription(kind, topic, heard.append, QoSProfile(depth=depth, reliability=reliability))
        return heard

    def call(self, kind, name, **fields):
        """Call a service and return its response."""
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(PATIENCE), name
        future = client.call_async(kind.Request(**fields))
        wait_for(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def action(self, kind, name):
        return ThreadedActionClient(self.node, kind, name)

    def send(self, client, goal, feedback=None):
        """Send a goal and return its handle; it is accepted."""
        assert client.wait_for_server(PATIENCE)
        future = client.send_goal_async(goal, feedback_callback=feedback)
        wait_for(future.done, "the goal to be accepted")
        assert future.result().accepted
        return future.result()

    def result(self, handle, patience=PATIENCE):
        """Wait for the result of a goal and return status and result."""
        future = handle.get_result_async()
        wait_for(future.done, "the result of the goal", patience)
        return future.result().status, future.result().result

    def close(self):
        for node in self.nodes[1:]:
            if hasattr(node, "abort_goals"):
                node.abort_goals()
        self.spinner.stop()
        for node in reversed(self.nodes):
            if hasattr(node, "close"):
                node.close()
            node.destroy_node()
        rclpy.shutdown(context=self.context)


class Robot:
    """Publishes frames of a simulated camera, with stamps that go on from frame to frame.

    Attributes:
        stamp: nanoseconds, of the frame that was published last.
    """

    def __init__(self, ros, frames, namespace="", period=0.1, tf_topic="/tf", transforms=True):
        self.ros = ros
        self.frames = frames
        self.period = round(period * 1e9)
        self.stamp = 10_000_000_000
        self.count = 0
        self.transforms = transforms
        self._factory = RosFactory()
        self._namespace = namespace
        self._tf_topic = tf_topic
        self._publishers = {}
        if transforms:
            self._publish_fixed()

    def _publish_fixed(self):
        factory = self._factory
        fixed = [
            stamped_transform_message(factory, header(factory, self.stamp, parent), child, pose)
            for parent, child, pose in frames_of_robot.fixed_transforms()
        ]
        profile = QoSProfile(depth=1, durability=rclpy.qos.DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = self.ros.node.create_publisher(TFMessage, f"{self._tf_topic}_static", profile)
        self._static.publish(tf_message(factory, fixed))

    def messages(self, stamp=None):
        """Return (topic, message) of the next frame."""
        frame = self.frames[self.count % len(self.frames)]
        self.stamp = self.stamp + self.period if stamp is None else stamp
        self.count += 1
        moved = replace(frame, observation=replace(frame.observation, stamp=self.stamp))
        messages = [(topic, message) for topic, _, message in robot_messages(moved, self._factory)]
        return messages if self.transforms else [(t, m) for t, m in messages if t != "/tf"]

    def publish(self, topic, message):
        name = self._tf_topic if topic == "/tf" else f"{self._namespace}{topic}"
        if name not in self._publishers:
            self._publishers[name] = self.ros.node.create_publisher(type(message), name, 10)
        self._publishers[name].publish(message)

    def show(self, change=None, leave_out=(), stamp=None):
        """Publish a frame and return its stamp.

        ``change`` gets topic and message and may change the message; topics of which ``leave_out`` names a part are left
        out.
        """
        for topic, message in self.messages(stamp):
            if any(part in topic for part in leave_out):
                continue
            if change is not None:
                change(topic, message)
            self.publish(topic, message)
        return self.stamp

    def show_until(self, condition, what, patience=PATIENCE, pause=0.05, **how):
        """Publish frames until a condition holds, and return its value."""

        def look():
            value = condition()
            if not value:
                self.show(**how)
                time.sleep(pause)
            return value

        return wait_for(look, what, patience)


def with_stamp(messages, stamp):
    """Return the first of messages that has a stamp; None where there is none."""
    return next((m for m in list(messages) if stamp_ns(m) == stamp), None)


def status_of(heard, name):
    """Return the newest diagnostic status whose name ends so, with its values as a dictionary."""
    for array in reversed(list(heard)):
        for status in array.status:
            if status.name.endswith(name):
                return status, {v.key: v.value for v in status.values}
    return None


def environment(domain):
    """Return the environment of a process that runs our executables in a domain, with this interpreter."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "ROS_DOMAIN_ID": str(domain), "PATH": path, "PYTHONUNBUFFERED": "1"}


def executable(name):
    """Return the path of one of our installed executables; a merged install has no folder per package."""
    install = Path(os.environ["JOYAI_ROS_INSTALL"])
    places = [install / "joyai_ros" / "lib" / "joyai_ros" / name, install / "lib" / "joyai_ros" / name]
    return next(place for place in places if place.exists())


class Process:
    """One of our executables, or a script, with ROS arguments; ended at the end of the ``with``."""

    def __init__(self, domain, program, *arguments):
        command = [sys.executable, str(program)] if isinstance(program, Path) else [str(executable(program))]
        self._process = subprocess.Popen(
            [*command, "--ros-args", *arguments],
            env=environment(domain),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def end(self, timeout=PATIENCE):
        """Wait for the end and return exit code and output."""
        output, _ = self._process.communicate(timeout=timeout)
        return self._process.returncode, output

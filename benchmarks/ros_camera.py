"""A camera driver for measurements: pre-rendered frames of the simulator at a steady rate, stamped when they are sent.

    python -m benchmarks.ros_camera --rate 10 --frames 600

Its own process, so that drawing costs nothing while something is measured. What belongs to a frame is sent before its
colour image, so that a node that only passes the image through starts when everybody can start.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage

from joyai_ros.messages.factory import Message, RosFactory
from joyai_ros.messages.headers import header
from joyai_ros.messages.poses import stamped_transform_message, tf_message
from joyai_ros.nodes import qos
from joyai_ros.sim import robot
from joyai_ros.sim.bag import COLOR, robot_messages
from joyai_ros.sim.frames import SimFrame, SimSettings, simulate

_DRAWN = 12  # frames that are sent over and over, there and back


def main() -> None:
    """Send frames until the count or an interrupt."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=10.0, help="frames per second")
    parser.add_argument("--frames", type=int, default=0, help="how many; 0: until interrupted")
    parser.add_argument("--seed", type=int, default=3, help="scene of tabletop-v1")
    arguments = parser.parse_args()
    drawn = list(simulate(arguments.seed, _DRAWN, SimSettings(whole="none")))
    drawn += drawn[-2:0:-1]
    rclpy.init()
    camera = _Camera()
    period, due, sent = 1.0 / arguments.rate, time.monotonic(), 0
    try:
        while rclpy.ok() and (arguments.frames == 0 or sent < arguments.frames):
            camera.send(drawn[sent % len(drawn)])
            sent += 1
            due += period
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        return


class _Camera(Node):  # type: ignore[misc]  # rclpy has no types
    """Sends frames."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._factory = RosFactory()
        self._senders: dict[str, Message] = {}
        fixed = self.create_publisher(TFMessage, "/tf_static", qos.latched())
        stamp = self.get_clock().now().nanoseconds
        fixed.publish(
            tf_message(
                self._factory,
                [
                    stamped_transform_message(self._factory, header(self._factory, stamp, parent), child, pose)
                    for parent, child, pose in robot.fixed_transforms()
                ],
            )
        )

    def send(self, frame: SimFrame) -> None:
        """Send a frame, stamped now."""
        now = self.get_clock().now().nanoseconds
        stamped = replace(frame, observation=replace(frame.observation, stamp=now))
        messages = robot_messages(stamped, self._factory)
        for topic, _, message in sorted(messages, key=lambda item: item[0] == COLOR):
            if topic not in self._senders:
                profile = QoSProfile(depth=100) if topic == "/tf" else qos.camera()
                self._senders[topic] = self.create_publisher(type(message), topic, profile)
            self._senders[topic].publish(message)


if __name__ == "__main__":
    main()

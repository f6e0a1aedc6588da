"""A node that only passes the colour image through: what the middleware and rclpy themselves cost."""

from __future__ import annotations

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image

from joyai_ros.nodes import qos


def main() -> None:
    """Pass images through until interrupted."""
    rclpy.init()
    node = Node("passthrough")
    publisher = node.create_publisher(Image, "passed/image", qos.result())
    node.create_subscription(Image, "camera/color/image_raw", publisher.publish, qos.sensor())
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Says what is true of the table of ``tabletop.yaml``: boxes, camera pose, and the transform of the camera.

Nothing moves there, so it is said again and again with the time of the simulation, for every image that asks.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from tf2_ros import StaticTransformBroadcaster
from vision_msgs.msg import Detection3DArray

from joyai_ros.messages.detections import detections_3d_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.poses import pose_message, stamped_transform_message
from joyai_ros.scene.observation import Detection
from sim_tests.tabletop import load

WORLD, OPTICAL = "map", "camera_optical_frame"


class Truth(Node):
    """Publishes what is true at the stamp of each camera_info."""

    def __init__(self) -> None:
        super().__init__("truth")
        self._factory = RosFactory()
        self._tabletop = load()
        self._boxes = self.create_publisher(Detection3DArray, "ground_truth/boxes", 50)
        self._pose = self.create_publisher(PoseStamped, "ground_truth/camera_pose", 50)
        self._broadcaster = StaticTransformBroadcaster(self)
        pose = self._tabletop.world_from_optical
        head = header(self._factory, 0, WORLD)
        self._broadcaster.sendTransform(stamped_transform_message(self._factory, head, OPTICAL, pose))
        topic = str(self.declare_parameter("camera_info", "rgbd_camera/camera_info").value)
        self.create_subscription(CameraInfo, topic, self._say, 10)

    def _say(self, info: CameraInfo) -> None:
        head = header(self._factory, stamp_ns(info), WORLD)
        boxes = [Detection(o.id, o.label, box3d=o.box) for o in self._tabletop.objects]
        self._boxes.publish(detections_3d_message(self._factory, head, boxes))
        pose = pose_message(self._factory, self._tabletop.world_from_optical)
        self._pose.publish(PoseStamped(header=head, pose=pose))


def main() -> None:
    """Run until interrupted."""
    rclpy.init()
    try:
        rclpy.spin(Truth())
    except (KeyboardInterrupt, ExternalShutdownException):
        return


if __name__ == "__main__":
    main()

"""Field definitions of vision_msgs 4, which rosbags does not ship.

Names, types and order follow the package as released for ROS 2 Humble and later; the tests compare their type hashes
with those of an installed vision_msgs.
"""

from __future__ import annotations

DEFINITIONS: dict[str, str] = {
    "vision_msgs/msg/Point2D": """\
float64 x   # pixels
float64 y   # pixels
""",
    "vision_msgs/msg/Pose2D": """\
vision_msgs/Point2D position    # pixels
float64 theta                   # radians
""",
    "vision_msgs/msg/BoundingBox2D": """\
vision_msgs/Pose2D center   # centre of the box
float64 size_x              # pixels
float64 size_y              # pixels
""",
    "vision_msgs/msg/BoundingBox3D": """\
geometry_msgs/Pose center       # centre and axes of the box, metres
geometry_msgs/Vector3 size      # full extents along its axes, metres
""",
    "vision_msgs/msg/ObjectHypothesis": """\
string class_id     # class name or number
float64 score       # 0 to 1
""",
    "vision_msgs/msg/ObjectHypothesisWithPose": """\
vision_msgs/ObjectHypothesis hypothesis
geometry_msgs/PoseWithCovariance pose   # of the object, metres
""",
    "vision_msgs/msg/Detection2D": """\
std_msgs/Header header
vision_msgs/ObjectHypothesisWithPose[] results
vision_msgs/BoundingBox2D bbox  # pixels
string id                       # same object, same id
""",
    "vision_msgs/msg/Detection2DArray": """\
std_msgs/Header header
vision_msgs/Detection2D[] detections
""",
    "vision_msgs/msg/Detection3D": """\
std_msgs/Header header
vision_msgs/ObjectHypothesisWithPose[] results
vision_msgs/BoundingBox3D bbox  # metres
string id                       # same object, same id
""",
    "vision_msgs/msg/Detection3DArray": """\
std_msgs/Header header
vision_msgs/Detection3D[] detections
""",
}

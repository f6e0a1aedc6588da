"""Both libraries whose messages the conversions make: rosbags always, ROS 2's generated classes where they are built."""

import os
import sys
from pathlib import Path

import pytest

import joyai_ros
from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.messages.factory import RosFactory


def _ros_packages():
    """Find the Python packages of an installed ROS 2 and of this package built for it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    prefixes += sorted(Path("/opt/ros").glob("*"), reverse=True)
    return [site for prefix in prefixes if (site := prefix / "lib" / version / "site-packages").is_dir()]


@pytest.fixture(scope="session")
def ros_factory():
    """Make messages of ROS 2's own classes; they are plain Python until they are published."""
    for site in _ros_packages():
        if str(site) not in sys.path:
            sys.path.append(str(site))
        if (site / "joyai_ros" / "msg").is_dir():
            joyai_ros.__path__.append(str(site / "joyai_ros"))
    factory = RosFactory()
    try:
        factory("sensor_msgs/msg/Image"), factory("vision_msgs/msg/Detection3D")
        factory("joyai_ros/msg/Scene")
    except ImportError as error:
        pytest.skip(f"no ROS 2 with this package built for Python {sys.version.split()[0]} is sourced ({error})")
    return factory


@pytest.fixture(params=["rosbags", "ros"])
def factory(request):
    """Each library in turn."""
    return RosbagsFactory() if request.param == "rosbags" else request.getfixturevalue("ros_factory")


@pytest.fixture
def head(factory):
    """A header."""
    from joyai_ros.messages.headers import header

    return header(factory, 1_234_567_890_123_456_789, "camera_color_optical_frame")


@pytest.fixture(scope="session")
def ros_site():
    """Make the Python packages of an installed ROS 2 importable, where there is one."""
    for site in _ros_packages():
        if str(site) not in sys.path:
            sys.path.append(str(site))

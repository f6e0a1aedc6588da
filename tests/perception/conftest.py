"""Messages of rosbags' classes; tests/messages proves that ROS 2's are made the same."""

import pytest

from joyai_ros.bags.typestore import RosbagsFactory


@pytest.fixture
def factory():
    return RosbagsFactory()

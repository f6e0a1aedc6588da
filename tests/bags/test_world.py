import itertools

import pytest

from joyai_ros.bags.config import TransformConfig
from joyai_ros.bags.transforms import TransformBuffer
from joyai_ros.bags.world import World, find_world
from tests.bags.test_transforms import sent


def tree(*frames, moving=()):
    """Return a buffer with a chain of frames from the root down."""
    buffer = TransformBuffer()
    for parent, child in itertools.pairwise(frames):
        buffer.add(sent(parent, child, 0), static=child not in moving)
    return buffer


@pytest.mark.parametrize(
    ("frames", "moving", "world"),
    [
        (("map", "odom", "base_link", "camera"), ("odom", "base_link"), World("map", "map")),
        (("odom", "base_link", "camera"), ("base_link",), World("odom", "odom")),
        (("robot1/odom", "robot1/base_link", "camera"), ("robot1/base_link",), World("robot1/odom", "robot1/odom")),
        (("earth", "map", "base_link", "camera"), ("base_link",), World("map", "map")),
        (("earth", "base_link", "camera"), ("base_link",), World("", "base_link")),
        (("base_link", "camera"), (), World("", "base_link")),
        (("base_footprint", "base_link", "camera"), (), World("", "base_footprint")),
        (("base_link", "arm", "camera"), ("arm",), World("base_link", "base_link")),
        (("world", "camera"), (), World("world", "world")),
        (("reconstruction", "camera"), ("camera",), World("reconstruction", "")),
        (("camera_link", "camera"), (), World("", "")),
        (("camera",), (), World("", "")),
    ],
)
def test_world_and_up_by_rep_105(frames, moving, world):
    assert find_world(tree(*frames, moving=moving), "camera", TransformConfig()) == world


def test_the_settings_come_first():
    config = TransformConfig(world_frame="lab", up_frame="table")
    assert find_world(tree("map", "camera"), "camera", config) == World("lab", "table")


def test_a_world_is_level_where_its_own_axis_is_up():
    assert World("map", "map").is_level
    assert not World("reconstruction", "").is_level
    assert not World("lab", "map").is_level
    assert not World().is_level

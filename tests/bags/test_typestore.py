"""Messages of rosbags' classes get the defaults that ROS gives them."""

import numpy as np
import pytest

from joyai_ros.bags.typestore import RosbagsFactory, definition, own_definitions, typestore

FACTORY = RosbagsFactory()


@pytest.mark.parametrize("name", sorted(typestore().fielddefs))
def test_every_type_can_be_made_without_fields_and_written(name):
    message = FACTORY(name)()
    data = typestore().serialize_cdr(message, name)
    found = typestore().deserialize_cdr(data, name)
    assert type(found) is type(message)


@pytest.mark.parametrize("name", sorted(own_definitions()))
def test_our_definitions_stand_in_bags_as_they_were_written(name):
    text = definition(name)
    assert text.startswith(own_definitions()[name])
    assert "MSG: std_msgs/Header" in text or "Header" not in text


def test_fields_that_are_given_win():
    message = FACTORY("joyai_ros/msg/CameraMotion")(zoom=2.0, pivot_object="mug")
    assert (message.zoom, message.pivot_object, message.yaw_deg) == (2.0, "mug", 0.0)


def test_messages_share_nothing():
    first, second = (FACTORY("sensor_msgs/msg/CameraInfo")() for _ in range(2))
    first.k[0] = 5.0
    first.header.frame_id = "changed"
    assert second.k[0] == 0.0
    assert second.header.frame_id == ""


def test_arrays_have_the_size_of_their_field():
    message = FACTORY("sensor_msgs/msg/CameraInfo")()
    assert message.k.shape == (9,)
    assert message.p.dtype == np.float64
    assert len(message.d) == 0

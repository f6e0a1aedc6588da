"""Detector adapters, on messages as yolo_ros publishes them."""

from types import SimpleNamespace as Message

import numpy as np
import pytest

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.errors import ConfigError
from joyai_ros.messages.detections import detections_from_2d
from joyai_ros.messages.headers import header
from joyai_ros.nodes.config import Detector
from joyai_ros.nodes.detectors import adapt, message_type

FACTORY = RosbagsFactory()


def yolo(name, x, y, width, height, *, track="", outline=(), size=(48, 64)):
    point = lambda px, py: Message(x=px, y=py)  # noqa: E731
    return Message(
        class_id=3,
        class_name=name,
        score=0.75,
        id=track,
        bbox=Message(center=Message(position=point(x, y), theta=0.0), size=Message(x=width, y=height)),
        mask=Message(height=size[0], width=size[1], data=[point(px, py) for px, py in outline]),
    )


def test_boxes_names_scores_and_tracks_of_yolo():
    head = header(FACTORY, 5, "camera")
    message = Message(
        header=head, detections=[yolo("cup", 30.0, 20.0, 10.0, 8.0, track="7"), yolo("cup", 10.0, 10.0, 4.0, 4.0)]
    )
    detected = adapt(FACTORY, Detector.YOLO_MSGS, message)
    assert detected.message.header is head
    first, second = detections_from_2d(detected.message).detections
    assert (first.id, first.label, first.score, first.box) == ("cup_7", "cup", 0.75, (25.0, 16.0, 35.0, 24.0))
    assert second.id == "cup_1"
    assert detected.masks == {}


def test_outlines_of_yolo_become_masks():
    outline = [(10, 5), (20, 5), (20, 15), (10, 15)]
    message = Message(
        header=header(FACTORY, 5, "c"), detections=[yolo("cup", 15.0, 10.0, 10.0, 10.0, track="1", outline=outline)]
    )
    mask = adapt(FACTORY, Detector.YOLO_MSGS, message).masks["cup_1"]
    assert mask.shape == (48, 64)
    assert mask.sum() == 11 * 11
    assert np.argwhere(mask).min(axis=0).tolist() == [5, 10]


def test_a_class_without_a_name_goes_by_its_number():
    item = yolo("", 15.0, 10.0, 10.0, 10.0)
    detected = adapt(FACTORY, Detector.YOLO_MSGS, Message(header=header(FACTORY, 5, "c"), detections=[item]))
    assert detections_from_2d(detected.message).detections[0].label == "3"


def test_vision_msgs_pass_as_they_are():
    message = FACTORY("vision_msgs/msg/Detection2DArray")(header=header(FACTORY, 5, "c"), detections=[])
    assert adapt(FACTORY, Detector.VISION_MSGS, message).message is message


def test_a_detector_whose_package_is_missing_is_named():
    with pytest.raises(ConfigError, match="the package yolo_msgs is not in this workspace"):
        message_type(Detector.YOLO_MSGS)

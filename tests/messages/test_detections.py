import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.messages.detections import (
    DetectionBatch,
    detections_2d_message,
    detections_3d_message,
    detections_from_2d,
    detections_from_3d,
    merged_batches,
    objects_message,
)
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.types import Scene, SceneObject
from tests.messages import strategies
from tests.messages.same import assert_same

ROSBAGS = RosbagsFactory()
HEAD = ROSBAGS("std_msgs/msg/Header")(frame_id="f")
BOX = OrientedBox(np.array([0.1, 0.2, 1.0]), np.eye(3), np.array([0.3, 0.2, 0.1]))


@st.composite
def detections(draw, box2d=True, box3d=True):
    names = draw(st.lists(strategies.NAME, max_size=4, unique=True))
    return tuple(
        Detection(
            name,
            draw(strategies.TEXT),
            draw(strategies.boxes2d()) if box2d else None,
            draw(st.floats(0, 1)),
            box3d=draw(strategies.boxes3d()) if box3d else None,
        )
        for name in names
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(detections(box3d=False), detections(box2d=False))
def test_round_trips(factory, flat, solid):
    head = factory("std_msgs/msg/Header")(frame_id="f")
    assert_same(DetectionBatch(flat), detections_from_2d(detections_2d_message(factory, head, flat)))
    assert_same(DetectionBatch(solid), detections_from_3d(detections_3d_message(factory, head, solid)))


def item(label="", score=1.0, name="", results=1, size=(4.0, 4.0)):
    hypothesis = ROSBAGS("vision_msgs/msg/ObjectHypothesis")(class_id=label, score=score)
    box = ROSBAGS("vision_msgs/msg/BoundingBox2D")(size_x=size[0], size_y=size[1])
    result = ROSBAGS("vision_msgs/msg/ObjectHypothesisWithPose")(hypothesis=hypothesis)
    return ROSBAGS("vision_msgs/msg/Detection2D")(results=[result] * results, bbox=box, id=name)


def array(*items):
    return ROSBAGS("vision_msgs/msg/Detection2DArray")(header=HEAD, detections=list(items))


def test_the_likeliest_hypothesis_names_the_object():
    both = item("cup", 0.3)
    both.results += item("mug", 0.6).results
    (found,) = detections_from_2d(array(both)).detections
    assert (found.label, found.score) == ("mug", 0.6)


def test_a_detection_without_hypotheses_has_no_name():
    (found,) = detections_from_2d(array(item(results=0))).detections
    assert (found.id, found.label, found.score) == ("object_0", "", 1.0)


def test_ids_are_unique_whatever_the_detector_sends():
    sent = array(item("mug"), item("mug"), item(name="mug_1"), item(name="7"), item(name="7"), item(name="7_2"))
    ids = [d.id for d in detections_from_2d(sent).detections]
    assert len(set(ids)) == 6
    assert ids[0] == "mug_0"
    assert {"7", "7_2"} <= set(ids)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["", "a", "a_2", "a_2_2", "a_3"]), max_size=7))
def test_ids_are_unique_always(names):
    ids = [d.id for d in detections_from_2d(array(*(item(name=name) for name in names))).detections]
    assert len(set(ids)) == len(names)


def test_boxes_that_are_none_pass_on_to_where_they_are_refused():
    (inverted,) = detections_from_2d(array(item(size=(-3.0, 4.0)))).detections
    assert inverted.box[0] > inverted.box[2]
    (lost,) = detections_from_2d(array(item(size=(math.nan, 4.0)))).detections
    assert math.isnan(lost.box[0])


@pytest.mark.parametrize(("size", "words"), [((-1.0, 1, 1), "negative size"), ((math.nan, 1, 1), "NaN")])
def test_3d_boxes_that_are_none_are_rejected_one_by_one(size, words):
    message = detections_3d_message(ROSBAGS, HEAD, [Detection("bad", box3d=BOX), Detection("good", box3d=BOX)])
    bad = message.detections[0].bbox
    bad.size.x, bad.size.y, bad.size.z = size
    batch = detections_from_3d(message)
    assert [d.id for d in batch.detections] == ["good"]
    assert batch.rejected[0].startswith("bad: ")
    assert words in batch.rejected[0]


def test_3d_boxes_move_into_the_camera_frame():
    camera_from_base = rigid.make_transform(rigid.axis_angle(np.array([0, 0, 1.0]), math.pi / 2), np.array([1.0, 2, 3]))
    message = detections_3d_message(ROSBAGS, HEAD, [Detection("a", box3d=BOX)])
    (found,) = detections_from_3d(message, camera_from_base).detections
    np.testing.assert_allclose(found.box3d.center, [1 - 0.2, 2 + 0.1, 4.0], atol=1e-12)


def test_flat_and_solid_detections_of_one_object_are_one():
    flat = DetectionBatch((Detection("a", "mug", (0, 0, 1, 1)), Detection("b", "bowl", (0, 0, 2, 2))), ("x: flat",))
    solid = DetectionBatch((Detection("a", "mug", box3d=BOX), Detection("b", "box", box3d=BOX)), ("y: solid",))
    merged = merged_batches(flat, solid)
    assert [(d.id, d.label, d.box is None, d.box3d is None) for d in merged.detections] == [
        ("a", "mug", False, False),
        ("b", "bowl", False, True),
        ("b_2", "box", True, False),
    ]
    assert merged.rejected == ("x: flat", "y: solid")


def test_objects_carry_the_uncertainty_of_their_centre(factory, head):
    thing = SceneObject("a", "mug", BOX, score=0.5, center_sigma=np.array([0.01, 0.02, 0.03]))
    (found,) = objects_message(factory, head, Scene(1, "f", (thing,))).detections
    assert found.id == "a"
    assert found.results[0].hypothesis.class_id == "mug"
    covariance = np.reshape(found.results[0].pose.covariance, (6, 6))
    np.testing.assert_allclose(np.diag(covariance), [1e-4, 4e-4, 9e-4, 0, 0, 0])
    assert found.bbox.center.position.z == found.results[0].pose.pose.position.z == 1.0

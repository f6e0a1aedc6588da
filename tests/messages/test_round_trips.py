"""What goes into a message comes out of it, for every type, with both libraries' classes."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joyai_ros.bags.typestore import RosbagsFactory, typestore
from joyai_ros.errors import BoxError, EncodingError, MotionError, PoseError
from joyai_ros.messages import headers, poses
from joyai_ros.messages.answer import answer_from_message, answer_message
from joyai_ros.messages.boxes import box2d_from_message, box2d_message, box3d_from_message, box3d_message
from joyai_ros.messages.motion import Pivot, motion_from_message, motion_message
from joyai_ros.messages.relations import (
    RelationMessages,
    relation_from_message,
    relation_message,
    relations_message,
)
from joyai_ros.messages.scene import object_from_message, object_message, scene_from_message, scene_message
from joyai_ros.messages.views import view_from_message, view_message, view_transform_message
from tests.messages import strategies
from tests.messages.same import assert_same

ROSBAGS = RosbagsFactory()
often = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def sent(factory, message, msgtype):
    """Return the message after a way over the wire, where the library does that without a middleware."""
    if not isinstance(factory, RosbagsFactory):
        return message
    return typestore().deserialize_cdr(bytes(typestore().serialize_cdr(message, msgtype)), msgtype)


@often
@given(strategies.STAMP)
def test_stamps(factory, stamp):
    assert headers.stamp_ns(factory("sensor_msgs/msg/Image")(header=headers.header(factory, stamp, "f"))) == stamp


@often
@given(st.integers(-(10**15), 10**15))
def test_durations_may_be_negative(factory, ns):
    message = headers.duration_message(factory, ns / 1e9)
    assert headers.nanoseconds(message) == pytest.approx(ns, abs=1000)
    assert 0 <= message.nanosec < 10**9


@often
@given(strategies.transforms())
def test_poses_and_transforms(factory, transform):
    assert_same(transform, poses.pose_from_message(poses.pose_message(factory, transform)))
    assert_same(transform, poses.transform_from_message(poses.transform_message(factory, transform)))


@often
@given(strategies.boxes2d(), strategies.boxes3d())
def test_boxes(factory, flat, solid):
    assert_same(flat, box2d_from_message(box2d_message(factory, flat)))
    assert_same(solid, box3d_from_message(box3d_message(factory, solid)))


@often
@given(strategies.relations())
def test_relations(factory, relation):
    message = sent(factory, relation_message(factory, relation), "joyai_ros/msg/SpatialRelation")
    assert_same(relation, relation_from_message(message))


@often
@given(strategies.scenes())
def test_scenes(factory, scene):
    found = scene_from_message(sent(factory, scene_message(factory, scene), "joyai_ros/msg/Scene"))
    # A plane's sigma and points are not in the message, and an outline of a plane is float32 there.
    assert_same(scene, found, tolerance=1e-6)


@often
@given(strategies.answers())
def test_answers(factory, answer):
    assert_same(answer, answer_from_message(sent(factory, answer_message(factory, answer), "joyai_ros/msg/Answer")))


@often
@given(strategies.views())
def test_views(factory, view):
    message = sent(factory, view_message(factory, view), "joyai_ros/msg/View")
    assert message.synthetic is True
    assert message.seen_fraction == pytest.approx(view.seen_fraction)
    assert message.reference_frame == view.source_frame
    assert_same(view, view_from_message(message))
    moved = view_transform_message(factory, view)
    assert (moved.header.frame_id, moved.child_frame_id) == (view.source_frame, message.header.frame_id)
    estimated = view.estimated_source_from_view  # where the picture looks from, not where it was sent
    assert_same(
        view.source_from_view if estimated is None else estimated, poses.transform_from_message(moved.transform)
    )


@often
@given(strategies.motions(), st.none() | strategies.vectors(), strategies.TEXT, strategies.STAMP)
def test_motions(factory, motion, point, name, stamp):
    pivot = Pivot(point, name, stamp) if point is not None else Pivot(object_id=name)
    message = sent(factory, motion_message(factory, motion, pivot), "joyai_ros/msg/CameraMotion")
    assert_same((motion, pivot), motion_from_message(message))


def test_masks_may_stay_out(factory, head):
    item = dataclasses.replace(strategies_example(), mask=np.ones((3, 3), bool))
    assert object_from_message(object_message(factory, head, item, masks=False)).mask is None


def strategies_example():
    from joyai_ros.geometry.boxes import OrientedBox
    from joyai_ros.scene.types import SceneObject

    return SceneObject("a", "mug", OrientedBox(np.zeros(3), np.eye(3), np.ones(3)))


def test_all_relations_of_a_scene(factory, head):
    from joyai_ros.scene.types import Scene, SpatialRelation

    scene = Scene(5, "f", relations=(SpatialRelation("a", "on", ("b",)),) * 3, abstentions=7)
    message = relations_message(factory, head, scene)
    assert len(message.relations) == 3
    assert message.abstentions == 7
    assert math.isnan(message.relations[0].sigma)


def test_messages_of_relations_are_filled_in_anew(factory):
    from joyai_ros.scene.types import SpatialRelation, Status

    first = [
        SpatialRelation("a", "left_of", ("b",), 0.2, "m", 0.01, confidence=0.9, model_value=0.3, status=Status.AGREE),
        SpatialRelation("a", "on", ("t",)),
    ]
    second = [
        SpatialRelation("b", "on", ("t",)),
        SpatialRelation("a", "left_of", ("b",), confidence=0.5),
        SpatialRelation("a", "left_of", ("b",), 0.7, "m", 0.02, confidence=0.8),  # said twice: a message each
    ]
    messages = RelationMessages(factory)
    kept = messages.make(first)
    assert [relation_from_message(m) for m in kept] == [
        relation_from_message(relation_message(factory, r)) for r in first
    ]
    made = messages.make(second)
    assert made[1] is kept[0]
    assert made[2] is not made[1]
    for message, relation in zip(made, second, strict=True):
        assert_same(relation, relation_from_message(message))


def test_a_turned_box_becomes_the_upright_one_around_it():
    box = box2d_message(ROSBAGS, (0.0, 0.0, 4.0, 2.0))
    box.center.theta = math.pi / 2
    np.testing.assert_allclose(box2d_from_message(box), (1, -1, 3, 3))


@pytest.mark.parametrize(("field", "value"), [("frame", 3), ("source", 2), ("status", 9)])
def test_unknown_numbers_are_refused(field, value):
    message = ROSBAGS("joyai_ros/msg/SpatialRelation")(**{field: value})
    with pytest.raises(EncodingError, match=f"{field} is {value}, which is none of"):
        relation_from_message(message)


def test_poses_that_are_none_are_refused():
    pose = ROSBAGS("geometry_msgs/msg/Pose")()
    pose.orientation.w = 0.0
    with pytest.raises(PoseError, match="not a rotation"):
        poses.pose_from_message(pose)
    pose.orientation.w = 1.0
    pose.position.x = math.nan
    with pytest.raises(PoseError, match="NaN"):
        poses.pose_from_message(pose)


def test_3d_boxes_that_are_none_are_refused():
    box = ROSBAGS("vision_msgs/msg/BoundingBox3D")()
    box.size.x = -1.0
    with pytest.raises(BoxError, match="negative size"):
        box3d_from_message(box)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"yaw_deg": math.nan}, "not finite"),
        ({"zoom": 0.0}, "zoom 0.0 is not positive"),
        ({"pivot_type": 3}, "pivot_type 3"),
        ({"pivot_type": 2}, "not a pivot"),
    ],
)
def test_motions_that_are_none_are_refused(fields, words):
    with pytest.raises(MotionError, match=words):
        motion_from_message(ROSBAGS("joyai_ros/msg/CameraMotion")(**fields))


def test_a_pivot_without_a_place_is_refused():
    message = ROSBAGS("joyai_ros/msg/CameraMotion")(pivot_type=1)
    message.pivot_point.point.z = math.inf
    with pytest.raises(MotionError, match="not a point"):
        motion_from_message(message)

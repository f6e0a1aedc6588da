import numpy as np
import pytest

from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.messages import headers
from joyai_ros.messages.markers import markers_message
from joyai_ros.messages.poses import vector_from_message
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation

ADD, DELETE_ALL, ARROW, CUBE, LINE_LIST, TEXT = 0, 3, 0, 1, 5, 9


def thing(name, x, height=0.1, **more):
    size = np.array([0.2, 0.1, height])
    return SceneObject(
        name, f"label {name}", OrientedBox(np.array([x, 0, 1.0]), np.eye(3), size), height=height, **more
    )


@pytest.fixture
def scene():
    relations = [SpatialRelation(a, "left_of", (b,), 0.1, "m") for a, b in (("a", "b"), ("a", "c"), ("b", "c"))]
    relations += [SpatialRelation(b, "right_of", (a,), 0.1, "m") for a, b in (("a", "b"), ("a", "c"), ("b", "c"))]
    relations += [SpatialRelation("a", "on", ("gone",)), SpatialRelation("b", "height", (), 0.1, "m")]
    return Scene(5_000_000_007, "optical", (thing("a", 0.0), thing("b", 0.2), thing("c", 0.5)), tuple(relations))


def of(message, namespace):
    return [m for m in message.markers if m.ns == namespace and m.action == ADD]


def test_an_array_first_deletes_what_stood_there(factory, scene):
    message = markers_message(factory, scene)
    assert message.markers[0].action == DELETE_ALL
    assert all(m.action == ADD for m in message.markers[1:])


def test_ids_are_unique_within_their_namespaces(factory, scene):
    names = [(m.ns, m.id) for m in markers_message(factory, scene).markers]
    assert len(set(names)) == len(names)


def test_headers_and_lifetime(factory, scene):
    message = markers_message(factory, scene, lifetime=1.5)
    assert {m.header.frame_id for m in message.markers} == {"optical"}
    assert {headers.stamp_ns(m) for m in message.markers} == {5_000_000_007}
    assert all((m.lifetime.sec, m.lifetime.nanosec) == (1, 500_000_000) for m in message.markers)


def test_every_object_is_a_box_with_edges_and_a_label(factory, scene):
    message = markers_message(factory, scene)
    box = of(message, "boxes")[1]
    assert box.type == CUBE
    np.testing.assert_allclose(vector_from_message(box.pose.position), [0.2, 0, 1])
    np.testing.assert_allclose(vector_from_message(box.scale), [0.2, 0.1, 0.1])
    assert 0 < box.color.a < 0.5
    edges = of(message, "edges")[1]
    assert (edges.type, len(edges.points)) == (LINE_LIST, 24)
    ends = np.array([vector_from_message(p) for p in edges.points]).reshape(12, 2, 3)
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    np.testing.assert_allclose(sorted(lengths), [0.1] * 8 + [0.2] * 4)
    label = of(message, "labels")[1]
    assert (label.type, label.text) == (TEXT, "label b\n0.100 m")


def test_labels_stand_above_the_box_along_gravity(factory):
    up = np.array([0.0, 0.0, -1.0])  # the camera looks straight up
    scene = Scene(1, "f", (thing("a", 0.0),), up=up)
    (label,) = of(markers_message(factory, scene), "labels")
    assert label.pose.position.z < 1.0 - 0.05
    assert label.pose.position.y == 0.0


def test_an_unknown_height_is_not_written(factory):
    (label,) = of(markers_message(factory, Scene(1, "f", (thing("a", 0.0, 0.1),))), "labels")
    assert label.text.endswith("0.100 m")
    item = SceneObject("a", "", thing("a", 0.0).obb)
    (label,) = of(markers_message(factory, Scene(1, "f", (item,))), "labels")
    assert label.text == "a"


def test_arrows_go_to_the_nearest_partner_only(factory, scene):
    message = markers_message(factory, scene)
    arrows = of(message, "left_of")
    ends = [[vector_from_message(p)[0] for p in m.points] for m in arrows]
    assert all(m.type == ARROW for m in arrows)
    np.testing.assert_allclose(ends, [[0.0, 0.2], [0.2, 0.5]])
    assert not of(message, "right_of")  # one of a converse pair is enough
    assert not of(message, "on")  # its object is not in the scene


def test_remembered_objects_are_faint(factory):
    scene = Scene(1, "f", (thing("a", 0.0), thing("b", 0.5, visible=False)))
    seen, remembered = of(markers_message(factory, scene), "edges")
    assert remembered.color.a < seen.color.a


def test_flat_objects_have_no_zero_scale(factory):
    flat = SceneObject("a", "", OrientedBox(np.zeros(3), rigid.axis_angle(np.array([0, 1.0, 0]), 0.3), np.zeros(3)))
    (box,) = of(markers_message(factory, Scene(1, "f", (flat,))), "boxes")
    assert min(box.scale.x, box.scale.y, box.scale.z) > 0


def test_an_empty_scene_clears_the_view(factory):
    message = markers_message(factory, Scene(1, "f"))
    assert [m.action for m in message.markers] == [DELETE_ALL]

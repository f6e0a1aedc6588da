"""Relations packed once are the bytes that serialising their messages gives."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.bags.relation_cdr import PackedRelations, serialize
from joyai_ros.bags.typestore import RosbagsFactory, typestore
from joyai_ros.messages import headers
from joyai_ros.messages.relations import relations_message
from joyai_ros.messages.scene import scene_message
from joyai_ros.scene.types import Scene, SpatialRelation
from tests.messages.strategies import NAME, relations, scenes

FACTORY = RosbagsFactory()


def both_ways(make, scene, msgtype):
    """The bytes of a message that holds the relations, and of one that they are put into."""
    packed = PackedRelations.of(scene.relations)
    return bytes(typestore().serialize_cdr(make(None), msgtype)), bytes(serialize(make([]), msgtype, packed))


@given(scenes(), st.lists(relations(), max_size=4))
def test_a_scene_is_the_same_bytes(scene, stated):
    scene = replace(scene, relations=tuple(stated))
    plain, packed = both_ways(lambda made: scene_message(FACTORY, scene, relations=made), scene, "joyai_ros/msg/Scene")
    assert packed == plain


@given(st.lists(relations(), max_size=4), NAME)
def test_an_array_of_relations_is_the_same_bytes(stated, frame_id):
    scene = Scene(1, frame_id, relations=tuple(stated), abstentions=3)
    header = headers.header(FACTORY, 1, frame_id)
    plain, packed = both_ways(
        lambda made: relations_message(FACTORY, header, scene, relations=made),
        scene,
        "joyai_ros/msg/SpatialRelationArray",
    )
    assert packed == plain


def test_a_message_without_relations_is_written_as_it_is():
    header = headers.header(FACTORY, 5, "camera")
    packed = PackedRelations.of((SpatialRelation("a", "on", ("b",)),))
    assert serialize(header, "std_msgs/msg/Header", packed) == typestore().serialize_cdr(header, "std_msgs/msg/Header")

"""The scene node: a frame in, everything of it out."""

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from joyai_ros.messages.compressed import compressed_depth_message, decode_compressed_color, jpeg_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import duration_message, stamp_ns, time_message
from joyai_ros.messages.images import decode_depth
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.msg import Scene, SpatialRelationArray
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.types import UpSource
from joyai_ros.srv import GetScene
from tests.ros.harness import status_of, wait_for, with_stamp

FACTORY = RosFactory()


def said(relation):
    return relation.subject, relation.predicate, list(relation.objects), relation.value


def test_everything_about_a_frame_is_published_with_its_stamp(ros, robot, frames):
    scenes = ros.listen(Scene, "joyai/scene")
    others = {
        name: ros.listen(kind, f"joyai/{name}")
        for name, kind in (
            ("relations", SpatialRelationArray),
            ("objects", Detection3DArray),
            ("debug_image/compressed", CompressedImage),
        )
    }
    markers = ros.listen(MarkerArray, "joyai/markers")
    ros.launch(SceneNode)
    robot.show_until(lambda: scenes and markers and all(others.values()), "a scene and what goes with it")
    scene = scenes[-1]
    stamp = stamp_ns(scene)
    assert scene.header.frame_id == "camera_color_optical_frame"
    for name, heard in others.items():
        assert wait_for(lambda heard=heard: with_stamp(heard, stamp), name).header == scene.header
    wait_for(lambda: any(stamp_ns(m) == stamp for a in list(markers) for m in a.markers), "markers of that scene")
    relations = with_stamp(others["relations"], stamp)
    assert [said(r) for r in relations.relations] == [said(r) for r in scene.relations]
    assert len(relations.relations) > 10
    picture = decode_compressed_color(with_stamp(others["debug_image/compressed"], stamp))
    color = frames[0].observation.color
    assert picture.shape[0] == color.shape[0]
    assert picture.shape[1] >= color.shape[1]  # what is said of the picture stands beside it
    core = scene_from_message(scene)
    assert core.up_source is UpSource.TF
    assert core.world_frame == "map"
    assert {o.id for o in core.objects} <= {d.id for d in frames[0].observation.detections}
    assert len(core.objects) >= 4


def test_compressed_topics_say_the_same(ros, robot):
    raw = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode)
    robot.show_until(lambda: raw, "a scene from raw images")
    reference = scene_from_message(raw[0])
    node.close()
    compressed = ros.listen(Scene, "small/scene")
    ros.launch(
        SceneNode,
        parameters={
            "topics.color_transport": "compressed",
            "topics.depth_transport": "compressedDepth",
            "output.namespace": "small",
        },
    )

    def show():
        robot.count = 0  # the same picture again
        for topic, message in robot.messages():
            if topic == "/camera/color/image_raw":
                pixels = robot.frames[0].observation.color
                robot.publish(f"{topic}/compressed", jpeg_message(FACTORY, message.header, pixels, 95))
            elif topic == "/camera/aligned_depth_to_color/image_raw":
                small = compressed_depth_message(FACTORY, message.header, decode_depth(message))
                robot.publish(f"{topic}/compressedDepth", small)
            else:
                robot.publish(topic, message)
        return compressed

    wait_for(show, "a scene from compressed images")
    found = {o.id: o for o in scene_from_message(compressed[-1]).objects}
    assert set(found) == {o.id for o in reference.objects}
    for expected in reference.objects:  # png keeps depth as it is; jpeg changes colours a little
        assert abs(found[expected.id].height - expected.height) < 0.003


def test_get_scene_by_stamp(ros, robot):
    codes = GetScene.Request
    scenes = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode, parameters={"history": 0.5})
    assert ros.call(GetScene, "joyai/get_scene").error_code == codes.NO_SCENE_YET
    robot.show_until(lambda: scenes, "a scene")
    for _ in range(8):  # one by one: none is dropped, and none is still in work when the service is asked
        newest = robot.show()
        wait_for(lambda stamp=newest: with_stamp(scenes, stamp), "the scene of the frame that was shown")
    latest = ros.call(GetScene, "joyai/get_scene")
    assert latest.error_code == codes.NONE
    assert stamp_ns(latest.scene) == newest
    asked = newest - 220_000_000
    response = ros.call(GetScene, "joyai/get_scene", stamp=time_message(FACTORY, asked))
    assert response.error_code == codes.NONE
    assert stamp_ns(response.scene) == newest - 200_000_000
    for wanted in (newest + 1_000_000_000, newest - 2_000_000_000):  # not yet, and no longer
        response = ros.call(GetScene, "joyai/get_scene", stamp=time_message(FACTORY, wanted))
        assert response.error_code == codes.NO_SCENE_AT_STAMP
        assert "the nearest is" in response.error_msg
    far = ros.call(
        GetScene,
        "joyai/get_scene",
        stamp=time_message(FACTORY, newest + 1_000_000_000),
        tolerance=duration_message(FACTORY, 5.0),
    )
    assert stamp_ns(far.scene) == newest
    node.trigger_deactivate()
    assert node.state[0] == State.PRIMARY_STATE_INACTIVE
    assert ros.call(GetScene, "joyai/get_scene").error_code == codes.NODE_INACTIVE


def test_objects_become_frames_where_asked(ros, robot):
    transforms = ros.listen(TFMessage, "/tf")
    scenes = ros.listen(Scene, "joyai/scene")
    ros.launch(SceneNode, parameters={"publish_tf": True})

    def of_objects():
        return [t for m in list(transforms) for t in m.transforms if t.child_frame_id.startswith("joyai/")]

    robot.show_until(of_objects, "frames of objects")
    found = of_objects()[-1]
    assert found.header.frame_id == "camera_color_optical_frame"
    scene = wait_for(lambda: with_stamp(scenes, stamp_ns(found)), "the scene of that frame")
    center = next(o.obb.center for o in scene.objects if f"joyai/{o.id}" == found.child_frame_id)
    assert (found.transform.translation.x, found.transform.translation.z) == (center.position.x, center.position.z)


def test_nothing_is_published_while_inactive_and_diagnostics_say_so(ros, robot):
    scenes = ros.listen(Scene, "joyai/scene")
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    node = ros.make(SceneNode, parameters={"autostart": False})
    wait_for(lambda: status_of(diagnostics, "joyai_scene: lifecycle"), "diagnostics")
    assert status_of(diagnostics, "lifecycle")[1]["state"] == "unconfigured"
    node.trigger_configure()
    robot.show_until(lambda: node.tally.counts().get("received.color", 0) >= 5, "frames to arrive")
    assert node.tally.counts().get("published", 0) == 0
    assert scenes == []
    node.trigger_activate()
    wait_for(lambda: status_of(diagnostics, "lifecycle")[1]["state"] == "active", "the active state in diagnostics")
    robot.show_until(lambda: scenes, "scenes once active")


def test_live_settings_reach_the_engine(ros, robot):
    from rclpy.parameter import Parameter

    scenes = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode)
    robot.show_until(lambda: scenes, "a scene")
    before = len(scenes[-1].relations)
    result = node.set_parameters([Parameter("scene.relations.lateral_margin", value=1.0)])
    assert result[0].successful, result[0].reason
    robot.show_until(
        lambda: not any(r.predicate == "left_of" for r in scenes[-1].relations), "scenes without left_of at a metre"
    )
    assert len(scenes[-1].relations) < before

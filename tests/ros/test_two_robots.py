"""Two robots side by side in one domain: namespaces and a transform tree each, and neither hears the other."""

from rclpy.node import Node

from joyai_ros.action import Imagine
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.messages.motion import motion_message
from joyai_ros.msg import Scene
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.nodes.view_node import ViewNode
from joyai_ros.srv import GetScene
from tests.ros.harness import Robot, wait_for

REMAP = ["--ros-args", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static"]


def test_neither_hears_the_other(ros, frames):
    heard = {}
    for name in ("one", "two"):
        heard[name] = ros.listen(Scene, f"/{name}/joyai/scene")
        for kind in (SceneNode, ViewNode):
            node = ros.make(kind, parameters={"view.rate": 0.0}, **options(name, kind))
            wait_for(lambda node=node: node.is_active, f"{name} to become active")
    one = Robot(ros, frames, namespace="/one", tf_topic="/one/tf")
    two = Robot(ros, frames, namespace="/two", tf_topic="/two/tf")
    two.stamp = 500_000_000_000  # so that nothing of one could be taken for the other's
    one.show_until(lambda: len(heard["one"]) >= 3, "scenes of the first")
    assert heard["two"] == []
    two.show_until(lambda: len(heard["two"]) >= 3, "scenes of the second")
    assert all(stamp_ns(s) < 400_000_000_000 for s in heard["one"])
    assert all(stamp_ns(s) > 400_000_000_000 for s in heard["two"])
    assert all(s.has_camera_pose for s in heard["one"][-1:] + heard["two"][-1:])  # each from its own tree
    latest = ros.call(GetScene, "/two/joyai/get_scene").scene
    assert stamp_ns(latest) > 400_000_000_000
    goal = Imagine.Goal(motions=[motion_message(RosFactory(), CameraMotion(10.0))])
    for name, robot in (("one", one), ("two", two)):
        _, result = ros.result(ros.send(ros.action(Imagine, f"/{name}/joyai/imagine"), goal))
        assert result.error_code == Imagine.Goal.NONE, result.error_msg
        assert abs(stamp_ns(result.views[0]) - robot.stamp) < 10_000_000_000


def options(name, kind):
    extra = {"elsewhere": ["view.rate"]} if kind is SceneNode else {}
    return {"namespace": name, "cli_args": REMAP, **extra}


def test_nothing_is_absolute_but_what_ros_wants_so(ros):
    """Whatever a node of a namespaced robot offers or asks for lies in that namespace."""
    known: Node = ros.launch(SceneNode, parameters={"publish_tf": True}, namespace="one", cli_args=REMAP)
    everywhere = {"/parameter_events", "/rosout", "/diagnostics", "/clock"}
    names = {p.topic_name for p in known.publishers} | {s.topic_name for s in known.subscriptions}
    names |= {s.service_name for s in known.services if hasattr(s, "service_name")}
    assert {n for n in names if not n.startswith("/one/")} <= everywhere

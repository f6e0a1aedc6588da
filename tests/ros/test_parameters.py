"""Parameters: typed, described, ranged; what nobody reads is an error."""

import pytest
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from joyai_ros import settings
from joyai_ros.errors import ConfigError
from joyai_ros.nodes.config import SceneNodeConfig, ViewNodeConfig
from joyai_ros.nodes.parameters import names, ros_value
from joyai_ros.nodes.scene_node import SceneNode
from tests.ros.harness import wait_for


def test_every_setting_is_a_parameter_with_description_type_and_range(ros):
    node = ros.make(SceneNode, parameters={"autostart": False, "recover_after": 2.0})
    described = settings.describe(SceneNodeConfig)
    response = ros.call(DescribeParameters, "/joyai_scene/describe_parameters", names=[s.name for s in described])
    defaults = {"heartbeat_rate", "diagnostics_period", "autostart"}
    for setting, descriptor in zip(described, response.descriptors, strict=True):
        assert descriptor.description == setting.description
        value = node.get_parameter(setting.name).value
        if setting.name not in defaults:
            assert value == ros_value(setting.default), setting.name
        if setting.range is not None:
            limits = [*descriptor.floating_point_range, *descriptor.integer_range]
            assert (limits[0].from_value, limits[0].to_value) == setting.range
        live = setting.name.startswith("scene.") or setting.name in SceneNode.LIVE
        assert descriptor.read_only is not live, setting.name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"topics.colour": "a"}, "unknown key 'topics.colour'"),
        ({"scene_rate": -1.0}, "within"),
        ({"scene_rate": "fast"}, "must be a number"),
        ({"topics.detector": "yolo9"}, "one of vision_msgs, yolo_msgs"),
        ({"sync.slop": [0.1]}, "must be a number"),
    ],
)
def test_wrong_parameters_are_refused_with_their_name(ros, given, said):
    with pytest.raises(ConfigError, match=said) as refused:
        ros.make(SceneNode, parameters=given)
    assert next(iter(given)).split(".")[0] in str(refused.value)


def test_what_other_nodes_of_the_process_read_is_no_error_here(ros):
    given = {"view.rate": 1.0, "scene_rate": 2.0, "autostart": False}
    node = ros.make(SceneNode, parameters=given, elsewhere=names(ViewNodeConfig))
    assert node.config.scene_rate == 2.0


def test_whole_numbers_do_for_numbers(ros):
    node = ros.make(SceneNode, parameters={"scene_rate": 5, "autostart": False})
    assert node.get_parameter("scene_rate").value == 5.0
    assert node.config.scene_rate == 5.0


def test_changes_while_running(ros):
    node = ros.make(SceneNode, parameters={"autostart": False})
    set_to = {
        "scene.relations.lateral_margin": (0.5, True),  # live
        "topics.color": ("elsewhere", False),  # read-only
        "scene_rate": (-3.0, False),  # out of range
        "nothing_like_it": (1, False),
    }
    for name, (value, expected) in set_to.items():
        wanted = Parameter(name, value=value).to_parameter_msg()
        [result] = ros.call(SetParameters, "/joyai_scene/set_parameters", parameters=[wanted]).results
        assert result.successful is expected, (name, result.reason)
    assert node.config.scene.relations.lateral_margin == 0.5


def test_quality_of_service_is_a_parameter_of_every_topic(ros):
    prefix = "qos_overrides./camera/color/image_raw.subscription."
    node = ros.launch(
        SceneNode,
        parameters={
            f"{prefix}reliability": "reliable",
            f"{prefix}depth": 3,
            "qos_overrides./joyai/scene.publisher.durability": "transient_local",
        },
    )
    [camera] = ros.node.get_subscriptions_info_by_topic("/camera/color/image_raw")
    assert camera.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    [other] = ros.node.get_subscriptions_info_by_topic("/camera/color/camera_info")
    assert other.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT  # a sensor's, by default
    [scene] = ros.node.get_publishers_info_by_topic("/joyai/scene")
    assert scene.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert node.get_parameter(f"{prefix}depth").value == 3


def test_quality_of_service_for_no_topic_is_an_error(ros):
    node = ros.make(SceneNode, parameters={"qos_overrides./joyai/scenes.publisher.depth": 3, "recover_after": 0.0})
    problem = wait_for(lambda: node.problem, "the node to refuse")
    assert "sets the quality of no topic" in str(problem)
    assert "/joyai/scene," in str(problem)

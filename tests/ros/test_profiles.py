"""Robot profiles and launch files as ROS reads them."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.launch_description_sources import get_launch_description_from_python_launch_file

from joyai_ros.errors import ConfigError
from joyai_ros.nodes.config import SimNodeConfig, ViewNodeConfig
from joyai_ros.nodes.parameters import names
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.nodes.view_node import ViewNode
from joyai_ros.resources import resource_dir
from tests.ros.harness import wait_for

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "config").glob("*.yaml"))
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_a_profile_starts_both_nodes(ros, path):
    given = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    for kind in (SceneNode, ViewNode):
        node = ros.make(
            kind,
            elsewhere=names(ViewNodeConfig, SimNodeConfig, SceneNode.CONFIG),
            cli_args=["--ros-args", "--params-file", str(path)],
        )
        wait_for(lambda node=node: node.is_active, f"{kind.NAME} with {path.stem}")
        heard = {s.topic_name for s in node.subscriptions}
        for stream in ("color", "depth"):
            topic = given["topics"].get(stream)
            assert not topic or f"/{topic}" in heard


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda p: p.name)
def test_a_launch_file_loads_and_every_argument_says_what_it_is(path):
    description = get_launch_description_from_python_launch_file(str(path))
    arguments = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    assert arguments
    assert all(a.description and a.description != "no description given" for a in arguments), [
        a.name for a in arguments if not a.description
    ]


def test_profiles_are_found_by_name_or_path_and_nothing_else():
    spec = spec_from_file_location("perception_launch", ROOT / "launch" / "perception.launch.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert Path(module.profile_path("zed")) == resource_dir("config") / "zed.yaml"
    assert module.profile_path(str(PROFILES[0])) == str(PROFILES[0])
    with pytest.raises(ConfigError, match="realsense_d4xx"):
        module.profile_path("realsens")


def test_a_recording_is_played_with_its_own_time():
    """``ros2 bag play`` is not run here: not every ROS 2 has it; what would be run is checked."""
    description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / "replay.launch.py"))
    [player] = [e for e in description.entities if isinstance(e, ExecuteProcess)]
    context = LaunchContext(argv=[])
    context.launch_configurations.update({"bag": "/data/my bag", "rate": "2.0"})
    words = ["".join(part.perform(context) for part in word) for word in player.cmd]
    assert words == ["ros2", "bag", "play", "/data/my bag", "--clock", "--rate", "2.0"]

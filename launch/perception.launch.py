"""The perception of one robot: by default scene and view, in one process.

ros2 launch joyai_ros perception.launch.py profile:=realsense_d4xx
ros2 launch joyai_ros perception.launch.py profile:=/path/to/my_robot.yaml namespace:=robot1 use_sim_time:=true
ros2 launch joyai_ros perception.launch.py nodes:=scene,view,qa
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from joyai_ros.errors import ConfigError
from joyai_ros.resources import resource_dir


def generate_launch_description() -> LaunchDescription:
    """Return what is started."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "profile", default_value="", description="a robot profile: a name in config/, a path, or empty"
            ),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the robot"),
            DeclareLaunchArgument("nodes", default_value="scene,view", description="which nodes the process hosts"),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="take time from /clock"),
            DeclareLaunchArgument("autostart", default_value="true", description="configure and activate at start"),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error"),
            OpaqueFunction(function=_perception),
        ]
    )


def _perception(context: LaunchContext) -> list[Node]:
    profile = LaunchConfiguration("profile").perform(context)
    nodes = [name.strip() for name in LaunchConfiguration("nodes").perform(context).split(",") if name.strip()]
    given = {
        "nodes": nodes,
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
        "autostart": ParameterValue(LaunchConfiguration("autostart"), value_type=bool),
    }
    return [
        Node(
            package="joyai_ros",
            executable="perception",
            namespace=LaunchConfiguration("namespace"),
            parameters=[*([profile_path(profile)] if profile else []), given],
            # Relative, so that every robot has a tree of its own.
            remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
            emulate_tty=True,
            on_exit=Shutdown(reason="the perception has ended"),
        )
    ]


def profile_path(profile: str) -> str:
    """Return the parameter file of a profile."""
    folder = resource_dir("config")
    for candidate in (Path(profile), folder / f"{profile}.yaml"):
        if candidate.is_file():
            return str(candidate)
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
    raise ConfigError(f"there is no profile {profile!r}; give a path, or one of {known}")

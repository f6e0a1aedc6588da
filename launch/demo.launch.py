"""A simulated robot over a table and its perception: everything without a robot.

ros2 launch joyai_ros demo.launch.py
ros2 launch joyai_ros demo.launch.py rviz:=true seed:=7 path:=still
ros2 launch joyai_ros demo.launch.py foxglove:=true      # then open foxglove/joyai.json from share/joyai_ros/config
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from joyai_ros.resources import resource_dir

_TF = [("/tf", "tf"), ("/tf_static", "tf_static")]


def generate_launch_description() -> LaunchDescription:
    """Return what is started."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("seed", default_value="3", description="scene of tabletop-v1"),
            DeclareLaunchArgument("camera_rate", default_value="10.0", description="frames per second"),
            DeclareLaunchArgument("width", default_value="480", description="image width, pixels; 0: the camera's own"),
            DeclareLaunchArgument("path", default_value="sweep", description="what the camera does: still or sweep"),
            DeclareLaunchArgument("boxes", default_value="true", description="detections: true, jittered or none"),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the robot"),
            DeclareLaunchArgument("publish_clock", default_value="true", description="false: another simulator does"),
            DeclareLaunchArgument("profile", default_value="", description="settings of the perception"),
            DeclareLaunchArgument("rviz", default_value="false", description="start RViz with the shipped layout"),
            DeclareLaunchArgument("foxglove", default_value="false", description="start foxglove_bridge"),
            _simulator(),
            _perception(),
            _rviz(),
            _foxglove(),
        ]
    )


def _simulator() -> Node:
    value = LaunchConfiguration
    return Node(
        package="joyai_ros",
        executable="sim",
        namespace=value("namespace"),
        parameters=[
            {
                "seed": ParameterValue(value("seed"), value_type=int),
                "camera_rate": ParameterValue(value("camera_rate"), value_type=float),
                "width": ParameterValue(value("width"), value_type=int),
                "path": ParameterValue(value("path"), value_type=str),
                "boxes": ParameterValue(value("boxes"), value_type=str),
                "publish_clock": ParameterValue(value("publish_clock"), value_type=bool),
            }
        ],
        remappings=_TF,
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="the simulator has ended"),
    )


def _perception() -> IncludeLaunchDescription:
    beside = Path(__file__).parent / "perception.launch.py"
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(beside)),
        launch_arguments={
            "namespace": LaunchConfiguration("namespace"),
            "profile": LaunchConfiguration("profile"),
            "use_sim_time": "true",
        }.items(),
    )


def _rviz() -> Node:
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(resource_dir("config") / "rviz" / "joyai.rviz")],
        parameters=[{"use_sim_time": True}],
        remappings=_TF,
        condition=IfCondition(LaunchConfiguration("rviz")),
    )


def _foxglove() -> Node:
    return Node(
        package="foxglove_bridge",
        executable="foxglove_bridge",
        parameters=[{"use_sim_time": True}],
        condition=IfCondition(LaunchConfiguration("foxglove")),
    )

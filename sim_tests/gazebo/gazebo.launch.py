"""Gazebo's server with the table, the bridge, the truth and the perception. Not run yet.

Needs ros-jazzy-ros-gz. Without a screen the server draws through EGL (``--headless-rendering``).
"""

import sys
from pathlib import Path

from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from joyai_ros.resources import resource_dir

HERE = Path(__file__).resolve().parent


def generate_launch_description() -> LaunchDescription:
    """Return what is started."""
    return LaunchDescription(
        [
            ExecuteProcess(
                cmd=["gz", "sim", "-s", "-r", "--headless-rendering", str(HERE / "world.sdf")], output="screen"
            ),
            Node(
                package="ros_gz_bridge",
                executable="parameter_bridge",
                parameters=[{"config_file": str(HERE / "bridge.yaml"), "use_sim_time": True}],
            ),
            ExecuteProcess(
                cmd=[sys.executable, str(HERE.parent / "truth_node.py"), "--ros-args", "-p", "use_sim_time:=true"]
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(resource_dir("launch") / "perception.launch.py")),
                launch_arguments={"profile": "gazebo", "use_sim_time": "true"}.items(),
            ),
        ]
    )

"""A recording through the live nodes: ``ros2 bag play`` and the perception.

``joyai-ros run`` needs no ROS and drops no frame; this shows how the nodes do in real time.

ros2 launch joyai_ros replay.launch.py bag:=/path/to/bag profile:=realsense_d4xx
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration


def generate_launch_description() -> LaunchDescription:
    """Return what is started."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="rosbag2 folder"),
            DeclareLaunchArgument("rate", default_value="1.0", description="speed"),
            DeclareLaunchArgument(
                "profile", default_value="", description="a robot profile: a name in config/ or a path"
            ),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the robot"),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(Path(__file__).parent / "perception.launch.py")),
                launch_arguments={
                    "namespace": LaunchConfiguration("namespace"),
                    "profile": LaunchConfiguration("profile"),
                    "use_sim_time": "true",
                }.items(),
            ),
            ExecuteProcess(
                cmd=[
                    "ros2",
                    "bag",
                    "play",
                    LaunchConfiguration("bag"),
                    "--clock",
                    "--rate",
                    LaunchConfiguration("rate"),
                ],
                output="screen",
                on_exit=Shutdown(reason="the recording has ended"),
            ),
        ]
    )

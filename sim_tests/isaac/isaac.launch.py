"""Isaac Sim with the table, the truth and the perception. Not run yet.

``ISAAC_SIM_PYTHON`` names Isaac Sim's own interpreter (``~/isaacsim/python.sh``); it brings its own ROS 2 libraries.
"""

import os
import sys
from pathlib import Path

from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from joyai_ros.resources import resource_dir

HERE = Path(__file__).resolve().parent


def generate_launch_description() -> LaunchDescription:
    """Return what is started."""
    python = os.environ.get("ISAAC_SIM_PYTHON", str(Path.home() / "isaacsim" / "python.sh"))
    truth = [sys.executable, str(HERE.parent / "truth_node.py"), "--ros-args", "-p", "use_sim_time:=true"]
    return LaunchDescription(
        [
            ExecuteProcess(cmd=[python, str(HERE / "standalone.py"), "--headless"], output="screen"),
            ExecuteProcess(cmd=[*truth, "-p", "camera_info:=camera_info"]),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(resource_dir("launch") / "perception.launch.py")),
                launch_arguments={"profile": "isaac_sim", "use_sim_time": "true"}.items(),
            ),
        ]
    )

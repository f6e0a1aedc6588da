"""The simulators that the suite can run on: how each is started, and what it can do. Nothing here asserts anything."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from sim_tests.ear import Ear

HERE = Path(__file__).parent


class Simulator(ABC):
    """A simulated robot with an RGB-D camera and its perception.

    It publishes what the profile says, ``ground_truth/boxes`` (vision_msgs/Detection3DArray) and
    ``ground_truth/camera_pose`` (geometry_msgs/PoseStamped of the optical frame), both in one fixed frame, and ``/clock``.

    Attributes:
        name: by which it is chosen (``JOYAI_SIMULATOR``).
        was_run: whether the suite has been run on it by this project.
        image_topic: of the colour image.
        can_move: it offers the action ``move_camera``.
        tells_visibility: it publishes ``ground_truth/scene``.
    """

    name: ClassVar[str]
    was_run: ClassVar[bool] = False
    image_topic: ClassVar[str] = "camera/color/image_raw"
    can_move: ClassVar[bool] = False
    tells_visibility: ClassVar[bool] = False

    @abstractmethod
    def launch(self) -> list[Any]:
        """Return the launch actions that start simulator and perception."""

    def stop_camera(self, ear: Ear) -> Callable[[], None] | None:
        """Switch the camera off and return what switches it on again; None where this simulator cannot."""
        del ear
        return None


class Mujoco(Simulator):
    """The simulator of this package."""

    name = "mujoco"
    was_run = True
    can_move = True
    tells_visibility = True

    def launch(self) -> list[Any]:
        """Start demo.launch.py without a screen."""
        arguments = {"seed": os.environ.get("JOYAI_SEED", "3"), "path": "sweep"}
        return [_include("demo.launch.py", arguments)]

    def stop_camera(self, ear: Ear) -> Callable[[], None]:
        """Deactivate the simulator's lifecycle node: time goes on, the camera is off until it is activated."""
        self._change(ear, Transition.TRANSITION_DEACTIVATE)
        return lambda: self._change(ear, Transition.TRANSITION_ACTIVATE)

    def _change(self, ear: Ear, transition: int) -> None:
        client = ear.create_client(ChangeState, "joyai_sim/change_state")
        assert client.wait_for_service(30.0)
        request = ChangeState.Request()
        request.transition.id = transition
        future = client.call_async(request)
        ear.wait_for(future.done, "the simulator to answer")
        assert future.result().success
        ear.destroy_client(client)


class Gazebo(Simulator):
    """Gazebo (Harmonic, with Jazzy) through ros_gz_bridge; the table of ``tabletop.yaml``. Not run yet."""

    name = "gazebo"
    image_topic = "rgbd_camera/image"

    def launch(self) -> list[Any]:
        """Start Gazebo's server, the bridge, the truth and the perception."""
        return [_include(str(HERE / "gazebo" / "gazebo.launch.py"), {})]


class IsaacSim(Simulator):
    """Isaac Sim with its ROS 2 bridge; the table of ``tabletop.yaml``. Not run yet."""

    name = "isaac"
    image_topic = "rgb"

    def launch(self) -> list[Any]:
        """Start the standalone script with Isaac Sim's Python, the truth and the perception."""
        return [_include(str(HERE / "isaac" / "isaac.launch.py"), {})]


SIMULATORS: dict[str, type[Simulator]] = {kind.name: kind for kind in (Mujoco, Gazebo, IsaacSim)}


def chosen() -> Simulator:
    """Return the simulator that ``JOYAI_SIMULATOR`` names (default: mujoco)."""
    return SIMULATORS[os.environ.get("JOYAI_SIMULATOR", "mujoco")]()


def _include(name: str, arguments: dict[str, str]) -> IncludeLaunchDescription:
    from joyai_ros.resources import resource_dir

    path = Path(name) if Path(name).is_absolute() else resource_dir("launch") / name
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(path)), launch_arguments=arguments.items())

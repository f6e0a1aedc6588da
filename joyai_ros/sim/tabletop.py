"""The live simulator: a table to look at from anywhere, objects that can be moved, a clock."""

from __future__ import annotations

from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.description import SceneDescription
from joyai_ros.sim.distribution import camera_pose, describe
from joyai_ros.sim.renderer import DepthRender, Renderer
from joyai_ros.sim.truth import FrameTruth, WorldTruth, world_truth
from joyai_ros.sim.visibility import view_truths
from joyai_ros.sim.world import World

_NANOSECONDS = 1_000_000_000


class TabletopSim:
    """One scene of ``tabletop-v1``, live. Close it, or use it in a ``with``; it belongs to the thread that made it.

    Attributes:
        description: what the seed means.
        world: its MuJoCo world.
        camera: the scene's camera.
        world_from_camera: (4, 4) where the scene's camera stands; may be set.
        stamp: nanoseconds since the start.
    """

    def __init__(self, scene: int | SceneDescription) -> None:
        """Build the scene of a seed, or a described one, and let it settle.

        Raises:
            ConfigError: the seed is not an integer from 0 on.
            MissingDependencyError: MuJoCo or an OpenGL library is missing.
        """
        self.description = scene if isinstance(scene, SceneDescription) else describe(scene)
        self.world = World(self.description)
        self._renderer = Renderer(self.world)
        self.camera: Camera = self.description.view.camera
        self.world_from_camera: Mat4 = camera_pose(self.description.view)
        self.stamp = 0
        self._world_truth: WorldTruth | None = None

    def __enter__(self) -> TabletopSim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the graphics memory."""
        self._renderer.close()

    def step(self, seconds: float) -> int:
        """Let time pass and return the stamp in nanoseconds; settled objects stay where they are.

        Raises:
            InputError: the time is negative or not finite.
        """
        if not np.isfinite(seconds) or seconds < 0:
            raise InputError(f"a simulator cannot step by {seconds} s; give seconds from 0 on")
        self.stamp += round(seconds * _NANOSECONDS)
        return self.stamp

    def move_object(self, object_id: str, world_from_body: Mat4, settle: bool = False) -> None:
        """Put an object somewhere else; with ``settle`` everything then falls until it rests.

        Raises:
            InputError: there is no such object.
            PoseError: the pose is not a rigid transform.
        """
        self.world.place(self._index(object_id), world_from_body)
        if settle:
            self.world.settle()
        self._world_truth = None

    def object_pose(self, object_id: str) -> Mat4:
        """Return world_from_body (4, 4) of an object.

        Raises:
            InputError: there is no such object.
        """
        return self.world.pose(self._index(object_id))

    def _index(self, object_id: str) -> int:
        names = [o.id for o in self.description.objects]
        if object_id not in names:
            raise InputError(f"the scene has no object {object_id!r}; it has {', '.join(names)}")
        return names.index(object_id)

    def render(self, world_from_camera: Mat4 | None = None, camera: Camera | None = None) -> ColorImage:
        """Return the (H, W, 3) uint8 RGB image without noise from any pose through any undistorted camera.

        Raises:
            CameraError: the camera is distorted or larger than 1280 x 960.
        """
        return self._renderer.color(camera or self.camera, self._pose(world_from_camera))

    def render_depth(self, world_from_camera: Mat4 | None = None, camera: Camera | None = None) -> DepthRender:
        """Return exact depth and instances from any pose.

        Raises:
            CameraError: as for :meth:`render`.
        """
        return self._renderer.depth(camera or self.camera, self._pose(world_from_camera))

    def world_truth(self) -> WorldTruth:
        """Return what is true whoever looks; computed anew only after something moved."""
        if self._world_truth is None:
            self._world_truth = world_truth(self.world)
        return self._world_truth

    def truth(
        self, world_from_camera: Mat4 | None = None, camera: Camera | None = None, whole: bool = True
    ) -> FrameTruth:
        """Return everything true about one view; without ``whole`` visible fractions are left out (they cost time).

        Raises:
            CameraError: as for :meth:`render`.
        """
        pose, model = self._pose(world_from_camera), camera or self.camera
        seen = self._renderer.depth(model, pose)
        world = self.world_truth()
        instances: NDArray[np.uint8] = seen.instances
        return FrameTruth(
            world=world,
            views=view_truths(self.world, world, self._renderer, model, pose, instances, whole),
            color=self._renderer.color(model, pose),
            depth=seen.depth,
            instances=instances,
            camera=model,
            world_from_camera=pose,
            up=rigid.inverse(pose)[:3, 2].copy(),
        )

    def _pose(self, world_from_camera: Mat4 | None) -> Mat4:
        if world_from_camera is None:
            return self.world_from_camera
        return rigid.checked_transform(world_from_camera, "camera pose")

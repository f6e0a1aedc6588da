"""Views imagined from depth: the measured surface seen from elsewhere, without any model.

The pose of such a view is exact, and what it shows is the measured surface itself: views come out verified and
consistent. What no frame saw is filled from the background and marked so (:mod:`joyai_ros.geometry.view`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.errors import ConfigError, DepthError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mat4, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.fuse import GAIN_RANGE, looked_through, merge
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.surface import Plane, nearness_of, typical_nearness
from joyai_ros.geometry.view import Consistency, View
from joyai_ros.geometry.warp import Layer, completed, layer
from joyai_ros.scene.observation import Observation

IMAGE_UP = np.array([0.0, -1.0, 0.0])  # up where gravity is unknown: the camera is taken to be level
_SECOND = 1_000_000_000  # nanoseconds
_SHARP = 0.3  # pixels; an average over less changes nothing that is seen


@dataclass(frozen=True)
class ViewConfig:
    """How views are imagined.

    Attributes:
        memory: earlier frames kept and fused into each view; 0 uses the newest frame alone.
        memory_step_m: metres; a frame is kept only where the camera moved this far since the last one kept ...
        memory_step_deg: ... or turned by this many degrees.
        pose_sigma_deg: one standard deviation of a *target pose* that comes from a recording or a tracker, one degree away
            from the frame; the error of tracking adds up like a random walk, with the square root of the movement. Detail
            finer than this angle cannot be placed, and is averaged; a :class:`CameraMotion` is exact and stays sharp.
        auto_exposure: the camera exposes automatically, so that the picture that it took at such a target pose is as bright
            on average as the frame. Without it, or after a CameraMotion, surfaces keep the frame's brightness.

    Raises:
        ConfigError: on construction, for a value out of range.
    """

    memory: int = 5
    memory_step_m: float = 0.05
    memory_step_deg: float = 3.0
    pose_sigma_deg: float = 0.1
    auto_exposure: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.memory <= 50:
            raise ConfigError(f"view memory {self.memory} is out of range; give 0 to 50 frames")
        for name in ("memory_step_m", "memory_step_deg", "pose_sigma_deg"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} {value} is out of range; give a finite number, 0 or more")


class DepthImaginer:
    """Imagines views from the newest frame and, where poses exist, from a few earlier ones."""

    def __init__(self, config: ViewConfig = ViewConfig()) -> None:
        self._config = config
        self._frames: deque[Observation] = deque(maxlen=config.memory + 1)  # the newest may be the view's own

    def remember(self, observation: Observation) -> None:
        """Keep a frame for later views, if it has depth and a pose and shows something new.

        A frame older than the newest kept is left out. One from another world, or older by more than a second, starts a
        new memory: the map was reset, or the recording started over.
        """
        if self._config.memory == 0 or observation.depth is None or observation.world_from_camera is None:
            return
        if self._frames:
            last = self._frames[-1]
            if last.world_frame != observation.world_frame or last.stamp > observation.stamp + _SECOND:
                self._frames.clear()
            elif last.stamp >= observation.stamp or not self._moved(last, observation):
                return
        self._frames.append(observation)

    def imagine(
        self, observation: Observation, motion: CameraMotion, pivot: Vec3 | None = None, up: Vec3 | None = None
    ) -> View:
        """Return what the camera would see after a motion.

        Args:
            observation: the newest frame, with depth.
            motion: what the camera does.
            pivot: (3,) metres in the observation's optical frame; None: :func:`joyai_ros.geometry.motion.default_pivot`.
            up: (3,) direction against gravity in the optical frame; None: the observation's, and where it has none
                :data:`IMAGE_UP`.

        Raises:
            DepthError: the observation has no depth.
            MotionError: as :func:`joyai_ros.geometry.motion.orbit`.
        """
        depth = _depth_of(observation)
        up = up_or_image(observation) if up is None else up
        if pivot is None:
            pivot = default_pivot(observation.camera, depth)
        return self._render(observation, orbit(motion, pivot, up), observation.camera, motion, is_exact=True)

    def imagine_pose(
        self, observation: Observation, source_from_view: Mat4, camera: Camera | None = None, is_exact: bool = False
    ) -> View:
        """Return what a camera at another pose would see.

        Args:
            observation: the newest frame, with depth.
            source_from_view: (4, 4) pose of the new camera in the observation's optical frame.
            camera: the undistorted new camera; None: the observation's.
            is_exact: the pose was computed, not measured: the view stays as sharp and as bright as the frame.

        Raises:
            DepthError: the observation has no depth.
            PoseError: the pose is not a rigid transform.
            CameraError: the camera is distorted.
        """
        pose = rigid.checked_transform(source_from_view, "pose of the view")
        return self._render(observation, pose, camera or observation.camera, None, is_exact)

    def _render(
        self,
        observation: Observation,
        source_from_view: Mat4,
        camera: Camera,
        motion: CameraMotion | None,
        is_exact: bool,
    ) -> View:
        found = _layer_of(observation, camera, rigid.inverse(source_from_view))
        measured = nearness_of(_depth_of(observation))
        earlier = []
        for frame in self._usable(observation):
            frame_from_view = _source_from(frame, observation) @ source_from_view
            other = _layer_of(frame, camera, rigid.inverse(frame_from_view))
            gone = looked_through(other.nearness, camera, observation.camera, source_from_view, measured)
            earlier.append((other, gone))
        warped = completed(merge(found, earlier) if earlier else found, camera)
        movement = _movement(source_from_view, measured)
        world_from_camera = observation.world_from_camera
        return View(
            image=warped.color if is_exact else self._expected(warped.color, camera, observation, movement),
            camera=camera,
            validity=warped.validity,
            source_from_view=source_from_view,
            stamp=observation.stamp,
            source_frame=observation.frame_id,
            depth=warped.depth,
            world_from_view=None if world_from_camera is None else world_from_camera @ source_from_view,
            world_frame="" if world_from_camera is None else observation.world_frame,
            motion=motion,
            estimated_source_from_view=source_from_view,
            pose_covariance=np.zeros((6, 6)),
            verified=True,
            consistency=Consistency.CONSISTENT,
        )

    def _expected(self, color: ColorImage, camera: Camera, observation: Observation, movement: float) -> ColorImage:
        """Return the picture to expect from a recorded pose, so many degrees away; not one of the possible ones.

        What is finer than the pose is known is averaged away, and the camera exposes for what it sees there.
        """
        sigma = float(camera.fx * np.radians(self._config.pose_sigma_deg) * np.sqrt(movement))
        if sigma > _SHARP:
            color = np.asarray(cv2.GaussianBlur(color, (0, 0), sigma), dtype=np.uint8)
        if not self._config.auto_exposure:
            return color
        gain = np.mean(cv2.mean(observation.color)[:3]) / max(float(np.mean(cv2.mean(color)[:3])), 1.0)
        return np.asarray(cv2.convertScaleAbs(color, alpha=float(np.clip(gain, *GAIN_RANGE))), dtype=np.uint8)

    def _usable(self, observation: Observation) -> list[Observation]:
        """Return the earlier frames of the same world, newest first."""
        if observation.world_from_camera is None:
            return []
        same = [f for f in self._frames if f.world_frame == observation.world_frame and f.stamp != observation.stamp]
        return same[::-1][: self._config.memory]

    def _moved(self, last: Observation, new: Observation) -> bool:
        step = _source_from(last, new)
        turned = np.degrees(rigid.rotation_angle(step[:3, :3]))
        far = float(np.linalg.norm(step[:3, 3])) >= self._config.memory_step_m
        return bool(far or turned >= self._config.memory_step_deg)


def up_or_image(observation: Observation) -> Vec3:
    """Return the (3,) direction against gravity in the optical frame, or the image's where it is not known."""
    return IMAGE_UP if observation.up is None else observation.up


def _movement(source_from_view: Mat4, measured: Plane) -> float:
    """Return how far a typical surface (H, W; inverse depth) moves in the picture, as an angle in degrees."""
    shifted = float(np.linalg.norm(source_from_view[:3, 3])) * typical_nearness(measured)
    return float(np.degrees(np.hypot(rigid.rotation_angle(source_from_view[:3, :3]), np.arctan(shifted))))


def _depth_of(observation: Observation) -> DepthImage:
    if observation.depth is None:
        raise DepthError("this frame has no depth; a view needs a depth image, or a model that imagines without one")
    return observation.depth


def _layer_of(observation: Observation, camera: Camera, view_from_source: Mat4) -> Layer:
    return layer(observation.color, _depth_of(observation), observation.camera, camera, view_from_source)


def _source_from(frame: Observation, other: Observation) -> Mat4:
    """Return (4, 4) ``frame_from_other`` of two frames of one world."""
    if frame.world_from_camera is None or other.world_from_camera is None:
        raise PoseError("a frame without a pose cannot be placed beside another")
    return np.asarray(rigid.inverse(frame.world_from_camera) @ other.world_from_camera)

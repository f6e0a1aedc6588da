"""The frames that a question is about: the newest one of the camera with its scene, or the images of a goal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from joyai_ros.errors import ImageError
from joyai_ros.geometry.cameras import assumed_camera
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.frames import FrameMessages, observe
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.nodes.camera_stream import CameraFrame
from joyai_ros.nodes.config import QaNodeConfig
from joyai_ros.nodes.observing import Observed
from joyai_ros.nodes.transforms import CameraPose, Transforms
from joyai_ros.nodes.viewpoints import LatestScene
from joyai_ros.reasoning.question import Look
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.understanding.tasks import MOST_VIEWS

_NO_POSE = CameraPose()


class AskedFrames:
    """Keeps the newest frames until their scene comes, and makes what a question is about.

    Where the scene node runs, objects bear the ids of its scenes; else the newest frame is measured here, by itself.

    Args:
        config: of the node.
        observe: turns a frame of messages into an observation.
        transforms: TF.
        scenes: the newest scene of the scene node.
    """

    def __init__(
        self,
        config: QaNodeConfig,
        observe: Callable[[CameraFrame], Observed],
        transforms: Transforms,
        scenes: LatestScene,
    ) -> None:
        self._config = config
        self._observe = observe
        self._transforms = transforms
        self._scenes = scenes
        self._lock = threading.Lock()
        self._frames: deque[CameraFrame] = deque(maxlen=config.frames)
        self._factory = RosFactory()

    def add(self, frame: CameraFrame) -> None:
        """Keep a frame."""
        with self._lock:
            if self._frames and self._frames[-1].sequence != frame.sequence:
                self._frames.clear()
            self._frames.append(frame)

    def newest(self) -> Look | None:
        """Return the newest frame that has a scene, or else the newest one, measured here; None before the first.

        Raises:
            InputError: the frame cannot be used.
        """
        with self._lock:
            frames = list(self._frames)
        if not frames:
            return None
        scene = self._scenes.get()
        if scene is not None and frames[-1].stamp - scene.stamp <= self._config.scene_age * 1e9:
            frame = next((frame for frame in frames if frame.stamp == scene.stamp), None)
            if frame is not None:
                return Look(self._observe(frame).observation, scene)
        observed = self._observe(frames[-1])
        return self._measured(observed.observation, observed.level)

    def of_goal(self, images: Sequence[Any], infos: Sequence[Any], depths: Sequence[Any]) -> list[Look]:
        """Return the images of a goal, each measured by itself.

        Args:
            images: sensor_msgs/Image, 1 to 8.
            infos: sensor_msgs/CameraInfo of each; none for images that nobody calibrated.
            depths: sensor_msgs/Image registered to each; none without depth.

        Raises:
            ImageError: there are too many, or the lists do not fit together.
            InputError: an image cannot be decoded, or does not fit its camera.
        """
        if len(images) > MOST_VIEWS:
            raise ImageError(f"a goal shows {len(images)} images; at most {MOST_VIEWS} are taken")
        for what, given in (("camera_infos", infos), ("depths", depths)):
            if given and len(given) != len(images):
                raise ImageError(f"there are {len(given)} {what} for {len(images)} images; give one for each, or none")
        if depths and not infos:
            raise ImageError("depths need the camera_infos of their images; give them")
        return [
            self._look(image, infos[index] if infos else None, depths[index] if depths else None)
            for index, image in enumerate(images)
        ]

    def _look(self, image: Any, info: Any, depth: Any) -> Look:
        if image.width < 1 or image.height < 1:
            raise ImageError(f"an image is {image.width}x{image.height} pixels; give one that shows something")
        if info is None:
            info = info_message(self._factory, image.header, assumed_camera(image.width, image.height))
        stamp, frame_id = stamp_ns(image), str(image.header.frame_id).lstrip("/")
        pose = self._transforms.camera_pose(frame_id, stamp) if frame_id and stamp else _NO_POSE
        messages = FrameMessages(
            stamp=stamp,
            color=image,
            depth=depth,
            color_info=info,
            world_from_camera=pose.world_from_camera,
            world_frame=pose.world_frame,
            up=pose.up,
            rectified=self._config.topics.rectified,
        )
        observation, _ = observe(messages, depth_unit=self._config.depth.unit, registered=True)
        return self._measured(observation, pose.level)

    def _measured(self, observation: Observation, level: bool) -> Look:
        scene = self._config.scene
        engine = SceneEngine(replace(scene, world_is_level=scene.world_is_level and level))
        return Look(observation, engine.process(observation))

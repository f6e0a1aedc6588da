"""A frame of messages to an Observation: decoding, TF, detections; what cannot be used is counted and reported."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

from joyai_ros.errors import InputError, TransformError
from joyai_ros.geometry.arrays import Mask, Mat4
from joyai_ros.geometry.rectify import rectify_mask
from joyai_ros.messages.cameras import camera_from_info
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.frames import FrameMessages, observe
from joyai_ros.nodes import detectors
from joyai_ros.nodes.camera_stream import CameraFrame
from joyai_ros.nodes.config import StreamConfig
from joyai_ros.nodes.transforms import CameraPose, Transforms
from joyai_ros.scene.observation import Observation


class Observed(NamedTuple):
    """An observation, and what was left out of it.

    Attributes:
        observation: the frame.
        rejected: "id: reason" of each detection that could not be read.
        level: whether the world frame's z axis is known to point up.
        missing: which transform was missing; empty where nothing is wrong.
        seconds: what decoding took; diagnostic only.
    """

    observation: Observation
    rejected: tuple[str, ...]
    level: bool
    missing: str
    seconds: float


class Observer:
    """Turns frames of messages into observations.

    Args:
        config: of the stream.
        transforms: TF.
    """

    def __init__(self, config: StreamConfig, transforms: Transforms) -> None:
        self._config = config
        self._transforms = transforms
        self._factory = RosFactory()

    def observe(self, frame: CameraFrame) -> Observed:
        """Return the observation of a frame.

        Raises:
            TransformError: TF does not know where the camera is and the settings require it, or how two cameras stand.
            InputError: a message of the frame is not what it should be.
        """
        pose = self._transforms.camera_pose(frame.frame_id, frame.stamp)
        if pose.missing and self._config.transforms.required:
            raise TransformError(pose.missing)
        notes: Counter[str] = Counter()
        messages, masks = self._messages(frame, pose, notes)
        depth, started = self._config.depth, time.perf_counter()
        observation, rejected = observe(messages, depth_unit=depth.unit, registered=depth.registered)
        if masks:
            observation = _with_masks(observation, masks, frame)
        seconds = time.perf_counter() - started
        return Observed(observation, (*rejected, *notes), pose.level, pose.missing, seconds)

    def _messages(
        self, frame: CameraFrame, pose: CameraPose, notes: Counter[str]
    ) -> tuple[FrameMessages, dict[str, Mask]]:
        flat: Any = None
        masks: dict[str, Mask] = {}
        if frame.detections_2d is not None:
            flat, masks = detectors.adapt(self._factory, self._config.topics.detector, frame.detections_2d)
        solid, camera_from_solid = frame.detections_3d, None
        if solid is not None:
            try:
                camera_from_solid = self._from_frame(solid, frame)
            except TransformError as error:
                notes[f"{len(solid.detections)} 3D detections: {error}"] += 1
                solid = None
        apart = frame.depth is not None and not self._config.depth.registered
        messages = FrameMessages(
            stamp=frame.stamp,
            color=frame.color,
            depth=frame.depth,
            color_info=frame.color_info,
            depth_info=frame.depth_info,
            detections_2d=flat,
            detections_3d=solid,
            world_from_camera=pose.world_from_camera,
            world_frame=pose.world_frame,
            up=pose.up,
            color_from_depth=self._from_frame(frame.depth, frame) if apart else None,
            camera_from_detections=camera_from_solid,
            rectified=self._config.topics.rectified,
        )
        return messages, masks

    def _from_frame(self, message: Any, frame: CameraFrame) -> Mat4 | None:
        """Return camera_from_frame for a message in another frame; None where it is the camera's, or says none."""
        other = str(message.header.frame_id).lstrip("/")
        if not other or other == frame.frame_id:
            return None
        return self._transforms.between(frame.frame_id, other, frame.stamp)


def _with_masks(observation: Observation, masks: dict[str, Mask], frame: CameraFrame) -> Observation:
    """Add masks to the detections of the same ids, undistorted like the image."""
    camera = camera_from_info(frame.color_info)
    fitting = {name: rectify_mask(mask, camera) for name, mask in masks.items() if mask.shape == camera.shape}
    detections = tuple(replace(d, mask=fitting.get(d.id)) for d in observation.detections or ())
    return replace(observation, detections=detections)


def reason(error: InputError) -> str:
    """Return in one word, for counting, what kind of thing was wrong with a frame."""
    return type(error).__name__.removesuffix("Error").lower()

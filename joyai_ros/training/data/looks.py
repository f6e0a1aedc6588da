"""Frames of a store as what questions are asked about, with the uncertainty of looking at an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from joyai_ros.reasoning.question import Look
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene, SceneObject, UpSource
from joyai_ros.training.data.config import QuestionConfig
from joyai_ros.training.data.records import Frame


def look_of(frame: Frame, config: QuestionConfig, grown: float = 0.0) -> Look:
    """Return a frame as a look.

    Nobody sees a millimetre in an image: every position and size gets the uncertainty of the settings in addition to its
    own, so that the margins of relations grow with it.

    Args:
        frame: of a store.
        config: how much that is.
        grown: metres that are added to every side of every box, to see what an answer hangs on.
    """
    shape = frame.camera.shape
    color = np.zeros((*shape, 3), np.uint8) if frame.pixels is None else frame.pixels.color
    observation = Observation(
        color=color,
        camera=frame.camera,
        # Of the depth, questions take the middle alone.
        depth=np.full(shape, frame.middle_depth, np.float32),
        stamp=frame.stamp,
        world_from_camera=frame.world_from_camera,
        up=frame.up,
    )
    scene = Scene(
        stamp=frame.stamp,
        frame_id=observation.frame_id,
        objects=tuple(_seen(item.measured, config, grown) for item in frame.objects),
        up=frame.up,
        up_source=UpSource.GIVEN,
        world_from_camera=frame.world_from_camera,
        world_frame=observation.world_frame,
    )
    return Look(observation, scene)


def _seen(item: SceneObject, config: QuestionConfig, grown: float) -> SceneObject:
    sigma = config.sigma_m + config.sigma_share * float(np.linalg.norm(item.obb.center))
    size = np.maximum(item.obb.size + 2.0 * grown, 1e-3)
    return replace(
        item,
        obb=replace(item.obb, size=size),
        center_sigma=np.hypot(item.center_sigma, sigma),
        size_sigma=np.hypot(item.size_sigma, sigma),
        height_sigma=float(np.hypot(item.height_sigma, sigma)),
    )

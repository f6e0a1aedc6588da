"""Views from elsewhere that help an answer: of the measured surface, or drawn by a model and consistent with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from joyai_ros.errors import DepthError, MotionError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import Consistency, View
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawMemoryError
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.scene.observation import Observation
from joyai_ros.understanding.backend import IsCanceled, ModelMemoryError

Imagine: TypeAlias = Callable[[Observation, CameraMotion, IsCanceled | None], View]


def from_depth(observation: Observation, motion: CameraMotion, is_canceled: IsCanceled | None = None) -> View:
    """Return the measured surface after a motion."""
    del is_canceled  # it takes milliseconds
    return DepthImaginer().imagine(observation, motion)


def by_model(painter: OpenPainter) -> Imagine:
    """Return what imagines views with a model. A view that is not consistent with the measured surface would mislead
    whoever answers; the surface itself stands in for it.
    """
    config = painter.config
    how = Drawing(painter.preset(), config.size, strength=config.strength, show_surface=config.show_surface)

    def imagine(observation: Observation, motion: CameraMotion, is_canceled: IsCanceled | None) -> View:
        try:
            with painter.lock:
                view = painter.imaginer.imagine(observation, motion, how, is_canceled=is_canceled).view
        except DrawMemoryError as error:
            raise ModelMemoryError(f"no view could be drawn for the question: {error}") from error
        return view if view.consistency is Consistency.CONSISTENT else from_depth(observation, motion)

    return imagine


def open_views(config: ImaginationConfig) -> Imagine:
    """Return what imagines views for questions: the model that the settings name, or depth.

    Raises:
        JoyaiError: as :func:`joyai_ros.imagination.opening.open_painter`.
    """
    return by_model(open_painter(config)) if config.model else from_depth


def views_around(
    observation: Observation,
    count: int,
    yaw_deg: float,
    imagine: Imagine = from_depth,
    is_canceled: IsCanceled | None = None,
) -> list[View]:
    """Return up to ``count`` views of a frame from its right, its left, farther right and so on; none without depth.

    Args:
        observation: the frame.
        count: at most so many.
        yaw_deg: step between views on one side.
        imagine: makes each of them.
        is_canceled: whether nobody wants them any more.

    Raises:
        ModelMemoryError: the model that draws ran out of memory.
    """
    found: list[View] = []
    if observation.depth is None or not observation.depth.any():
        return found
    for index in range(count):
        yaw = yaw_deg * (index // 2 + 1) * (1 if index % 2 == 0 else -1)
        try:
            found.append(imagine(observation, CameraMotion(yaw_deg=yaw), is_canceled))
        except (DepthError, MotionError, DrawCanceledError):
            break
    return found


def in_words(views: list[View]) -> str:
    """Return what a model is told of the views that it is shown after the frames; empty where there are none."""
    return words_of_views(len(views), any(view.method == "model" for view in views)) if views else ""


def words_of_views(count: int, drawn: bool) -> str:
    """Return what a model is told of some views that follow the frames, drawn by a model or computed from depth."""
    made = "drawn by a model and consistent with its depth" if drawn else "computed from depth"
    return f" The last {count} images show the first one's scene from other sides, {made}."

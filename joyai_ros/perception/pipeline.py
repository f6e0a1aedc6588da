"""Perception: one observation in; its scene and, at a slower rate, an imagined view out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import View
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.depth_view import ViewConfig as DepthViewConfig
from joyai_ros.perception.config import PerceptionConfig
from joyai_ros.perception.due import Due
from joyai_ros.scene.answer import Answer
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene


class Seer(Protocol):
    """What turns observations of one sequence into scenes."""

    def process(self, observation: Observation) -> Scene:
        """Return the scene of one observation."""


class Imaginer(Protocol):
    """What draws an observation from elsewhere."""

    def remember(self, observation: Observation) -> None:
        """Keep a frame for later views."""

    def imagine(
        self, observation: Observation, motion: CameraMotion, pivot: Vec3 | None = None, up: Vec3 | None = None
    ) -> View:
        """Return the view after a camera motion about a pivot."""


@dataclass(frozen=True)
class Answered:
    """What questions about one frame brought.

    Attributes:
        answers: in the order of the questions; none where none was due.
        problems: (reason, details) of each question that was not answered, or not by the model.
    """

    answers: tuple[Answer, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


class Answerer(Protocol):
    """What answers questions along a stream."""

    def answer(self, observation: Observation, scene: Scene) -> Answered:
        """Return the answers about a frame."""


@dataclass(frozen=True)
class Perceived:
    """What was made of one observation.

    Attributes:
        observation: what came in.
        scene: its objects and relations.
        view: the imagined view, at its rate; None in between.
        view_error: why a view that was due could not be made; empty otherwise.
        answers: to the questions that were due.
    """

    observation: Observation
    scene: Scene
    view: View | None = None
    view_error: str = ""
    answers: tuple[Answer, ...] = ()


class Perception:
    """Runs the scene engine on every observation of a sequence and imagines a view at a rate.

    Args:
        config: settings.
        engine: the scene engine; None for :class:`joyai_ros.scene.engine.SceneEngine`.
        imaginer: draws the views; None for :class:`joyai_ros.imagination.depth_view.DepthImaginer`.
    """

    def __init__(self, config: PerceptionConfig, engine: Seer | None = None, imaginer: Imaginer | None = None) -> None:
        self._engine = engine if engine is not None else SceneEngine(config.scene)
        self._imaginer = imaginer if imaginer is not None else DepthImaginer(DepthViewConfig(config.view.memory))
        self._motion = CameraMotion(config.view.yaw_deg, config.view.pitch_deg, config.view.zoom)
        self._due = Due(config.view.rate)

    def process(self, observation: Observation) -> Perceived:
        """Return what one observation shows. A view that cannot be made is no error of the frame."""
        return self.imagine(observation, self.see(observation))

    def see(self, observation: Observation) -> Scene:
        """Return the scene of one observation: the first half of :meth:`process`."""
        return self._engine.process(observation)

    def imagine(self, observation: Observation, scene: Scene) -> Perceived:
        """Add the view where one is due: the second half of :meth:`process`, which another thread may do."""
        view, error = self._view(observation, scene)
        if self._due.rate > 0:
            self._imaginer.remember(observation)
        return Perceived(observation, scene, view, error)

    def _view(self, observation: Observation, scene: Scene) -> tuple[View | None, str]:
        """Return the view where one is due, or why there is none."""
        if observation.depth is None or not self._due.is_due(observation.stamp):
            return None, ""
        try:
            return self._imaginer.imagine(observation, self._motion, up=scene.up), ""
        except InputError as error:
            return None, str(error)

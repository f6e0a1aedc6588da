"""Settings of the perception."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.scene.config import SceneConfig
from joyai_ros.settings import setting


@dataclass(frozen=True)
class ViewConfig:
    """The imagined view that is published along the stream."""

    rate: float = setting(2.0, "views per second of stamp time; 0: none", 0.0, 100.0)
    yaw_deg: float = setting(20.0, "camera to its right about the surface at the image centre, degrees", -360.0, 360.0)
    pitch_deg: float = setting(10.0, "camera up, degrees", -179.0, 179.0)
    zoom: float = setting(1.0, "distance to that surface is divided by this", 0.1, 10.0)
    memory: int = setting(5, "earlier frames fused into a view, where the camera has a pose", 0, 50)


@dataclass(frozen=True)
class QuestionsConfig:
    """Questions that are asked again and again along the stream."""

    ask: tuple[str, ...] = setting((), "questions; a task and a colon may stand before one (count: How many cups?)")
    views: int = setting(0, "imagined views of the frame that a model is shown with each of them", 0, 16)
    rate: float = setting(1.0, "all of them are asked so many times per second of stamp time", 0.001, 100.0)


@dataclass(frozen=True)
class OutputConfig:
    """What is published, and how."""

    namespace: str = setting("joyai", "topics are /<namespace>/scene, /<namespace>/relations ...; empty: /scene ...")
    masks: bool = setting(True, "object masks (png) in scene")
    debug_quality: int = setting(85, "jpeg quality of the debug image", 1, 100)
    marker_lifetime: float = setting(1.0, "viewers forget markers after this, s; 0: never", 0.0, 3600.0)


@dataclass(frozen=True)
class PerceptionConfig:
    """Settings of :class:`joyai_ros.perception.pipeline.Perception` and of what it publishes."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

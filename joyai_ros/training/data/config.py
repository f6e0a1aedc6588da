"""Settings of the data engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.bags.config import BagConfig
from joyai_ros.scene.config import SceneConfig
from joyai_ros.settings import setting


@dataclass(frozen=True)
class SimulatorConfig:
    """How scenes of ``tabletop-v1`` are photographed: once from their own view, then from places drawn around it."""

    frames: int = setting(2, "frames of each scene", 1, 100)
    longest_side: int = setting(640, "images are drawn no larger than this, pixels", 32, 1280)
    noise: bool = setting(True, "sensors add noise to colour and depth")
    yaw_deg: float = setting(45.0, "orbits go so far to each side, deg", 0.0, 180.0)
    pitch_deg: float = setting(20.0, "orbits go so far up and down, deg", 0.0, 80.0)
    zoom: float = setting(1.25, "orbits come nearer or go away by at most this ratio", 1.0, 4.0)
    straight_share: float = setting(0.35, "share of views that go straight or turn on the spot", 0.0, 1.0)
    slide_m: float = setting(0.25, "the longest way straight, m", 0.02, 2.0)
    turn_deg: float = setting(15.0, "the widest turn on the spot, deg", 2.0, 90.0)


@dataclass(frozen=True)
class RecordingConfig:
    """Which frames of a bag or scan are kept, and how they are read."""

    frames: int = setting(12, "most frames of a bag or scan", 1, 1000)
    step_m: float = setting(0.04, "a frame is kept where the camera went so far since the last, m", 0.0, 10.0)
    step_deg: float = setting(4.0, "or turned so far, deg", 0.0, 180.0)
    least_views: int = setting(3, "measurements of an object before it counts, without ground truth", 1, 1000)
    bag: BagConfig = field(default_factory=BagConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)


@dataclass(frozen=True)
class QuestionConfig:
    """What is asked, and what is too unclear to be asked."""

    tasks: tuple[str, ...] = setting((), "names in the task table; empty: all that geometry can answer")
    per_scene: float = setting(4.0, "questions of a task for each scene, on average, at most", 0.1, 1000.0)
    least_visible: float = setting(0.5, "objects of which less is seen are not asked about, share", 0.01, 1.0)
    least_pixels: int = setting(60, "nor those with fewer pixels", 1, 100000)
    sigma_m: float = setting(0.004, "uncertainty of a look: positions and sizes, m", 0.0, 0.1)
    sigma_share: float = setting(0.004, "the same in addition, share of the distance", 0.0, 0.1)
    least_confidence: float = setting(0.98, "choices that geometry is less sure of are not asked", 0.5, 1.0)
    least_length: float = setting(0.02, "lengths below this are not asked for, m", 0.0, 1.0)


@dataclass(frozen=True)
class SplitConfig:
    """How scenes are divided."""

    validation: float = setting(0.05, "share of the scenes for validation", 0.0, 1.0)
    test: float = setting(0.05, "share of the scenes for tests", 0.0, 1.0)


@dataclass(frozen=True)
class DataConfig:
    """Settings of ``joyai-ros data build``; the margins of relations are those of ``recording.scene.relations``."""

    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    recording: RecordingConfig = field(default_factory=RecordingConfig)
    questions: QuestionConfig = field(default_factory=QuestionConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    shard_scenes: int = setting(32, "scenes of a shard at most", 1, 10000)
    jpeg_quality: int = setting(92, "of the colour images", 1, 100)

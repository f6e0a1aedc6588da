"""Simulated observations with their truth: what the scene engine gets, and what it should have said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from joyai_ros.errors import ConfigError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Float, Mat4
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.sim import sensors
from joyai_ros.sim.description import SceneDescription
from joyai_ros.sim.robot import COLOR_OPTICAL, MAP
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.trajectory import ObjectMove, SweepRanges, scripted_move, sweep
from joyai_ros.sim.truth import FrameTruth

BOXES = ("true", "jittered", "masks", "none")


_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class SimSettings:
    """How a scene is recorded.

    Attributes:
        rate: frames per second of the stamps.
        start: stamp of the first frame, nanoseconds.
        noise: whether the sensors add noise.
        whole: on which frames visible fractions are computed: ``all``, ``first`` or ``none``.
        jitter: each edge of a jittered box moves by up to this share of the box's width or height.
        min_pixels: visible pixels below which nothing is detected.
        min_fraction: visible share below which nothing is detected, where it is known.
        moves: objects that are carried elsewhere during a sweep.
        sweep: how far the camera goes.
    """

    rate: float = 30.0
    start: int = 1_000_000_000
    noise: bool = True
    whole: str = "all"
    jitter: float = 0.05
    min_pixels: int = 80
    min_fraction: float = 0.08
    moves: int = 0
    sweep: SweepRanges = field(default_factory=SweepRanges)

    def __post_init__(self) -> None:
        if self.whole not in ("all", "first", "none"):
            raise ConfigError(f"whole={self.whole!r} is unknown; choose all, first or none")
        if not self.rate > 0:
            raise ConfigError(f"rate={self.rate} is not positive; give frames per second")


@dataclass(frozen=True)
class SimFrame:
    """One frame of a simulated recording.

    Attributes:
        seed, index: which scene and which frame of it.
        observation: what a robot would know: noisy images, the camera and its pose, detections where asked for.
        truth: what is true.
        description: what the seed means.
    """

    seed: int
    index: int
    observation: Observation
    truth: FrameTruth
    description: SceneDescription


def simulate(
    scene: int | SceneDescription, frames: int = 1, settings: SimSettings = SimSettings(), boxes: str = "true"
) -> Iterator[SimFrame]:
    """Yield the frames of one scene: the first from its own view, the others along a sweep.

    Args:
        scene: the seed of one of ``tabletop-v1``, 0 or more; or a description.
        frames: how many; the same scene with another number takes the same path with other steps.
        settings: noise, stamps, motions.
        boxes: what the observations bring: ``true`` 2D boxes round the visible pixels, ``jittered`` ones, ``masks`` (boxes
            and instance masks), or ``none`` (nobody looked).

    Raises:
        ConfigError: the seed, the number of frames or ``boxes`` is out of range.
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
    """
    if boxes not in BOXES:
        raise ConfigError(f"boxes={boxes!r} is unknown; choose one of {', '.join(BOXES)}")
    if frames < 1:
        raise ConfigError(f"frames={frames} is below 1")
    with TabletopSim(scene) as sim:
        seed = sim.description.seed
        poses = sweep(sim.description, frames, settings.sweep)
        moves = [m for k in range(settings.moves) if (m := scripted_move(sim.world, frames, k)) is not None]
        starts = {m.object_id: sim.object_pose(m.object_id) for m in moves}
        for index, pose in enumerate(poses):
            _apply(sim, moves, starts, index)
            whole = settings.whole == "all" or (settings.whole == "first" and index == 0)
            truth = sim.truth(pose, whole=whole)
            stamp = settings.start + round(index / settings.rate * _NANOSECONDS)
            yield SimFrame(
                seed, index, observe(sim.description, truth, index, stamp, settings, boxes), truth, sim.description
            )


def _apply(sim: TabletopSim, moves: list[ObjectMove], starts: dict[str, Mat4], frame: int) -> None:
    for move in moves:
        if move.first < frame <= move.last:
            sim.move_object(move.object_id, move.pose(starts[move.object_id], frame))


def observe(
    description: SceneDescription, truth: FrameTruth, index: int, stamp: int, settings: SimSettings, boxes: str
) -> Observation:
    """Return what a robot knows of a true frame.

    Args:
        description: the scene.
        truth: the frame.
        index: its number; with the scene's seed it seeds the noise.
        stamp: nanoseconds.
        settings: noise and detection limits.
        boxes: as for :func:`simulate`.
    """
    color, depth = truth.color, truth.depth
    if settings.noise:
        color, depth = noisy(description, truth, index)
    return Observation(
        color=color,
        camera=truth.camera,
        depth=depth,
        stamp=stamp,
        frame_id=COLOR_OPTICAL,
        world_from_camera=truth.world_from_camera,
        world_frame=MAP,
        up=truth.up,
        detections=_detections(description, truth, index, settings, boxes),
    )


def noisy(description: SceneDescription, truth: FrameTruth, index: int) -> tuple[ColorImage, DepthImage]:
    """Return the colour and depth that the scene's sensors report for frame ``index``."""
    random = np.random.Generator(np.random.PCG64([description.seed, index, 1]))
    reflective = [truth.mask(o.id) for o in description.objects if o.reflective]
    depth = sensors.measured_depth(truth.depth, truth.camera, description.depth_noise, reflective, random)
    return sensors.captured_color(truth.color, description.color_noise, random), depth


def _detections(
    description: SceneDescription, truth: FrameTruth, index: int, settings: SimSettings, boxes: str
) -> tuple[Detection, ...] | None:
    if boxes == "none":
        return None
    random = np.random.Generator(np.random.PCG64([description.seed, index, 2]))
    found = []
    for view in truth.views:
        shift = random.uniform(-settings.jitter, settings.jitter, 4)
        if (
            view.box is None
            or view.visible_pixels < settings.min_pixels
            or view.visible_fraction < settings.min_fraction
        ):
            continue
        box = _jittered(view.box, shift, truth.camera.size) if boxes == "jittered" else view.box
        mask = truth.mask(view.id) if boxes == "masks" else None
        found.append(Detection(view.id, truth.world.object(view.id).label, box, 1.0, mask))
    return tuple(found)


def _jittered(box: Box2D, shift: Float, size: tuple[int, int]) -> Box2D:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    return (
        max(0.0, x0 + shift[0] * width),
        max(0.0, y0 + shift[1] * height),
        min(float(size[0]), x1 + shift[2] * width),
        min(float(size[1]), y1 + shift[3] * height),
    )

"""Scenes of ``tabletop-v1``, photographed from their own view and from places drawn around it, with what is true."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.sim.frames import noisy
from joyai_ros.sim.relations import true_objects
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.truth import FrameTruth
from joyai_ros.training.data.config import SimulatorConfig
from joyai_ros.training.data.records import Frame, Pixels, SeenObject
from joyai_ros.training.data.seen import cloud_of, seen_object, shuffled

_TRIES = 30  # for a place that the camera can stand at
_CLEAR = 0.18  # metres that the camera keeps from everything
_SHOWS = 0.02  # share of the image that objects must fill
_STILL, _STILL_M = 0.1, 0.004  # share of the straight ways that are none, and what is left of them, m
_SECOND = 1_000_000_000


def scene_id(seed: int) -> str:
    """Return the id of a simulated scene; a bag of the same scene has the same."""
    return f"tabletop-v1/{seed:06d}"


def simulated_frames(seed: int, config: SimulatorConfig) -> list[Frame]:
    """Return the frames of a scene, with their pixels.

    Args:
        seed: the scene.
        config: how many, how large, from where.

    Raises:
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
    """
    random = np.random.default_rng([seed, 77])
    with TabletopSim(seed) as sim:
        camera = _within(sim.camera, config.longest_side)
        start = sim.world_from_camera
        truths = [sim.truth(start, camera)]
        while len(truths) < config.frames:
            found = _from_elsewhere(sim, truths[0], config, random)
            if found is None:
                break
            truths.append(found)
        frames = []
        for index, truth in enumerate(truths):
            color, depth = noisy(sim.description, truth, index) if config.noise else (truth.color, truth.depth)
            frames.append(_frame(seed, index, truth, Pixels(color, depth), random))
        return frames


def _within(camera: Camera, longest: int) -> Camera:
    scale = longest / max(camera.size)
    return camera if scale >= 1 else camera.resized(round(camera.width * scale), round(camera.height * scale))


def _from_elsewhere(
    sim: TabletopSim, first: FrameTruth, config: SimulatorConfig, random: np.random.Generator
) -> FrameTruth | None:
    """Return the truth from another place; None where none is found that is clear of everything and sees objects."""
    for _ in range(_TRIES):
        moved = _move(first, config, random)
        if moved is None:
            continue
        pose = first.world_from_camera @ moved
        seen = sim.render_depth(pose, first.camera)
        objects = (seen.instances > 0) & (seen.instances < 255)
        if not seen.depth.any() or seen.depth[seen.depth > 0].min() < _CLEAR or objects.mean() < _SHOWS:
            continue
        return sim.truth(pose, first.camera)
    return None


def _move(first: FrameTruth, config: SimulatorConfig, random: np.random.Generator) -> Mat4 | None:
    """Return a pose in the first camera's frame: most often an orbit, else a way straight or a turn on the spot."""
    if random.random() >= config.straight_share:
        zoom = math.exp(random.uniform(-1.0, 1.0) * math.log(config.zoom))
        yaw, pitch = (random.uniform(-most, most) for most in (config.yaw_deg, config.pitch_deg))
        try:
            return orbit(CameraMotion(yaw, pitch, zoom), default_pivot(first.camera, first.depth), first.up)
        except MotionError:  # past straight down
            return None
    if random.random() < _STILL:
        return rigid.make_transform(np.eye(3), random.uniform(-_STILL_M, _STILL_M, 3))
    if random.random() < 0.3:
        turn = math.radians(random.choice((-1.0, 1.0)) * random.uniform(0.3, 1.0) * config.turn_deg)
        return rigid.make_transform(rigid.axis_angle(first.up, -turn), np.zeros(3))
    way = np.zeros(3)
    way[int(random.integers(3))] = random.choice((-1.0, 1.0)) * random.uniform(0.3, 1.0) * config.slide_m
    return rigid.make_transform(np.eye(3), way)


def _frame(seed: int, index: int, truth: FrameTruth, pixels: Pixels, random: np.random.Generator) -> Frame:
    scene = scene_id(seed)
    objects: list[SeenObject] = []
    for item, view in zip(true_objects(truth), truth.views, strict=True):
        owner = truth.world.object(item.id)
        mask = truth.mask(item.id)
        cloud = cloud_of(pixels.depth, mask, truth.camera, item.obb)
        seen = seen_object(item, owner.color, view.visible_fraction, mask, cloud, exact=True)
        others = [other.id for other in truth.world.objects if other.id != item.id]
        objects.append(replace(seen, gaps=tuple((other, truth.world.distance(item.id, other)) for other in others)))
    measured = pixels.depth[pixels.depth > 0]
    return Frame(
        id=f"{scene}/{index:03d}",
        scene=scene,
        stamp=(index + 1) * _SECOND,
        camera=truth.camera,
        world_from_camera=truth.world_from_camera,
        up=truth.up,
        middle_depth=float(np.median(measured)) if len(measured) else 1.0,
        objects=shuffled(objects, random),
        pixels=pixels,
    )

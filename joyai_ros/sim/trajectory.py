"""Where the camera goes and what is moved meanwhile: smooth seeded sweeps and scripted object motions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.sim.description import CameraPlacement, SceneDescription
from joyai_ros.sim.distribution import camera_pose
from joyai_ros.sim.draws import Draws
from joyai_ros.sim.free_space import free_translation
from joyai_ros.sim.shapes import shape_of
from joyai_ros.sim.world import World

_TRIES = 40


@dataclass(frozen=True)
class SweepRanges:
    """How far a sweep goes.

    Attributes:
        azimuth: degrees round the target, to one side.
        elevation: degrees up or down at its height.
        zoom: the distance's largest relative change.
        elevation_limits: degrees that the camera keeps within.
        clearance: metres that it keeps from every object's bounding sphere.
    """

    azimuth: tuple[float, float] = (35.0, 75.0)
    elevation: tuple[float, float] = (3.0, 12.0)
    zoom: tuple[float, float] = (0.0, 0.15)
    elevation_limits: tuple[float, float] = (15.0, 65.0)
    clearance: float = 0.15


def sweep(scene: SceneDescription, frames: int, ranges: SweepRanges = SweepRanges()) -> list[Mat4]:
    """Return world_from_camera (4, 4) for each frame: from the scene's own view along an arc round its target.

    The camera starts and stops gently; elevation and distance swing on the way. The same scene and number of frames give
    the same sweep. Where every drawn arc would come too close to an object, the camera turns as little as is left.
    """
    draws = Draws(f"{scene.name}/sweep", scene.seed)
    for attempt in range(_TRIES):
        shrink = 1.0 - attempt / _TRIES
        side = draws.choice((-1.0, 1.0))
        turn = side * shrink * math.radians(draws.uniform(ranges.azimuth))
        rise = draws.choice((-1.0, 1.0)) * shrink * math.radians(draws.uniform(ranges.elevation))
        zoom = draws.uniform((-1.0, 1.0)) * shrink * draws.uniform(ranges.zoom)
        views = [_along(scene.view, turn, rise, zoom, k / max(frames - 1, 1)) for k in range(frames)]
        if all(_is_clear(view, scene, ranges) for view in views[1:]):
            break
    return [camera_pose(view) for view in views]


def _along(start: CameraPlacement, turn: float, rise: float, zoom: float, share: float) -> CameraPlacement:
    eased = 0.5 - 0.5 * math.cos(math.pi * share)
    swing = math.sin(math.pi * eased)
    return replace(
        start,
        azimuth=start.azimuth + turn * eased,
        elevation=start.elevation + rise * swing,
        distance=start.distance * (1.0 + zoom * math.sin(2.0 * math.pi * eased)),
    )


def _is_clear(view: CameraPlacement, scene: SceneDescription, ranges: SweepRanges) -> bool:
    low, high = (math.radians(v) for v in ranges.elevation_limits)
    if not low <= view.elevation <= high:
        return False
    eye = camera_pose(view)[:3, 3]
    for described in scene.objects:
        vertices = shape_of(described.kind, described.dimensions).surface.vertices
        radius = float(np.linalg.norm(vertices, axis=1).max())
        if np.linalg.norm(eye - np.array(described.position)) < radius + ranges.clearance:
            return False
    return True


@dataclass(frozen=True)
class ObjectMove:
    """An object that is carried somewhere else while the camera looks.

    Attributes:
        object_id: whose.
        first, last: it leaves after frame ``first`` and has arrived at frame ``last``; consecutive ones mean it was moved
            unseen.
        translation: (3,) metres in the world.
        yaw: turn about the vertical, radians.
        lift: metres by which it is raised half way.
    """

    object_id: str
    first: int
    last: int
    translation: tuple[float, float, float]
    yaw: float = 0.0
    lift: float = 0.0

    def pose(self, start: Mat4, frame: int) -> Mat4:
        """Return world_from_body (4, 4) at a frame for an object that started at ``start``."""
        share = min(max((frame - self.first) / (self.last - self.first), 0.0), 1.0)
        lifted: Vec3 = np.array([0.0, 0.0, self.lift * math.sin(math.pi * share)])
        rotation = rigid.axis_angle(np.array([0.0, 0.0, 1.0]), self.yaw * share) @ start[:3, :3]
        return rigid.make_transform(rotation, start[:3, 3] + share * np.array(self.translation) + lifted)


def scripted_move(world: World, frames: int, number: int = 0) -> ObjectMove | None:
    """Return a seeded move of one free-standing object to a free place on the table; None where there is no room.

    It is carried during the middle third of ``frames`` frames.
    """
    draws = Draws(f"{world.description.name}/move/{number}", world.description.seed)
    found = free_translation(world, draws)
    if found is None or frames < 3:
        return None
    index, translation = found
    first = frames // 3
    last = max(first + 1, (2 * frames) // 3)
    x, y = translation
    return ObjectMove(world.objects[index].id, first, last, (x, y, 0.0), 0.0, 0.1)

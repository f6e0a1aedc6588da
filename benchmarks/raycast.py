"""Depth images of simple solids in closed form: what a perfect pinhole camera measures, with no library behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import DepthImage, Float, Mat4, Vec3
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera

Triple = Sequence[float] | Float  # x, y, z


class Solid(Protocol):
    """Something that rays hit; the world is metres, z up."""

    def depth(self, origin: Vec3, rays: Float) -> Float:
        """Return (N,) the ray parameter at which rays (N, 3) from ``origin`` enter it, infinity where they miss."""
        ...


@dataclass(frozen=True)
class Block:
    """A standing box.

    Attributes:
        center, size: (x, y, z) metres.
        heading: radians about up.
    """

    center: Triple
    size: Triple
    heading: float = 0.0

    def depth(self, origin: Vec3, rays: Float) -> Float:
        """Slab method."""
        turn = rigid.axis_angle(np.array([0.0, 0.0, 1.0]), -self.heading)
        start, direction, half = turn @ (origin - np.asarray(self.center)), rays @ turn.T, np.asarray(self.size) / 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (-half - start) / direction, (half - start) / direction
        enter, leave = np.fmin(first, second).max(axis=1), np.fmax(first, second).min(axis=1)
        return np.where((enter < leave) & (enter > 0), enter, np.inf)


@dataclass(frozen=True)
class Tube:
    """An upright cylinder, closed or an open cup with infinitely thin walls.

    Attributes:
        center: (x, y, z) metres.
        radius, height: metres.
        closed: it has a top; else the rays fall in and meet its inside and its bottom.
    """

    center: Triple
    radius: float
    height: float
    closed: bool = True

    def depth(self, origin: Vec3, rays: Float) -> Float:
        """The nearest of the wall's two sides and the ends."""
        start, half = origin - np.asarray(self.center), self.height / 2.0
        a = np.maximum((rays[:, :2] ** 2).sum(axis=1), 1e-12)
        b = rays[:, :2] @ start[:2]
        inside = b * b - a * (start[:2] @ start[:2] - self.radius**2)
        root = np.sqrt(np.maximum(inside, 0.0))
        hits = []
        for t in ((-b - root) / a, (-b + root) / a):
            on_wall = (inside > 0) & (t > 0) & (np.abs(start[2] + t * rays[:, 2]) <= half)
            hits.append(np.where(on_wall, t, np.inf))
        for end in (-half, half) if self.closed else (-half,):
            with np.errstate(divide="ignore", invalid="ignore"):
                t = (end - start[2]) / rays[:, 2]
            t = np.where(np.isfinite(t) & (t > 0), t, 0.0)
            within = ((start[:2] + t[:, None] * rays[:, :2]) ** 2).sum(axis=1) <= self.radius**2
            hits.append(np.where(within & (t > 0), t, np.inf))
        return np.min(hits, axis=0)


@dataclass(frozen=True)
class Ball:
    """A sphere; centre (x, y, z) and radius in metres."""

    center: Triple
    radius: float

    def depth(self, origin: Vec3, rays: Float) -> Float:
        """The nearer root of the quadratic."""
        start = origin - np.asarray(self.center)
        a, b = (rays**2).sum(axis=1), rays @ start
        inside = b * b - a * (start @ start - self.radius**2)
        t = (-b - np.sqrt(np.maximum(inside, 0.0))) / a
        return np.where((inside > 0) & (t > 0), t, np.inf)


@dataclass(frozen=True)
class Seen:
    """What a camera sees.

    Attributes:
        depth: (H, W) float32 metres, 0 where there is nothing.
        owner: (H, W) int, index into ``names``, -1 for nothing.
        names: of the things.
    """

    depth: DepthImage
    owner: NDArray[np.int64]
    names: tuple[str, ...]

    def mask(self, name: str) -> NDArray[np.bool_]:
        """(H, W) bool: where this thing is seen."""
        return np.asarray(self.owner == self.names.index(name))

    def box(self, name: str) -> Box2D:
        """The 2D box around what is seen of a thing.

        Raises:
            ValueError: it is not seen at all.
        """
        rows, columns = np.nonzero(self.mask(name))
        if not len(rows):
            raise ValueError(f"{name} is not in the picture")
        return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def look(things: Mapping[str, Sequence[Solid]], camera: Camera, world_from_camera: Mat4) -> Seen:
    """Return what an undistorted camera sees of things, each made of solids."""
    origin = world_from_camera[:3, 3]
    rays = camera.rays().reshape(-1, 3).astype(np.float64) @ world_from_camera[:3, :3].T
    nearest, owner = np.full(len(rays), np.inf), np.full(len(rays), -1)
    for index, solids in enumerate(things.values()):
        for solid in solids:
            depth = solid.depth(origin, rays)
            closer = depth < nearest
            nearest[closer], owner[closer] = depth[closer], index
    metres = np.where(np.isfinite(nearest), nearest, 0.0).astype(np.float32)
    return Seen(metres.reshape(camera.shape), owner.reshape(camera.shape), tuple(things))


def tray(center: Triple, size: Triple, wall: float, heading: float = 0.0) -> list[Solid]:
    """Return an open box: a floor and four walls of ``wall`` metres within ``size`` (x, y, z) about ``center``."""
    (x, y, z), turn = size, rigid.axis_angle(np.array([0.0, 0.0, 1.0]), heading)
    parts = [((0.0, 0.0, (wall - z) / 2.0), (x, y, wall))]
    parts += [((side * (x - wall) / 2.0, 0.0, 0.0), (wall, y, z)) for side in (-1.0, 1.0)]
    parts += [((0.0, side * (y - wall) / 2.0, 0.0), (x, wall, z)) for side in (-1.0, 1.0)]
    return [Block(np.asarray(center) + turn @ np.array(offset), part, heading) for offset, part in parts]


def pose_towards(eye: Triple, target: Triple, roll: float = 0.0) -> Mat4:
    """Return world_from_camera (4, 4) of a camera at ``eye`` that looks at ``target``, rolled by radians.

    A camera that looks straight down has the world's y axis up in its image.
    """
    forward = rigid.unit(np.asarray(target, dtype=np.float64) - np.asarray(eye, dtype=np.float64))
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = rigid.unit(np.cross(forward, up))
    level = np.stack([right, np.cross(forward, right), forward], axis=1)
    return rigid.make_transform(
        level @ rigid.axis_angle(np.array([0.0, 0.0, 1.0]), roll), np.asarray(eye, dtype=np.float64)
    )

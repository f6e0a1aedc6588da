"""A room of planes whose picture and depth are known in closed form from every pose.

A textured wall, a textured floor and a plate in front of the wall. Textures are smooth, so that what a warp samples
between pixels can be compared with the truth. The world is the optical frame of a level camera: x right, y down, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera

WALL, FLOOR, PLATE = 1, 2, 3
WALL_DISTANCE, FLOOR_BELOW = 3.0, 1.0  # metres
UP = np.array([0.0, -1.0, 0.0])
CAMERA = Camera(240, 180, 210.0, 210.0, 119.5, 89.5)


@dataclass(frozen=True)
class Picture:
    color: np.ndarray  # (H, W, 3) uint8
    depth: np.ndarray  # (H, W) float32
    surface: np.ndarray  # (H, W) WALL, FLOOR or PLATE


@dataclass(frozen=True)
class Room:
    """The plate stands at ``plate_distance``, centred at ``plate_center`` (x, y), ``plate_size`` (width, height) metres."""

    plate_distance: float = 1.5
    plate_center: tuple[float, float] = (0.0, 0.0)
    plate_size: tuple[float, float] = (0.5, 0.4)
    plain: bool = False  # one colour a surface: wall blue, floor green, plate red

    def seen_from(self, camera: Camera = CAMERA, world_from_camera: np.ndarray | None = None) -> Picture:
        pose = np.eye(4) if world_from_camera is None else world_from_camera
        v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
        return self.along(camera.unproject(np.stack([u, v], -1), np.ones(camera.shape)), pose)

    def along(self, rays: np.ndarray, world_from_camera: np.ndarray) -> Picture:
        """The picture along (H, W, 3) rays with z = 1 in the camera frame."""
        origin, direction = world_from_camera[:3, 3], rays @ world_from_camera[:3, :3].T
        distances = np.stack([self._hit(surface, origin, direction) for surface in (WALL, FLOOR, PLATE)])
        surface = distances.argmin(axis=0)
        depth = np.take_along_axis(distances, surface[None], axis=0)[0]
        points = origin + direction * depth[..., None]
        return Picture(self._color(surface + 1, points), depth.astype(np.float32), surface + 1)

    def _hit(self, surface: int, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
        axis, at = {WALL: (2, WALL_DISTANCE), FLOOR: (1, FLOOR_BELOW), PLATE: (2, self.plate_distance)}[surface]
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (at - origin[axis]) / direction[..., axis]
            point = origin + direction * distance[..., None]
            hit = distance > 0
            if surface == PLATE:
                hit &= (np.abs(point[..., :2] - self.plate_center) * 2 <= self.plate_size).all(axis=-1)
        return np.where(hit, distance, 1e6)

    def _color(self, surface: np.ndarray, points: np.ndarray) -> np.ndarray:
        base = np.array([[0, 0, 0], [30, 60, 200], [40, 170, 60], [210, 40, 30]], dtype=np.float64)[surface]
        if not self.plain:
            x, y, z = np.moveaxis(points, -1, 0)
            waves = np.stack([np.sin(7 * x + 2 * z), np.sin(6 * y + 5 * x), np.sin(8 * z + 5 * y)], axis=-1)
            base = np.clip(base, 45, 210) + 40 * waves
        return np.rint(base).astype(np.uint8)


def near_edge(surface: np.ndarray, pixels: int) -> np.ndarray:
    """(H, W) bool: within so many pixels of another surface."""
    window = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    ids = surface.astype(np.uint8)
    return cv2.dilate(ids, window) != cv2.erode(ids, window)


def inside(seen: np.ndarray) -> np.ndarray:
    """(H, W) bool: seen, and so are the neighbours. (Half a pixel beyond the last sample there is nothing to sample.)"""
    return seen & ~near_edge(np.pad(seen, 1), 1)[1:-1, 1:-1]


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0, pitch: float = 0.0) -> np.ndarray:
    """The pose of a camera moved by metres and turned by radians about y and x."""
    rotation = rigid.axis_angle(np.array([0.0, 1.0, 0.0]), yaw) @ rigid.axis_angle(np.array([1.0, 0.0, 0.0]), pitch)
    return rigid.make_transform(rotation, np.array([x, y, z]))

"""Closed triangle surfaces with normals and texture coordinates, from which the visible objects are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Float, Mat3, Points, Vec3

SEGMENTS = 48  # sides of a round surface: the polygon stays within 0.2% of the radius of the true circle
_CREASE_COSINE = np.cos(np.radians(40.0))  # edges sharper than this stay sharp in the shading


@dataclass(frozen=True)
class Surface:
    """Triangles in a body frame.

    Attributes:
        vertices: (N, 3) float64 metres.
        normals: (N, 3) float64 unit, outward.
        texture: (N, 2) float64 texture coordinates; one unit is one repeat of the texture.
        faces: (M, 3) int32 vertex indices, anticlockwise seen from outside.
    """

    vertices: Points
    normals: Points
    texture: Float
    faces: NDArray[np.int32]

    def moved(self, translation: Vec3, rotation: Mat3 | None = None) -> Surface:
        """The surface after a (3, 3) rotation and then a (3,) translation."""
        turn = np.eye(3) if rotation is None else rotation
        return Surface(
            self.vertices @ turn.T + np.asarray(translation), self.normals @ turn.T, self.texture, self.faces
        )


def merge(surfaces: Sequence[Surface]) -> Surface:
    """Put several surfaces into one; they are not united, so they should at most touch."""
    starts = np.cumsum([0] + [len(s.vertices) for s in surfaces[:-1]])
    return Surface(
        np.concatenate([s.vertices for s in surfaces]),
        np.concatenate([s.normals for s in surfaces]),
        np.concatenate([s.texture for s in surfaces]),
        np.concatenate([s.faces + start for s, start in zip(surfaces, starts, strict=True)]).astype(np.int32),
    )


def box(size: Sequence[float], center: Sequence[float] = (0.0, 0.0, 0.0), texture_scale: float = 0.1) -> Surface:
    """A box with extents ``size`` (3,) metres; one texture repeat every ``texture_scale`` metres."""
    half = np.asarray(size, dtype=np.float64) / 2.0
    vertices: list[Points] = []
    normals: list[Points] = []
    texture: list[Float] = []
    faces: list[NDArray[np.int_]] = []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            corners = np.zeros((4, 3))
            corners[:, axis] = sign
            corners[:, first] = [-1, 1, 1, -1]
            corners[:, second] = [-1, -1, 1, 1]
            points = corners * half
            start = len(vertices) * 4
            vertices.append(points)
            normals.append(np.tile(sign * np.eye(3)[axis], (4, 1)))
            texture.append(points[:, [first, second]] / texture_scale)
            order = [[0, 1, 2], [0, 2, 3]] if sign > 0 else [[0, 2, 1], [0, 3, 2]]
            faces.append(np.array(order) + start)
    return Surface(
        np.concatenate(vertices) + np.asarray(center, dtype=np.float64),
        np.concatenate(normals),
        np.concatenate(texture),
        np.concatenate(faces).astype(np.int32),
    )


def lathe(profile: Sequence[tuple[float, float]], texture_scale: float = 0.1, segments: int = SEGMENTS) -> Surface:
    """Turn a profile about the z axis.

    Args:
        profile: (radius, z) metres, from the bottom outside upwards and back inside, so that outward lies on its right;
            a radius of zero closes the surface on the axis.
        texture_scale: metres for one repeat of the texture, rounded so that a whole number of repeats fits round.
        segments: sides of the polygon that stands for the circle.
    """
    points = np.asarray(profile, dtype=np.float64)
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    flat = np.stack([steps[:, 1], -steps[:, 0]], axis=1) / lengths[:, None]  # (radial, z) normal of each segment
    angles = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    repeats = max(1.0, round(2.0 * np.pi * points[:, 0].max() / texture_scale))
    along = np.concatenate([[0.0], np.cumsum(lengths)]) / texture_scale
    vertices, normals, texture, faces = [], [], [], []
    start = 0
    for i in range(len(steps)):
        ends = (_joined(flat, i, i - 1), _joined(flat, i, i + 1))
        for end, normal in zip((i, i + 1), ends, strict=True):
            radius, z = points[end]
            vertices.append(np.column_stack([radius * circle, np.full(segments + 1, z)]))
            normals.append(np.column_stack([normal[0] * circle, np.full(segments + 1, normal[1])]))
            texture.append(np.column_stack([angles / (2.0 * np.pi) * repeats, np.full(segments + 1, along[end])]))
        low = start + np.arange(segments)
        high = low + segments + 1
        if points[i, 0] > 1e-9:
            faces.append(np.column_stack([low, low + 1, high]))
        if points[i + 1, 0] > 1e-9:
            faces.append(np.column_stack([low + 1, high + 1, high]))
        start += 2 * (segments + 1)
    return Surface(
        np.concatenate(vertices),
        np.concatenate(normals),
        np.concatenate(texture),
        np.concatenate(faces).astype(np.int32),
    )


def _joined(flat: Float, segment: int, neighbour: int) -> Float:
    """The shading normal where two profile segments meet: their mean where the bend is soft."""
    if not 0 <= neighbour < len(flat) or flat[segment] @ flat[neighbour] < _CREASE_COSINE:
        return np.asarray(flat[segment])
    mean = flat[segment] + flat[neighbour]
    return np.asarray(mean / np.linalg.norm(mean))


def tube(path: Points, radius: float, texture_scale: float = 0.1, sides: int = 10) -> Surface:
    """A round tube along ``path`` (N, 3), which lies in a plane; its ends are open and belong inside another surface."""
    path = np.asarray(path, dtype=np.float64)
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    plane = np.cross(tangents[0], tangents[len(path) // 2])
    plane /= np.linalg.norm(plane)
    angles = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    across = np.cross(tangents, plane)
    normals = np.cos(angles)[None, :, None] * across[:, None, :] + np.sin(angles)[None, :, None] * plane
    vertices = path[:, None, :] + radius * normals
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]) / texture_scale
    texture = np.stack(np.broadcast_arrays(angles[None, :] / (2.0 * np.pi), along[:, None]), axis=-1)
    faces = []
    for i in range(len(path) - 1):
        low = i * (sides + 1) + np.arange(sides)
        high = low + sides + 1
        faces += [np.column_stack([low, high, low + 1]), np.column_stack([low + 1, high, high + 1])]
    return Surface(
        vertices.reshape(-1, 3), normals.reshape(-1, 3), texture.reshape(-1, 2), np.concatenate(faces).astype(np.int32)
    )

"""Convex outlines on the ground: hulls, separation, containment."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from joyai_ros.geometry.arrays import Float, Points


def outline(points: Points) -> Float:
    """Return the convex hull (K, 2) of the points (N, 3) seen from above, anticlockwise."""
    flat = np.asarray(points)[:, :2]
    return np.asarray(flat[ConvexHull(flat).vertices])


def separation(a: Float, b: Float) -> float:
    """Return the widest gap in metres between two convex outlines along an edge normal; negative where they overlap.

    It never exceeds the true distance (separating axes; exact where an edge faces a corner).
    """
    return max(_gap(a, b), _gap(b, a))


def _gap(a: Float, b: Float) -> float:
    edges = np.roll(a, -1, axis=0) - a
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-300
    outer = (normals * a).sum(axis=1)
    return float(((normals @ b.T).min(axis=1) - outer).max())


def depth_inside(point: Float, polygon: Float) -> float:
    """Return how far a point (2,) lies inside a convex outline, negative outside, metres."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-300
    return float(((polygon - point) * normals).sum(axis=1).min())


def touching_offset(fixed: Float, moving: Float, direction: Float, gap: float) -> float:
    """Return how far to move ``moving`` along a unit ``direction`` (2,) so that it comes within ``gap`` of ``fixed``."""
    low, high = 0.0, 2.0
    for _ in range(48):
        middle = (low + high) / 2
        if separation(fixed, moving + middle * direction) > gap:
            high = middle
        else:
            low = middle
    return high

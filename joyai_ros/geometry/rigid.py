"""Rigid transforms and rotations as plain arrays."""

from __future__ import annotations

import numpy as np

from joyai_ros.errors import PoseError
from joyai_ros.geometry.arrays import Float, Mat3, Mat4, Points, Vec3


def checked_transform(matrix: Float, name: str = "transform") -> Mat4:
    """Return ``matrix`` as a (4, 4) float64 rigid transform whose rotation is exactly orthonormal.

    Recorded poses carry rounding (six digits in text files), so a rotation within 1e-2 of orthonormal is projected to the
    nearest one (polar decomposition); anything further off is refused.

    Raises:
        PoseError: the shape is not (4, 4), a value is not finite, the last row is not (0, 0, 0, 1), or the upper left
            block is not a rotation.
    """
    transform = np.array(matrix, dtype=np.float64)
    if transform.shape != (4, 4):
        raise PoseError(f"{name} has shape {transform.shape}; give a 4x4 matrix")
    if not np.isfinite(transform).all():
        raise PoseError(f"{name} holds NaN or infinity; the pose is lost at this frame, leave it out")
    if not np.allclose(transform[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        raise PoseError(f"{name} has last row {transform[3].tolist()}; give (0, 0, 0, 1)")
    rotation = transform[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-2 or np.linalg.det(rotation) < 0:
        raise PoseError(f"{name} does not hold a rotation (scaled, skewed or mirrored)")
    left, _, right = np.linalg.svd(rotation)
    transform[:3, :3] = left @ right
    transform[3] = (0.0, 0.0, 0.0, 1.0)
    return transform


def make_transform(rotation: Mat3, translation: Vec3) -> Mat4:
    """Return the (4, 4) transform with this (3, 3) rotation and (3,) translation in metres."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation
    return transform


def inverse(transform: Mat4) -> Mat4:
    """Return the inverse of a rigid (4, 4) transform, without a general matrix inversion."""
    rotation = transform[:3, :3].T
    return make_transform(rotation, -rotation @ transform[:3, 3])


def apply(transform: Mat4, points: Points) -> Points:
    """Map points (..., 3) by a (4, 4) transform; the float type of ``points`` is kept, whole numbers become float64."""
    if not np.issubdtype(points.dtype, np.floating):
        points = points.astype(np.float64)
    rotation = transform[:3, :3].astype(points.dtype, copy=False)
    return points @ rotation.T + transform[:3, 3].astype(points.dtype, copy=False)


def axis_angle(axis: Vec3, angle: float) -> Mat3:
    """Return the (3, 3) rotation by ``angle`` radians about the (3,) ``axis`` (right hand; Rodrigues' formula)."""
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def rotation_angle(rotation: Mat3) -> float:
    """Return the angle of a (3, 3) rotation in radians, within [0, pi]."""
    return float(np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0)))


def quaternion_from_matrix(rotation: Mat3) -> Float:
    """Return the unit quaternion (x, y, z, w), w >= 0, of a (3, 3) rotation.

    The eigenvector method of Bar-Itzhack (2000, "New method for extracting the quaternion from a rotation matrix"):
    stable for every angle, and the nearest rotation where the input carries rounding.
    """
    m = np.asarray(rotation, dtype=np.float64)
    symmetric = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    quaternion = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion if quaternion[3] >= 0 else -quaternion


def matrix_from_quaternion(quaternion: Float) -> Mat3:
    """Return the (3, 3) rotation of a quaternion (x, y, z, w), normalised first.

    Raises:
        PoseError: the quaternion is not finite or has no length.
    """
    q = np.asarray(quaternion, dtype=np.float64)
    norm = float(np.linalg.norm(q))
    if q.shape != (4,) or not np.isfinite(norm) or norm < 1e-6:
        raise PoseError(f"quaternion {q.tolist()} is not a rotation; give a unit quaternion x, y, z, w")
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def unit(vector: Vec3, name: str = "vector") -> Vec3:
    """Return the (3,) vector with length one.

    Raises:
        PoseError: it is not three finite numbers, or has no length.
    """
    v = np.asarray(vector, dtype=np.float64)
    norm = float(np.linalg.norm(v)) if v.shape == (3,) else float("nan")
    if not np.isfinite(norm) or norm < 1e-9:
        raise PoseError(
            f"{name} {np.asarray(vector).tolist()} is not a direction; give three finite numbers, not all zero"
        )
    return v / norm

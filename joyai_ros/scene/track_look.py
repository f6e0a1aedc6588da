"""What a frame says about places in the world: empty, a surface there, hidden, out of view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Points
from joyai_ros.scene.frame import FrameGeometry

_SIGMAS = 3.0
_LEAST = 0.008  # metres: depth further off than this, and than three sigmas, is another surface
_NEAREST = 0.05  # metres in front of the camera
_AROUND = np.array([[-1, -1, -1, 0, 0, 0, 1, 1, 1], [-1, 0, 1, -1, 0, 1, -1, 0, 1]])  # rows and columns


# What a frame shows where a surface point is expected:
OUTSIDE = 0  # it is beyond the image border or behind the camera
UNKNOWN = 1  # no depth reading there
THROUGH = 2  # the camera sees a surface behind it: the place is empty
AGREED = 3  # a surface is there
HIDDEN = 4  # something nearer hides it


class Looker:
    """Compares world points with one frame's depth.

    Args:
        frame: the frame's geometry.
        world_from_camera: (4, 4).
        owners: (H, W) int16, which measured object each pixel belongs to, -1 for none.
    """

    def __init__(self, frame: FrameGeometry, world_from_camera: Mat4, owners: NDArray[np.int16]) -> None:
        self._camera = frame.camera
        self._camera_from_world = rigid.inverse(world_from_camera)
        self._depth = frame.depth.reshape(-1)
        self._sigma = frame.sigma_z.reshape(-1)
        self._owners = owners.reshape(-1)

    def look(self, points: Points) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Return what shows at (N,) points (N, 3) in the world (int8), and the owners of their pixels (int16, -1 for none)."""
        camera = self._camera
        local = rigid.apply(self._camera_from_world, points)
        z = local[:, 2]
        ahead = z > _NEAREST
        scale = np.divide(1.0, z, out=np.zeros_like(z), where=ahead)
        column = np.rint(local[:, 0] * scale * camera.fx + camera.cx)
        row = np.rint(local[:, 1] * scale * camera.fy + camera.cy)
        inside = ahead & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
        result = np.full(len(points), OUTSIDE, dtype=np.int8)
        owner = np.full(len(points), -1, dtype=np.int16)
        pixel = row[inside].astype(np.int64) * camera.width + column[inside].astype(np.int64)
        depth, expected = self._depth[pixel], z[inside]
        margin = np.maximum(_SIGMAS * self._sigma[pixel], _LEAST)
        seen = np.full(len(pixel), AGREED, dtype=np.int8)
        seen[depth < expected - margin] = HIDDEN
        behind = np.flatnonzero(depth > expected + margin)
        seen[behind] = UNKNOWN
        nearest = self._nearest_around(row[inside][behind], column[inside][behind])
        seen[behind[nearest > (expected + margin)[behind]]] = THROUGH
        seen[depth == 0] = UNKNOWN
        result[inside] = seen
        owner[inside] = self._owners[pixel]
        return result, owner

    def _nearest_around(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the nearest depth in the 3x3 pixels around each pixel.

        At an outline the next pixel sees past the object: a place is empty only where all pixels around it see past.
        """
        camera = self._camera
        rows = np.clip(row.astype(np.int64)[:, None] + _AROUND[0], 0, camera.height - 1)
        columns = np.clip(column.astype(np.int64)[:, None] + _AROUND[1], 0, camera.width - 1)
        around = self._depth[rows * camera.width + columns]
        return np.asarray(np.where(around > 0, around, np.float32(np.inf)).min(axis=1))

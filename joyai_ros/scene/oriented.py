"""A coarse oriented cloud of the frame: what planes and gravity are found from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mask
from joyai_ros.geometry.cameras import Camera

_LEAST_GRID = 5  # samples either way that a normal needs
STRIDE = 4  # pixels between samples; the window behind a normal spans 5 samples


@dataclass(frozen=True)
class OrientedCloud:
    """Points with normals on a coarse pixel grid.

    Attributes:
        points: (h, w, 3) float32 metres, optical frame; zeros where invalid.
        normals: (h, w, 3) float32 unit, turned towards the camera; zeros where invalid.
        valid: (h, w) bool, both are there.
        stride: pixels of the depth image between samples.
        area: (h, w) float32 surface area in square metres that each sample stands for, 0 where invalid.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    valid: Mask
    stride: int
    area: NDArray[np.float32]


def oriented_cloud(depth: DepthImage, camera: Camera, stride: int = STRIDE) -> OrientedCloud:
    """Sample the depth image (H, W) every ``stride`` pixels and estimate normals.

    Depth is averaged over each ``stride`` x ``stride`` cell where the cell holds one surface; normals are the cross
    product of central differences two samples wide, refused where the neighbours lie on another surface.
    """
    rows, columns = depth.shape[0] // stride, depth.shape[1] // stride
    if rows < _LEAST_GRID or columns < _LEAST_GRID:  # too small an image for any surface
        nothing = np.zeros((rows, columns, 3), dtype=np.float32)
        return OrientedCloud(nothing, nothing, np.zeros((rows, columns), dtype=bool), stride, nothing[..., 0])
    cells = depth[: rows * stride, : columns * stride]
    weight = np.uint8(min(stride**2, 255))  # so that the mean over a cell is a whole number
    there = _cell_means((cells > 0).view(np.uint8) * weight, columns, rows)
    count = there.astype(np.float32) / np.float32(weight)
    mean = _cell_means(cells, columns, rows) / np.maximum(count, np.float32(1e-6))
    centre = cells[stride // 2 :: stride, stride // 2 :: stride]
    solid = (count > 0.7) & (np.abs(mean - centre) < 0.02 * mean)
    z = np.where(solid, mean, 0).astype(np.float32)
    coarse = camera.cropped(0, 0, columns * stride, rows * stride).resized(columns, rows)
    points = coarse.cloud(z)
    normals = np.zeros_like(points)
    valid = np.zeros(z.shape, dtype=bool)
    area = np.zeros(z.shape, dtype=np.float32)
    x, y = (np.ascontiguousarray(points[..., axis]) for axis in (0, 1))
    across = [image[2:-2, 4:] - image[2:-2, :-4] for image in (x, y, z)]
    along = [image[4:, 2:-2] - image[:-4, 2:-2] for image in (x, y, z)]
    normal = [along[i] * across[j] - along[j] * across[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    inside = np.s_[2:-2, 2:-2]
    near = z[inside]
    neighbours = z[2:-2, 4:], z[2:-2, :-4], z[4:, 2:-2], z[:-4, 2:-2]
    right, left, down, up = neighbours
    curl = np.abs(right + left - 2 * near) + np.abs(down + up - 2 * near)
    inner = (near > 0) & (curl < 0.02 * near) & (length > 1e-9)
    for neighbour in neighbours:
        inner &= neighbour > 0
    outwards = normal[0] * x[inside] + normal[1] * y[inside] + normal[2] * near
    scale = np.where(inner, -np.sign(outwards) / np.maximum(length, 1e-9), 0)
    for axis in range(3):
        np.multiply(normal[axis], scale, out=normals[2:-2, 2:-2, axis])
    valid[inside] = inner
    # A pixel cell of solid angle 1/(fx fy) covers z^2 / (fx fy cos) of a surface whose normal makes that angle to the ray.
    facing = np.abs(outwards * scale) / np.maximum(near, 1e-6)
    area[inside] = np.where(inner, near**2 / (coarse.fx * coarse.fy) / np.maximum(facing, 0.1), 0)
    return OrientedCloud(points, normals, valid, stride, area)


def _cell_means(image: NDArray[Any], columns: int, rows: int) -> NDArray[Any]:
    """Return (rows, columns) the means over the cells of an image; OpenCV halves twice much faster than it quarters."""
    if image.shape == (4 * rows, 4 * columns):
        image = np.asarray(cv2.resize(image, (2 * columns, 2 * rows), interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA))

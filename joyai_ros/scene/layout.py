"""The boxes of a scene as arrays in the levelled viewer frame: what relations are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mat3
from joyai_ros.scene.types import SceneObject

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """n objects; level frame: x right, y forward, z up of the viewer, metres. One standard deviation is a ``sigma``.

    Attributes:
        ids: n object ids.
        center, sigma: (n, 3) level.
        axes: (n, 2, 2) rows: the length and the width axis in the level plane.
        half: (n, 2) half length and half width.
        bottom, top: (n,) heights over the camera.
        distance, distance_sigma: (n,) from the camera to the centre.
        size, size_sigma: (n, 3) length, width, height.
        height, height_sigma: (n,) vertical extent; NaN where up is unknown.
        whole: (n,) bool, not cut by the image border.
        hollow: (n,) bool.
        front: (n, 3) level, NaN where no front is known.
    """

    ids: list[str]
    center: Array
    sigma: Array
    axes: Array
    half: Array
    bottom: Array
    top: Array
    distance: Array
    distance_sigma: Array
    size: Array
    size_sigma: Array
    height: Array
    height_sigma: Array
    whole: NDArray[np.bool_]
    hollow: NDArray[np.bool_]
    front: Array

    @cached_property
    def corners(self) -> Array:
        """(n, 4, 2) the footprints' corners in order, level."""
        signs = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
        sides = self.half[:, :, None] * self.axes
        return np.asarray(self.center[:, None, :2] + signs @ sides)

    @cached_property
    def level_gap(self) -> Array:
        """(n, n) metres between the footprints' rectangles; 0 where they overlap."""
        offset = self.corners[None] - self.center[:, None, None, :2]  # [i, j, corner]: corner of j from the middle of i
        local = offset @ self.axes.transpose(0, 2, 1)[:, None]
        outside = np.maximum(np.abs(local) - self.half[:, None, None, :], 0.0)
        reach = np.hypot(outside[..., 0], outside[..., 1]).min(axis=-1)
        apart = (local.min(axis=2) > self.half[:, None]) | (local.max(axis=2) < -self.half[:, None])
        separated = apart.any(axis=-1)
        return np.where(separated | separated.T, np.minimum(reach, reach.T), 0.0)

    @cached_property
    def vertical_gap(self) -> Array:
        """(n, n) metres between bottom of i and top of j: positive where i is clear above j."""
        return np.asarray(self.bottom[:, None] - self.top[None, :])

    @cached_property
    def box_distance(self) -> Array:
        """(n, n) metres between the closest points of the boxes; 0 where they overlap."""
        clear = np.maximum(self.vertical_gap, self.vertical_gap.T)
        return np.hypot(self.level_gap, np.maximum(clear, 0.0))


def layout_of(objects: tuple[SceneObject, ...], basis: Mat3) -> Layout:
    """Return the layout of objects whose boxes are in one optical frame; ``basis`` (3, 3) is level from optical."""
    center = np.stack([o.obb.center for o in objects])
    sigma = np.stack([o.center_sigma for o in objects])
    size = np.stack([o.obb.size for o in objects]).astype(np.float64)
    rotation = np.einsum("ij,njk->nik", basis, np.stack([o.obb.rotation for o in objects]))
    axes = rotation[:, :2, :2].transpose(0, 2, 1)
    axes = axes / np.maximum(np.linalg.norm(axes, axis=2, keepdims=True), 1e-9)
    distance = np.linalg.norm(center, axis=1)
    ray = center / np.maximum(distance, 1e-9)[:, None]
    level = center @ basis.T
    half_height = (np.abs(rotation[:, 2]) * size).sum(axis=1) / 2.0
    nowhere = np.full(3, np.nan)
    return Layout(
        ids=[o.id for o in objects],
        center=level,
        sigma=np.sqrt(sigma**2 @ (basis**2).T),
        axes=axes,
        half=size[:, :2] / 2.0,
        bottom=level[:, 2] - half_height,
        top=level[:, 2] + half_height,
        distance=distance,
        distance_sigma=np.sqrt(((sigma * ray) ** 2).sum(axis=1)),
        size=size,
        size_sigma=np.stack([o.size_sigma for o in objects]),
        height=np.array([o.height for o in objects]),
        height_sigma=np.array([o.height_sigma for o in objects]),
        whole=np.array([not o.truncated for o in objects]),
        hollow=np.array([o.hollow for o in objects]),
        front=np.stack([nowhere if o.front is None else basis @ o.front for o in objects]),
    )


def overlap(layout: Layout, i: int, j: int) -> float:
    """Return the share of the smaller footprint that two footprints have in common."""
    corners = layout.corners
    common, _ = cv2.intersectConvexConvex(
        cv2.convexHull((corners[i] * 1e3).astype(np.float32)), cv2.convexHull((corners[j] * 1e3).astype(np.float32))
    )
    smaller = 4.0 * min(float(np.prod(layout.half[i])), float(np.prod(layout.half[j])))
    return float(common) * 1e-6 / max(smaller, 1e-9)


def covers(layout: Layout, i: int, j: int, margin: float) -> bool:
    """Whether the middle of j lies over the footprint of i grown by ``margin`` metres."""
    local = layout.axes[i] @ (layout.center[j, :2] - layout.center[i, :2])
    return bool((np.abs(local) <= layout.half[i] + margin).all())

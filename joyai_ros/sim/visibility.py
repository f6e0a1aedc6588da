"""Objects as a camera sees them: visible parts, whole silhouettes, boxes in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Mat4, Points
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.renderer import Renderer
from joyai_ros.sim.truth import ViewTruth, WorldTruth
from joyai_ros.sim.world import MAX_HEIGHT, MAX_WIDTH, NEAR, World


def view_truths(
    world: World,
    truth: WorldTruth,
    renderer: Renderer,
    camera: Camera,
    world_from_camera: Mat4,
    instances: NDArray[np.uint8],
    whole: bool,
) -> tuple[ViewTruth, ...]:
    """Return every object as seen; ``whole`` draws each alone as well, for its full silhouette."""
    camera_from_world = rigid.inverse(world_from_camera)
    views = []
    for index, owner in enumerate(truth.objects):
        visible = instances == index + 1
        count = int(np.count_nonzero(visible))
        bounds = _bounds(rigid.apply(camera_from_world, world.vertices(index)), camera)
        silhouette = _silhouette(renderer, index, camera, world_from_camera, bounds) if whole else None
        views.append(
            ViewTruth(
                id=owner.id,
                camera_box=owner.box.transformed(camera_from_world),
                visible_pixels=count,
                whole_pixels=silhouette[0] if silhouette else -1,
                visible_fraction=min(count / max(silhouette[0], 1), 1.0) if silhouette else float("nan"),
                box=mask_box(visible),
                whole_box=silhouette[1] if silhouette else None,
                truncated=bounds[0] < 0 or bounds[1] < 0 or bounds[2] > camera.width or bounds[3] > camera.height,
            )
        )
    return tuple(views)


def mask_box(mask: Mask) -> Box2D | None:
    """Return (x0, y0, x1, y1) round the true pixels of (H, W), the ends one past the last; None where there are none."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) == 0:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _bounds(points: Points, camera: Camera) -> tuple[int, int, int, int]:
    """Whole pixels (x0, y0, x1, y1) around the projection of points (N, 3); all there is where one is at the camera."""
    left, top = (MAX_WIDTH - camera.width) // 2, (MAX_HEIGHT - camera.height) // 2
    canvas = -left, -top, camera.width + left, camera.height + top
    if (points[:, 2] < NEAR).any():
        return canvas
    pixels = camera.project(points) + 0.5  # from pixel centres to pixel borders
    low, high = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _silhouette(
    renderer: Renderer, index: int, camera: Camera, world_from_camera: Mat4, bounds: tuple[int, int, int, int]
) -> tuple[int, Box2D | None]:
    """Pixels and box of the whole object, drawn on a canvas that just holds it (at most the drawing buffer)."""
    left, top = bounds[0], bounds[1]
    width, height = min(bounds[2] - left, MAX_WIDTH), min(bounds[3] - top, MAX_HEIGHT)
    canvas = camera.cropped(left, top, max(width, 1), max(height, 1))
    mask = renderer.silhouette(index, canvas, world_from_camera)
    box = mask_box(mask)
    moved = None if box is None else (box[0] + left, box[1] + top, box[2] + left, box[3] + top)
    return int(np.count_nonzero(mask)), moved

"""A table with boxes on it, ray-cast in NumPy: known input for timings where no simulator is installed."""

from __future__ import annotations

import math

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Float, Mat4
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.observation import Detection, Observation

_COLUMNS = 5
_SPACING = 0.17  # metres between the boxes' centres
_DISTANCE = 1.1  # metres from the camera to the middle of the table
_ELEVATION = math.radians(38.0)
_NOISE = 0.0015  # metres of depth noise at one metre, growing with the square of depth


def synthetic_observation(count: int = 10, width: int = 640, height: int = 480, seed: int = 0) -> Observation:
    """Return one frame of ``count`` boxes on a table, with true 2D boxes and gravity, noisy depth and texture.

    Args:
        count: boxes on the table, in rows of five.
        width, height: pixels.
        seed: of sizes, headings, colours and noise.
    """
    random = np.random.default_rng(seed)
    focal = 0.95 * width
    camera = Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    pose = _pose()
    origin, rays = pose[:3, 3], camera.rays().reshape(-1, 3) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        depth = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
    depth[np.abs(origin + depth[:, None] * rays).max(axis=1) > 1.5] = np.inf  # the table ends
    owner = np.zeros(len(rays), dtype=np.int64)
    for index in range(count):
        hit = _box_depth(origin, rays, *_placed(index, count, random))
        nearer = hit < depth
        depth[nearer], owner[nearer] = hit[nearer], index + 1
    measured = np.where(np.isfinite(depth), depth, 0.0)
    measured += random.normal(size=measured.shape) * _NOISE * measured**2
    labels = owner.reshape(height, width)
    return Observation(
        color=_painted(labels, random),
        camera=camera,
        depth=measured.reshape(height, width).astype(np.float32),
        world_from_camera=pose,
        up=rigid.inverse(pose)[:3, 2],
        detections=tuple(
            Detection(f"box_{i}", "box", _around(labels == i)) for i in range(1, count + 1) if (labels == i).any()
        ),
    )


def _pose() -> Mat4:
    """Return world_from_camera (4, 4), looking at the middle of the table, whose top is the world's z = 0."""
    back = np.array([-math.cos(_ELEVATION), 0.0, math.sin(_ELEVATION)])
    forward, right = -back, np.array([0.0, -1.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return rigid.make_transform(rotation, _DISTANCE * back)


def _placed(index: int, count: int, random: np.random.Generator) -> tuple[Float, Float, float]:
    """Return centre (3,), size (3,) and heading of one box of the grid; metres and radians."""
    row, column = divmod(index, _COLUMNS)
    rows = math.ceil(count / _COLUMNS)
    size = random.uniform([0.05, 0.04, 0.05], [0.11, 0.08, 0.18])
    place = np.array([(row - (rows - 1) / 2) * 1.4 * _SPACING, (column - (_COLUMNS - 1) / 2) * _SPACING, size[2] / 2])
    return place, size, float(random.uniform(0.0, math.pi))


def _box_depth(origin: Float, rays: Float, center: Float, size: Float, heading: float) -> Float:
    """Return the ray parameter (N,) at which each ray enters a standing box, infinity where it misses (slab method)."""
    cosine, sine = math.cos(heading), math.sin(heading)
    box_from_world = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    start, direction = box_from_world @ (origin - center), rays @ box_from_world.T
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (-size / 2 - start) / direction, (size / 2 - start) / direction
    enter, leave = np.minimum(first, second).max(axis=1), np.maximum(first, second).min(axis=1)
    return np.where((enter < leave) & (enter > 0), enter, np.inf)


def _painted(labels: np.ndarray, random: np.random.Generator) -> ColorImage:
    palette = random.integers(40, 220, size=(int(labels.max()) + 1, 3))
    grain = random.integers(-20, 21, size=(*labels.shape, 3))
    return np.asarray(np.clip(palette[labels] + grain, 0, 255), dtype=np.uint8)


def _around(mask: np.ndarray) -> Box2D:
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)

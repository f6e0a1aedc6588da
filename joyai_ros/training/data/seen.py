"""Objects of frames, made of what a reader knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mask, Pixels, Points
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.types import LabelSource, SceneObject
from joyai_ros.sim.visibility import mask_box
from joyai_ros.training.data.masks import runs_of, within
from joyai_ros.training.data.records import SeenObject
from joyai_ros.understanding.tasks import COLORS

_CLOUD = 64  # points that are kept of an object
_REACH = 0.02  # metres round a box within which a point may be the object's
_NEAREST = 0.05  # metres; of a box that reaches nearer to the camera nothing is estimated
_BEFORE = 0.01  # metres before a box from which a surface hides it
_SAMPLES = 48  # along each side of an outline


def seen_object(
    item: SceneObject, color: str, visibility: float, mask: Mask, cloud: Points, *, exact: bool
) -> SeenObject:
    """Return an object with what a frame shows of it.

    Args:
        item: boxes, sizes and uncertainties in the optical frame.
        color: empty where unknown; then it is taken from the label where that tells.
        visibility: share of it that the image shows.
        mask: (H, W) bool, its pixels.
        cloud: (N, 3) metres, its measured points.
        exact: known from a simulator.
    """
    kind, told_color = told_by_label(item.label)
    box = mask_box(mask)
    points = int(np.count_nonzero(mask))
    measured = replace(
        item,
        box=box,
        mask=None,
        visible=box is not None,
        points=points,
        truncated=_at_border(mask),
        label_source=LabelSource.DETECTOR if item.label else LabelSource.NONE,
    )
    runs = () if box is None else runs_of(within(mask, box))
    return SeenObject(measured, kind, color or told_color, visibility, exact, runs, cloud)


def told_by_label(label: str) -> tuple[str, str]:
    """Return kind and colour that a label tells: *red mug* is a mug and red, *mug* a mug of no known colour."""
    words = label.split()
    colors = [word.lower() for word in words if word.lower() in COLORS]
    kind = " ".join(word for word in words if word.lower() not in COLORS)
    return kind, colors[0] if len(colors) == 1 else ""


def cloud_of(depth: DepthImage, mask: Mask, camera: Camera, box: OrientedBox) -> Points:
    """Return at most 64 measured points (N, 3) float32 of an object, spread evenly over its mask, optical frame.

    At edges, and all over thin things, a depth camera measures what is behind: points out of reach of the box are left out.
    """
    rows, columns = np.nonzero(mask & (depth > 0))
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    points = camera.unproject(pixels, depth[rows, columns].astype(np.float64))
    points = points[box.contains(points, _REACH)]
    chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), _CLOUD)).round().astype(int))
    return np.asarray(points[chosen], np.float32)


def shuffled(objects: Sequence[SeenObject], random: np.random.Generator) -> tuple[SeenObject, ...]:
    """Return objects in random order, those in sight first.

    It is the order of their marks, which must not tell one frame's objects from another's.
    """
    dealt = [objects[int(index)] for index in random.permutation(len(objects))]
    return tuple(sorted(dealt, key=lambda item: item.measured.box is None))


def estimated_visibility(box: OrientedBox, mask: Mask, depth: DepthImage, camera: Camera) -> float:
    """Return about which share of an object a frame shows, from its box in the optical frame and the depth before it.

    Of the outline of the projected box, what lies outside of the image or shows a surface nearer than the box counts as
    hidden; the rest is seen, or free.
    """
    corners = np.asarray(box.corners())
    if corners[:, 2].min() < _NEAREST:
        return 0.0
    columns, rows = _samples_within(camera.project(corners))
    inside = (columns >= 0) & (rows >= 0) & (columns < camera.width) & (rows < camera.height)
    total = len(inside)
    columns, rows = columns[inside], rows[inside]
    found = depth[rows, columns]
    hidden = (found > 0) & (found < corners[:, 2].min() - _BEFORE) & ~mask[rows, columns]
    return float(np.count_nonzero(~hidden) / max(total, 1))


def _samples_within(corners: Pixels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return columns and rows of a grid of pixels within the convex outline of some pixels (N, 2)."""
    hull = cv2.convexHull(corners.astype(np.float32))[:, 0].astype(np.float64)
    low, high = hull.min(axis=0), hull.max(axis=0)
    across = [np.linspace(a, b, min(max(int(b - a), 2), _SAMPLES)) for a, b in zip(low, high, strict=True)]
    places = np.stack(np.meshgrid(*across), axis=-1).reshape(-1, 2)
    edges = np.roll(hull, -1, axis=0) - hull
    offsets = places[:, None] - hull
    sides = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0]
    within_all = (sides >= 0).all(axis=1) | (sides <= 0).all(axis=1)
    columns, rows = np.rint(places[within_all]).astype(np.int64).T
    return columns, rows


def _at_border(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())

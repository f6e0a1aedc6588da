"""How much two upright boxes have in common."""

from __future__ import annotations

import math

import cv2
import numpy as np

from joyai_ros.geometry.boxes import OrientedBox


def upright_iou(a: OrientedBox, b: OrientedBox) -> float:
    """Return the intersection over union of two boxes whose z axes are parallel, in one frame.

    Headings may differ; a tilt between the z axes of a degree or two is ignored. A box without volume overlaps nothing.
    """
    level = shared_height(a, b)
    if level <= 0.0:
        return 0.0
    shared = _shared_area(a, b) * level
    union = a.volume + b.volume - shared
    return min(max(shared / union, 0.0), 1.0) if union > 0.0 else 0.0


def footprint_iou(a: OrientedBox, b: OrientedBox) -> float:
    """Return the intersection over union of the footprints of two boxes whose z axes are parallel, in one frame."""
    shared = _shared_area(a, b)
    union = float(np.prod(a.size[:2]) + np.prod(b.size[:2])) - shared
    return float(np.clip(shared / union, 0.0, 1.0)) if union > 0.0 else 0.0


def shared_height(a: OrientedBox, b: OrientedBox) -> float:
    """Return over how many metres along z two such boxes overlap; negative is the gap between them."""
    offset = float((a.center - b.center) @ b.rotation[:, 2])
    half, other = float(a.size[2]) / 2.0, float(b.size[2]) / 2.0
    return min(offset + half, other) - max(offset - half, -other)


def _shared_area(a: OrientedBox, b: OrientedBox) -> float:
    """Return the area that two footprints share: exact, a convex polygon of up to eight corners."""
    x, y, _ = ((a.center - b.center) @ b.rotation).tolist()
    along, across, _ = (a.rotation[:, 0] @ b.rotation).tolist()
    (length, width, _), (other_length, other_width, _) = a.size.tolist(), b.size.tolist()
    if math.hypot(x, y) > (math.hypot(length, width) + math.hypot(other_length, other_width)) / 2.0:
        return 0.0
    # OpenCV calculates in float32 with absolute tolerances made for pixels: lengths are given in parts of the larger box.
    scale = 1000.0 / max(length, width, other_length, other_width, 1e-9)
    first = ((x * scale, y * scale), (length * scale, width * scale), math.degrees(math.atan2(across, along)))
    second = ((0.0, 0.0), (other_length * scale, other_width * scale), 0.0)
    kind, corners = cv2.rotatedRectangleIntersection(first, second)
    if kind == cv2.INTERSECT_NONE or corners is None or len(corners) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(corners))) / scale**2

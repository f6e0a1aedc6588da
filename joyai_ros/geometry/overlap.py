"""How much two upright boxes have in common."""

from __future__ import annotations

import cv2
import numpy as np

from joyai_ros.geometry.boxes import OrientedBox


def upright_iou(a: OrientedBox, b: OrientedBox) -> float:
    """Return the intersection over union of two boxes whose z axes are parallel, in one frame.

    Headings may differ; a tilt between the z axes of a degree or two is ignored. A box without volume overlaps nothing.
    """
    shared = _shared_area(a, b) * max(shared_height(a, b), 0.0)
    union = a.volume + b.volume - shared
    return float(np.clip(shared / union, 0.0, 1.0)) if union > 0.0 else 0.0


def footprint_iou(a: OrientedBox, b: OrientedBox) -> float:
    """Return the intersection over union of the footprints of two boxes whose z axes are parallel, in one frame."""
    shared = _shared_area(a, b)
    union = float(np.prod(a.size[:2]) + np.prod(b.size[:2])) - shared
    return float(np.clip(shared / union, 0.0, 1.0)) if union > 0.0 else 0.0


def shared_height(a: OrientedBox, b: OrientedBox) -> float:
    """Return over how many metres along z two such boxes overlap; negative is the gap between them."""
    offset = float((a.center - b.center) @ b.rotation[:, 2])
    low = max(offset - a.size[2] / 2.0, -b.size[2] / 2.0)
    high = min(offset + a.size[2] / 2.0, b.size[2] / 2.0)
    return float(high - low)


def _shared_area(a: OrientedBox, b: OrientedBox) -> float:
    """Return the area that two footprints share: exact, a convex polygon of up to eight corners."""
    offset = (a.center - b.center) @ b.rotation
    axis = a.rotation[:, 0] @ b.rotation
    # OpenCV calculates in float32 with absolute tolerances made for pixels: lengths are given in parts of the larger box.
    scale = 1000.0 / max(float(a.size[:2].max()), float(b.size[:2].max()), 1e-9)
    first = (
        (float(offset[0] * scale), float(offset[1] * scale)),
        (float(a.size[0] * scale), float(a.size[1] * scale)),
        float(np.degrees(np.arctan2(axis[1], axis[0]))),
    )
    second = ((0.0, 0.0), (float(b.size[0] * scale), float(b.size[1] * scale)), 0.0)
    kind, corners = cv2.rotatedRectangleIntersection(first, second)
    if kind == cv2.INTERSECT_NONE or corners is None or len(corners) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(corners))) / scale**2

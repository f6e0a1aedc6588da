"""Holes of a depth image continued, so that the colour in them can move with the rest.

A short hole is bridged (:mod:`joyai_ros.geometry.spans`). A wide one, or one at the border of the image, continues what
is measured around it.
"""

from __future__ import annotations

import cv2
import numpy as np

from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.fill import pull_push
from joyai_ros.geometry.spans import bridged
from joyai_ros.geometry.surface import Plane, edge_step

_LONGEST_BRIDGE = 96  # pixels


def complete_nearness(nearness: Plane, camera: Camera) -> Plane:
    """Return inverse depth (H, W) of a camera with every hole continued; measured pixels are kept."""
    known = nearness > 0
    if known.all() or not known.any():
        return nearness
    height, width = nearness.shape
    holes_at_half = _completed(np.ascontiguousarray(nearness[::2, ::2]), camera)
    field = cv2.resize(holes_at_half, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(known, nearness, field)


def _completed(nearness: Plane, camera: Camera) -> Plane:
    """Return every hole of an image at half resolution continued; what is known there is of no use to the caller."""
    known = nearness > 0
    height, width = nearness.shape
    around = pull_push(nearness[..., None], known.astype(np.float32), finest=1)
    around = cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR)
    holes, bridge, length = bridged(nearness, known, edge_step(camera, 2.0))
    around.ravel()[holes] = np.where(length * 2 <= _LONGEST_BRIDGE, bridge, around.ravel()[holes])
    return around

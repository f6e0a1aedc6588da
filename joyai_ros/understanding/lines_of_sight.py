"""Places that a listing estimates, brought together with where its boxes are in the image.

A language model that writes one number after the other does not keep them in step: how far to the right a thing is and how far
ahead go together with where its box is; things that stand on one surface have their feet on one level, and what stands on
another thing is where that is. So places are put on the lines of sight through the middles of the boxes, at the pitch that
agrees with all of them, and moved along these towards that level, or to the place of what they stand on (after Hoiem, Efros and
Hebert, "Putting Objects in Perspective", CVPR 2006). Estimates agree with each other then; they are not measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.boxes import Box2D

Array = NDArray[np.float64]

FOCAL = 0.89  # focal length over the image's width, as cameras have it
_TURNS = 6  # in which the pitch is found
_STEEPEST = 1.5  # radians, of a camera
# Of the way to where it would stand a thing moves so much, and the standard deviation of its distance, as a share of it: what
# is further off than that stands elsewhere. Of what stands on another thing the distance was worked out as if it did not.
_ON_GROUND, _ON_ANOTHER = (0.5, 0.1), (1.0, 0.6)
_STOREYS = 3  # of things that stand one on the other
_FLAT = 0.05  # sine of the steepness below which a level says nothing of a distance; and the least cosine, and metres


def in_line(
    boxes: Sequence[Box2D], places: Array, heights: Array, likely: Array, under: NDArray[np.int64], aspect: float
) -> Array:
    """Return places that agree with the boxes and with each other.

    Args:
        boxes: N of them, as shares of the image's width and height.
        places: (N, 4) metres: to the right, ahead, distance and below the camera, of the middles of things, in the levelled
            frame of the viewer; N >= 1.
        heights: (N,) metres, of the things.
        likely: (N,) how likely each stands on another thing; see :func:`joyai_ros.understanding.stacks.stacked`.
        under: (N,) the number of that other thing.
        aspect: of the image, height over width.

    Returns:
        (N, 4) as places.
    """
    right, ahead, distance, below = places.T
    level = np.hypot(right, ahead)
    distance = (distance + np.hypot(level, below)) / 2.0
    sights = _sights(boxes, np.arctan2(below, level), aspect)
    down = sights[:, 2]
    ground = np.median(distance * down + heights / 2.0)
    standing = np.maximum((ground - heights / 2.0) / np.maximum(down, _FLAT), _FLAT)
    to_ground = (1.0 - likely) * _towards(distance, standing, *_ON_GROUND) * (down > _FLAT)
    # What stands on another thing is where that one is, whatever its height.
    level = np.maximum(np.hypot(sights[:, 0], sights[:, 1]), _FLAT)
    moved = distance * np.exp(to_ground)
    for _ in range(_STOREYS):
        there = (moved * level)[under] / level
        moved = distance * np.exp(to_ground + likely * _towards(distance, there, *_ON_ANOTHER))
    distance = moved
    across, front, low = (sights * distance[:, None]).T
    return np.stack([across, front, distance, low], axis=1)


def _towards(distance: Array, other: Array, share: float, spread: float) -> Array:
    """Return the logarithm of how far a distance moves towards another: a share of the way, and hardly where it is far off."""
    off = np.log(np.maximum(other, _FLAT) / np.maximum(distance, _FLAT))
    return np.asarray(share * np.exp(-np.square(off / spread) / 2.0) * off, dtype=np.float64)


def _sights(boxes: Sequence[Box2D], steep: Array, aspect: float) -> Array:
    """Return (N, 3) unit lines of sight, to the right, ahead and down, that are on average as steep as (N,) radians."""
    corners = np.asarray(boxes, dtype=np.float64)
    x = ((corners[:, 0] + corners[:, 2]) / 2.0 - 0.5) / FOCAL
    y = ((corners[:, 1] + corners[:, 3]) / 2.0 - 0.5) * aspect / FOCAL
    pitch = float(np.median(steep))
    for _ in range(_TURNS):
        across, front, down = _turned(x, y, pitch).T
        # A line to the side is turned less by a pitch than one straight ahead: by the cosine of where it points to.
        turned = np.mean(front / np.maximum(np.hypot(across, front), _FLAT))
        pitch += float(np.mean(steep - np.arcsin(down)) / np.maximum(turned, _FLAT))
        pitch = min(max(pitch, -_STEEPEST), _STEEPEST)
    return _turned(x, y, pitch)


def _turned(x: Array, y: Array, pitch: float) -> Array:
    """Return the unit lines of sight of a camera that looks down by a pitch, radians."""
    cos, sin = np.cos(pitch), np.sin(pitch)
    lines = np.stack([x, cos - y * sin, sin + y * cos], axis=1)
    return np.asarray(lines / np.linalg.norm(lines, axis=1)[:, None], dtype=np.float64)

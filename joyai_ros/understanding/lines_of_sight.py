"""Places that a listing estimates, brought together with where its boxes are in the image.

A language model that writes one number after the other does not keep them in step: how far to the right a thing is and how far
ahead go together with where its box is, and things that stand on one surface have their feet on one level. So places are put
on the lines of sight through the middles of the boxes, at the pitch that agrees with all of them, and moved along these towards
that level (after Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006). Estimates agree with each other then;
they are not measurements.
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
_TO_LEVEL = 0.5  # of the way that a thing moves, which would stand where the others do
_SPREAD = 0.1  # standard deviation of a distance, as a share of it: what is further off than that stands elsewhere
_FLAT = 0.05  # sine of the steepness below which a level says nothing of a distance


def in_line(boxes: Sequence[Box2D], places: Array, heights: Array, aspect: float) -> Array:
    """Return places that agree with the boxes and with each other.

    Args:
        boxes: N of them, as shares of the image's width and height.
        places: (N, 4) metres: to the right, ahead, distance and below the camera, of the middles of things, in the levelled
            frame of the viewer; N >= 1.
        heights: (N,) metres, of the things.
        aspect: of the image, height over width.

    Returns:
        (N, 4) as places.
    """
    right, ahead, distance, below = places.T
    level = np.hypot(right, ahead)
    distance = (distance + np.hypot(level, below)) / 2.0
    sights = _sights(boxes, np.arctan2(below, level), aspect)
    down = sights[:, 2]
    foot = np.median(distance * down + heights / 2.0)
    standing = np.maximum((foot - heights / 2.0) / np.maximum(down, _FLAT), _FLAT)
    off = np.log(standing / np.maximum(distance, _FLAT)) * (down > _FLAT)
    distance = distance * np.exp(_TO_LEVEL * np.exp(-np.square(off / _SPREAD) / 2.0) * off)
    across, front, low = (sights * distance[:, None]).T
    return np.stack([across, front, distance, low], axis=1)


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

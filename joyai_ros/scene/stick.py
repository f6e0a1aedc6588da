"""Long thin things that lean: what is hidden of them lies where their axis leads."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.order import quantile
from joyai_ros.scene.footprint import Footprint

_SLENDER = 2.2  # least ratio of the standard deviations along and across
_STEEP = 0.35  # least rise of the axis, as a share of its length: what lies flat has no lower end to be found
_MIN_POINTS = 40
_TRIM = 0.03  # of the points across, that are stray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stick:
    """The axis of a long thin thing.

    Attributes:
        through: (3,) a point of it: right, forward, up over the surface, metres.
        lean: (2,) metres to the right and forward for each metre up.
        thickness: metres across.
    """

    through: Array
    lean: Array
    thickness: float

    def at(self, height: float) -> Array:
        """Return (2,) where the axis is at a height."""
        return np.asarray(self.through[:2] + (height - self.through[2]) * self.lean)

    def footprint(self, top: float, bottom: float, within: Footprint) -> Footprint:
        """Return the rectangle over which it reaches between two heights, its lower end kept within another rectangle."""
        upper, lower = self.at(top), _kept(self.at(bottom), within, self.thickness / 2.0)
        reach = upper - lower
        length = float(np.linalg.norm(reach))
        axis = reach / length if length > 1e-3 else np.array([1.0, 0.0])
        return Footprint((upper + lower) / 2.0, axis, length + self.thickness, self.thickness)


def fit_stick(points: Array) -> Stick | None:
    """Return the stick that points (N, 3) lie on (right, forward, up; metres), None where they are no long thin thing."""
    if len(points) < _MIN_POINTS:
        return None
    middle = np.ones(len(points)) @ points / len(points)
    offset = points - middle
    _, values, vectors = cv2.eigen(offset.T @ offset / (len(points) - 1))  # rows, the largest first
    (along, second, _), axis = values[:, 0].tolist(), vectors[0]
    if along < _SLENDER**2 * max(second, 1e-12) or abs(axis[2]) < _STEEP:
        return None
    across = offset @ vectors[1]
    thickness = quantile(across, 1.0 - _TRIM) - quantile(across, _TRIM)
    return Stick(middle, axis[:2] / axis[2], float(thickness))


def _kept(point: Array, within: Footprint, margin: float) -> Array:
    """Return the point of a rectangle, ``margin`` inside its sides, that is nearest to a point."""
    sides = np.stack([within.axis, [-within.axis[1], within.axis[0]]])
    half = np.maximum(np.array([within.length, within.width]) / 2.0 - margin, 0.0)
    offset = np.clip(sides @ (point - within.center), -half, half)
    return np.asarray(within.center + offset @ sides)

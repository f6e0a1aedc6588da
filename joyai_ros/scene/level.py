"""The levelled frame of a viewer: gravity decides what up is."""

from __future__ import annotations

import math

import numpy as np

from joyai_ros.geometry.arrays import Mat3, Vec3


def level_basis(up: Vec3) -> Mat3:
    """Return the (3, 3) rotation ``level_from_optical``: rows are right, forward and up of the levelled viewer.

    The optical axis lies in the plane of forward and up. Looking straight along gravity, the image's own upward
    direction stands in for forward.
    """
    x, y, z = (float(value) for value in up)
    a, b, c = -z * x, -z * y, 1.0 - z * z
    length = math.sqrt(a * a + b * b + c * c)
    if length < 1e-3:
        a, b, c = y * x, y * y - 1.0, y * z
        length = math.sqrt(a * a + b * b + c * c)
    a, b, c = a / length, b / length, c / length
    return np.array([[b * z - c * y, c * x - a * z, a * y - b * x], [a, b, c], [x, y, z]])

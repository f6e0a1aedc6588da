"""Values typed on the command line."""

from __future__ import annotations

import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import Vec3


def parse_vector(text: str, option: str) -> Vec3:
    """Return the (3,) vector of ``x,y,z``, for example ``0,-1,0``.

    Raises:
        InputError: it is not three finite numbers.
    """
    try:
        vector = np.array([float(part) for part in text.split(",")])
    except ValueError:
        vector = np.array([])
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise InputError(f"{option} {text!r} is not three numbers; give x,y,z, for example {option}=0,-1,0")
    return vector

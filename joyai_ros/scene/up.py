"""The direction of gravity from a cloud: the normal that most horizontal surface agrees on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Vec3
from joyai_ros.scene.oriented import OrientedCloud

# Where *up* may point in the optical frame when only the cloud is known: a camera that is roughly upright, looks level
# or down, and not so steeply that a wall ahead and a floor below could be confused.
MAX_TILT = np.radians(68.0)  # between up and the image's upward direction
MAX_ROLL = np.radians(30.0)
_AGREEMENT = np.cos(np.radians(8.0))
_MIN_AREA = 0.02  # square metres of agreeing surface
_MIN_SHARE = 0.15  # of all admissible surface
_CANDIDATES = 150


def up_from_cloud(cloud: OrientedCloud) -> Vec3 | None:
    """Return the (3,) unit direction against gravity in the optical frame, or None where the cloud does not tell.

    Among the normals that an upright camera could see on a level surface, the direction shared by the largest area wins
    and is refined to the mean of those within 8 degrees. It is refused where less than 0.02 m^2 or 15% of the admissible
    surface agrees.
    """
    normals = cloud.normals[cloud.valid]
    areas = cloud.area[cloud.valid]
    admissible = (-normals[:, 1] > np.cos(MAX_TILT)) & (np.abs(normals[:, 0]) < np.sin(MAX_ROLL))
    normals, areas = normals[admissible], areas[admissible]
    if len(normals) < 20:
        return None
    picks = np.linspace(0, len(normals) - 1, min(_CANDIDATES, len(normals))).astype(int)
    votes = ((normals @ normals[picks].T) > _AGREEMENT).T @ areas
    direction = _refined(normals, areas, normals[picks[int(np.argmax(votes))]])
    agreeing = float(areas[normals @ direction > _AGREEMENT].sum())
    if agreeing < _MIN_AREA or agreeing < _MIN_SHARE * float(areas.sum()):
        return None
    return direction


def _refined(normals: NDArray[np.float32], areas: NDArray[np.float32], start: NDArray[np.float32]) -> Vec3:
    direction = start.astype(np.float64)
    for _ in range(5):
        near = normals @ direction > _AGREEMENT
        direction = np.asarray((normals[near] * areas[near, None]).sum(axis=0), dtype=np.float64)
        direction /= np.linalg.norm(direction)
    return direction

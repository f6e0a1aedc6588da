"""Ways and directions: where a robot must turn, and what is in between."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from joyai_ros.geometry.arrays import Points
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked
from joyai_ros.scene.layout import layout_of
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.types import SpatialRelation
from joyai_ros.understanding.tasks import AHEAD_DEG

_HOUR = math.pi / 6.0
_WAY = 0.02  # metres to each side of the straight way that must be free
_STEP = 0.005  # metres between places on it


def object_camera(asked: Asked) -> Measured | None:
    """Return the clock direction of the first thing; its confidence is small near the border between two hours."""
    hour, bearing = asked.relation(Predicate.CLOCK_DIRECTION, 0), asked.relation(Predicate.BEARING, 0)
    if hour is None or bearing is None or hour.value is None or bearing.value is None:
        return None
    from_border = _HOUR / 2.0 - abs((bearing.value + _HOUR / 2.0) % _HOUR - _HOUR / 2.0)
    return _direction(f"{round(hour.value)} o'clock", from_border, bearing, (hour, bearing))


def direction_to_go(asked: Asked) -> Measured | None:
    """Return to which side the first thing is, or that it is straight ahead."""
    bearing = asked.relation(Predicate.BEARING, 0)
    if bearing is None or bearing.value is None:
        return None
    ahead = math.radians(AHEAD_DEG)
    choice = "straight ahead" if abs(bearing.value) <= ahead else "left" if bearing.value > 0 else "right"
    return _direction(choice, abs(abs(bearing.value) - ahead), bearing, (bearing,))


def _direction(choice: str, excess: float, bearing: SpatialRelation, evidence: tuple[SpatialRelation, ...]) -> Measured:
    confidence = float(ndtr(excess / max(bearing.sigma or 0.0, 1e-9)))
    return Measured(choice, bearing.value, "rad", bearing.sigma, confidence, evidence=evidence)


def reachability(asked: Asked) -> Measured | None:
    """Return whether a straight way from the camera to the first thing's middle meets no other measured object's box."""
    item = asked.things[0].measured
    if item is None or asked.first_from(asked.views[0]) is None:
        return None
    others = [other for other in asked.looks[asked.views[0]].scene.objects if other.id != item.id]
    way = _way(item.obb)
    blocked = any(other.obb.contains(way, _WAY).any() for other in others)
    return Measured("no" if blocked else "yes")


def _way(box: OrientedBox) -> Points:
    """Return (N, 3) places on the straight way from the camera to where it meets a box."""
    distance = float(np.linalg.norm(box.center))
    shares = np.arange(0.0, 1.0, _STEP / max(distance, _STEP))
    places = shares[:, None] * box.center
    return places[~box.contains(places, _WAY)]


def clearance(asked: Asked) -> Measured | None:
    """Return the gap between the footprints of the first two things, metres."""
    apart = asked.relation(Predicate.DISTANCE, 0, 1)
    if asked.measured is None or asked.up is None or apart is None:
        return None
    gap = float(layout_of(asked.measured, level_basis(asked.up)).level_gap[0, 1])
    return Measured(value=gap, unit="m", sigma=apart.sigma, evidence=(apart,))

"""Measurements of one object and comparisons of a few: read from the relations that geometry states of them."""

from __future__ import annotations

import math

from scipy.special import ndtr

from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.types import SpatialRelation


def object_distance(asked: Asked) -> Measured | None:
    """Between the closest points of the first two things' boxes, metres."""
    return _value(asked.relation(Predicate.DISTANCE, 0, 1))


def camera_distance(asked: Asked) -> Measured | None:
    """From the first camera to the middle of the first thing, metres."""
    return _value(asked.relation(Predicate.CAMERA_DISTANCE, 0))


def object_size(asked: Asked) -> Measured | None:
    """The longest side of the first thing's box, metres."""
    return _value(asked.relation(Predicate.SIZE, 0))


def height(asked: Asked) -> Measured | None:
    """The vertical extent of the first thing, metres."""
    return _value(asked.relation(Predicate.HEIGHT, 0))


def left_right(asked: Asked) -> Measured | None:
    """To which side of the second thing the first one is."""
    return _either(asked, (Predicate.LEFT_OF, "left"), (Predicate.RIGHT_OF, "right"))


def front_behind(asked: Asked) -> Measured | None:
    """Whether the first thing is nearer to the viewer along the level line of sight."""
    return _either(asked, (Predicate.IN_FRONT_OF, "in front of"), (Predicate.BEHIND, "behind"))


def above_below(asked: Asked) -> Measured | None:
    """Whether the first thing is above the second one or below it: over each other, not just higher."""
    return _either(asked, (Predicate.ABOVE, "above"), (Predicate.BELOW, "below"))


def near_far(asked: Asked) -> Measured | None:
    """Whether two things are near each other or far apart."""
    return _either(asked, (Predicate.NEAR, "near"), (Predicate.FAR, "far"))


def relative_size(asked: Asked) -> Measured | None:
    """Which of two things has the longer longest side."""
    return _which(asked, Predicate.BIGGER_THAN)


def relative_height(asked: Asked) -> Measured | None:
    """Which of two things is taller."""
    return _which(asked, Predicate.TALLER_THAN)


def relative_distance(asked: Asked) -> Measured | None:
    """Which of the second and third thing has its closest point nearer to the first one."""
    near, far = asked.relation(Predicate.DISTANCE, 0, 1), asked.relation(Predicate.DISTANCE, 0, 2)
    if near is None or far is None:
        return None
    chosen = 0
    if _number(near) > _number(far):
        near, far, chosen = far, near, 1
    gap = _number(far) - _number(near)
    sigma = math.hypot(near.sigma or 0.0, far.sigma or 0.0)
    excess = gap - asked.config.distance_margin
    if excess <= asked.config.confidence_sigmas * sigma:
        return None
    confidence = float(ndtr(excess / max(sigma, 1e-9)))
    return Measured(asked.options[chosen], gap, "m", sigma, confidence, evidence=(near, far))


def depth_order(asked: Asked) -> Measured | None:
    """Which of the things is closest to the camera."""
    for index in range(len(asked.things)):
        others = [k for k in range(len(asked.things)) if k != index]
        found = [asked.relation(Predicate.CLOSER_THAN, index, other) for other in others]
        closer = [item for item in found if item is not None]
        if len(closer) == len(others):
            least = min(closer, key=lambda item: item.confidence)
            return Measured(
                asked.options[index], least.value, "m", least.sigma, least.confidence, evidence=tuple(closer)
            )
    return None


def _value(found: SpatialRelation | None) -> Measured | None:
    if found is None or found.value is None:
        return None
    return Measured(value=found.value, unit=found.unit, sigma=found.sigma, evidence=(found,))


def _either(asked: Asked, *ways: tuple[Predicate, str]) -> Measured | None:
    """Return the choice whose predicate is stated of the first thing and the second one."""
    for predicate, choice in ways:
        found = asked.relation(predicate, 0, 1)
        if found is not None:
            return Measured(choice, found.value, found.unit, found.sigma, found.confidence, evidence=(found,))
    return None


def _which(asked: Asked, predicate: Predicate) -> Measured | None:
    """Return of which of two things a predicate is stated."""
    for index, name in enumerate(asked.options[:2]):
        found = asked.relation(predicate, index, 1 - index)
        if found is not None:
            return Measured(name, found.value, found.unit, found.sigma, found.confidence, evidence=(found,))
    return None


def _number(item: SpatialRelation) -> float:
    return math.nan if item.value is None else item.value

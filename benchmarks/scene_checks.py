"""What no scene may ever say: values that are no numbers, and statements that exclude each other.

``complaints(scene)`` lists everything of the kind; an empty list is a sound scene. The definitions behind it stand in
docs/relations.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from joyai_ros.scene.predicates import CONVERSE, PROPERTIES, SYMMETRIC, Predicate, frame_of
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation

# What cannot both hold of one subject and one other, beside each relation and its converse.
EXCLUSIVE = (
    (Predicate.NEAR, Predicate.FAR),
    (Predicate.ON, Predicate.INSIDE),
    (Predicate.ON, Predicate.CONTAINS),
    (Predicate.ON, Predicate.BELOW),
    (Predicate.UNDER, Predicate.ABOVE),
    (Predicate.ABOVE, Predicate.INSIDE),
    (Predicate.ABOVE, Predicate.CONTAINS),
    (Predicate.BELOW, Predicate.INSIDE),
    (Predicate.BELOW, Predicate.CONTAINS),
)
# What follows from what, of the same pair.
IMPLIES = (
    (Predicate.ON, Predicate.ABOVE),
    (Predicate.ON, Predicate.TOUCHING),
    (Predicate.INSIDE, Predicate.TOUCHING),
)
# If a is so to b and b to c, then a is so to c, and it is stated.
TRANSITIVE = (
    Predicate.LEFT_OF,
    Predicate.IN_FRONT_OF,
    Predicate.TALLER_THAN,
    Predicate.BIGGER_THAN,
    Predicate.CLOSER_THAN,
)
# Nothing can be so to itself by way of others.
ACYCLIC = (*TRANSITIVE, Predicate.ABOVE, Predicate.ON, Predicate.INSIDE)
WITHOUT_GRAVITY = frozenset(
    {
        Predicate.CLOSER_THAN,
        Predicate.FARTHER_THAN,
        Predicate.BIGGER_THAN,
        Predicate.SMALLER_THAN,
        Predicate.NEAR,
        Predicate.FAR,
        Predicate.CENTER_DISTANCE,
        Predicate.SIZE,
        Predicate.CAMERA_DISTANCE,
    }
)
MEASUREMENTS = PROPERTIES | {Predicate.DISTANCE, Predicate.CENTER_DISTANCE}
# A comparison and the property that it compares: the subject's is the larger one, or for False the smaller one.
COMPARES = {
    Predicate.TALLER_THAN: (Predicate.HEIGHT, True),
    Predicate.BIGGER_THAN: (Predicate.SIZE, True),
    Predicate.CLOSER_THAN: (Predicate.CAMERA_DISTANCE, False),
}

Pair = tuple[str, str]
Pairs = dict[Predicate, dict[Pair, SpatialRelation]]


def complaints(scene: Scene) -> list[str]:
    """Return everything that is wrong with a scene in itself: no numbers, dangling ids, contradictions."""
    ids = [item.id for item in scene.objects]
    found = [f"id {name!r} twice" for name in set(ids) if ids.count(name) > 1]
    found += [f"{item.id}: {what}" for item in scene.objects for what in _object(item, scene.up is not None)]
    for number, plane in enumerate(scene.support_planes):
        if not _finite(plane.normal, plane.offset, plane.polygon, plane.sigma) or len(plane.polygon) < 3:
            found.append(f"support plane {number} is not one")
    if scene.up is not None and not abs(float(np.linalg.norm(scene.up)) - 1.0) < 1e-6:
        found.append("up is not a direction")
    if scene.abstentions < 0:
        found.append("fewer than no abstentions")
    return found + contradictions(scene.relations, set(ids), scene.up is not None)


def _object(item: SceneObject, gravity: bool) -> Iterator[str]:
    if not _finite(item.obb.center, item.obb.rotation, item.obb.size):
        yield "its box is not finite"
    for name in ("center_sigma", "size_sigma", "score", "age"):
        value = np.asarray(getattr(item, name))
        if not (np.isfinite(value).all() and (value >= 0).all()):
            yield f"{name} is {value}"
    for name in ("height", "height_sigma"):
        value = getattr(item, name)
        # What is remembered may have been measured in a frame whose gravity was unknown.
        unknown = math.isnan(value) and not (gravity and item.visible)
        if not unknown and not (math.isfinite(value) and value >= 0):
            yield f"{name} is {value} with up {'known' if gravity else 'unknown'}"
    if item.front is not None and not abs(float(np.linalg.norm(item.front)) - 1.0) < 1e-6:
        yield f"front is {item.front}"
    if item.box is not None:
        x0, y0, x1, y1 = item.box
        if not (_finite(item.box) and x0 < x1 and y0 < y1):
            yield f"2D box is {item.box}"
        shape = (math.ceil(y1) - int(y0), math.ceil(x1) - int(x0))
        if item.mask is not None and item.mask.shape != shape:
            yield f"its mask is {item.mask.shape}, its box {shape}"


def _finite(*values: object) -> bool:
    return all(bool(np.isfinite(np.asarray(value, dtype=np.float64)).all()) for value in values)


def contradictions(relations: Iterable[SpatialRelation], ids: set[str], gravity: bool) -> list[str]:
    """Return what is wrong with a set of statements about objects with these ids.

    Args:
        relations: what is stated.
        ids: of the objects.
        gravity: whether up is known.
    """
    found: list[str] = []
    pairs: Pairs = defaultdict(dict)
    properties: dict[Predicate, dict[str, float]] = defaultdict(dict)
    between: set[tuple[str, frozenset[str]]] = set()
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for item in relations:
        found += _alone(item, ids, gravity)
        key = (item.subject, item.predicate, item.objects)
        if key in seen:
            found.append(f"{key} is stated twice")
        seen.add(key)
        predicate = Predicate(item.predicate)
        if len(item.objects) == 1:
            pairs[predicate][item.subject, item.objects[0]] = item
        elif predicate is Predicate.BETWEEN:
            between.add((item.subject, frozenset(item.objects)))
        else:
            properties[predicate][item.subject] = float(item.value or 0.0)
    found += _mirrored(pairs) + _excluded(pairs) + _ordered(pairs, sorted(ids)) + _compared(pairs, properties)
    for one, (*others,) in between:
        found += [f"{one} and {b} are each between" for b in others if (b, frozenset({*others, one} - {b})) in between]
    return found


def _alone(item: SpatialRelation, ids: set[str], gravity: bool) -> Iterator[str]:
    """Complain of one statement."""
    predicate = Predicate(item.predicate)
    who = f"{item.subject} {item.predicate} {', '.join(item.objects)}".rstrip()
    if not {item.subject, *item.objects} <= ids:
        yield f"{who}: no such object"
    if item.subject in item.objects or len(set(item.objects)) < len(item.objects):
        yield f"{who}: of itself"
    if not (item.value is not None and math.isfinite(item.value)):
        yield f"{who}: value {item.value}"
    if not (item.sigma is not None and math.isfinite(item.sigma) and item.sigma >= 0):
        yield f"{who}: sigma {item.sigma}"
    if predicate not in MEASUREMENTS and not 0.5 <= item.confidence <= 1.0:
        yield f"{who}: stated with confidence {item.confidence}"
    if not gravity and predicate not in WITHOUT_GRAVITY:
        yield f"{who}: stated without gravity"
    if item.frame is not frame_of(predicate):
        yield f"{who}: stated in frame {item.frame.name}"


def _mirrored(pairs: Pairs) -> list[str]:
    """Complain of statements whose converse is missing or differs in value, sigma or confidence."""
    found = []
    for predicate, stated in list(pairs.items()):
        back = predicate if predicate in SYMMETRIC else CONVERSE.get(predicate)
        if back is None:
            continue
        for (a, b), item in stated.items():
            other = pairs[back].get((b, a))
            if other is None:
                found.append(f"{a} {predicate.value} {b} without its converse")
            elif (item.value, item.sigma, item.unit) != (other.value, other.sigma, other.unit):
                found.append(f"{a} {predicate.value} {b}: {item.value}, its converse {other.value}")
    return found


def _excluded(pairs: Pairs) -> list[str]:
    """Complain of pairs of statements that cannot both hold, and of statements without what follows from them."""
    found = []
    converses = [(one, other) for one, other in CONVERSE.items() if one.value < other.value]
    for one, other in (*EXCLUSIVE, *converses):
        both = pairs[one].keys() & pairs[other].keys()
        found += [f"{a} both {one.value} and {other.value} {b}" for a, b in both]
    for one, other in IMPLIES:
        found += [f"{a} {one.value} {b} but not {other.value}" for a, b in pairs[one].keys() - pairs[other].keys()]
    return found


def _ordered(pairs: Pairs, ids: list[str]) -> list[str]:
    """Complain of gaps in transitive relations and of cycles."""
    found = []
    index = {name: k for k, name in enumerate(ids)}
    for predicate in ACYCLIC:
        known = [(index[a], index[b]) for a, b in pairs[predicate] if a in index and b in index]
        if not known:
            continue
        direct = np.zeros((len(ids), len(ids)), dtype=bool)
        direct[tuple(zip(*known, strict=True))] = True
        reached = direct
        for _ in range(len(ids)):
            further = reached | ((reached.astype(np.int64) @ direct.astype(np.int64)) > 0)
            if (further == reached).all():
                break
            reached = further
        if np.diagonal(reached).any():
            found.append(f"{predicate.value} goes round in a circle")
        if predicate in TRANSITIVE and (reached != direct).any():
            a, b = np.argwhere(reached & ~direct)[0]
            found.append(f"{ids[a]} {predicate.value} {ids[b]} follows but is not stated")
    return found


def _compared(pairs: Pairs, properties: dict[Predicate, dict[str, float]]) -> list[str]:
    """Complain of comparisons that the published measurements of the two objects belie."""
    found = []
    for predicate, (measured, larger) in COMPARES.items():
        values = properties[measured]
        for a, b in pairs[predicate]:
            if (values.get(a, math.nan) > values.get(b, math.nan)) != larger:
                found.append(f"{a} {predicate.value} {b}, but {measured.value} {values.get(a)} and {values.get(b)}")
    for name in (Predicate.NEAR, Predicate.FAR):
        for pair, item in pairs[name].items():
            distance = pairs[Predicate.CENTER_DISTANCE].get(pair)
            if distance is None or distance.value != item.value:
                found.append(f"{pair} {name.value} at {item.value}, but centres {distance and distance.value} apart")
    return found

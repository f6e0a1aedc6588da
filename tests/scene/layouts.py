"""Objects of known boxes before a level camera, made by hand or by Hypothesis: what relations are stated of.

The viewer looks ahead and levelly: right is x, forward is z, and up is minus y of its optical frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.relate import Relations, relate
from joyai_ros.scene.types import SceneObject

UP = np.array([0.0, -1.0, 0.0])
LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # optical from (right, forward, up)
SIGMA = 0.001


def thing(
    name, right=0.0, forward=1.0, bottom=0.0, size=(0.1, 0.1, 0.1), heading=0.0, sigma=SIGMA, **more
) -> SceneObject:
    """An object standing with its underside ``bottom`` metres over the height of the camera."""
    height = size[2]
    turn = rigid.axis_angle(np.array([0.0, 0.0, 1.0]), heading)
    box = OrientedBox(LEVEL @ np.array([right, forward, bottom + height / 2.0]), LEVEL @ turn, np.array(size))
    known = {
        "height": height,
        "height_sigma": sigma,
        "center_sigma": np.full(3, sigma),
        "size_sigma": np.full(3, sigma),
    }
    return SceneObject(name, name, box, **{**known, **more})


def stated(*objects: SceneObject, up=UP, config=RelationConfig()) -> Relations:
    return relate(objects, up, config)


def said(relations: Relations, predicate: Predicate) -> set[tuple[str, ...]]:
    """Who is stated to be so to whom."""
    return {(r.subject, *r.objects) for r in relations.stated if r.predicate == predicate.value}


def value(relations: Relations, predicate: Predicate, *who: str):
    """The one statement of this predicate about these."""
    (found,) = [r for r in relations.stated if r.predicate == predicate.value and (r.subject, *r.objects) == who]
    return found


def facts(relations: Relations) -> set[tuple[str, ...]]:
    """All statements without their values; the outer two of *between* in the order of their names."""
    return {(r.predicate, r.subject, *sorted(r.objects)) for r in relations.stated}


def moved(objects: Iterable[SceneObject], rotation: np.ndarray, translation: np.ndarray) -> tuple[SceneObject, ...]:
    """The same objects after a rigid motion of the optical frame they are given in.

    Uncertainties along the optical axes stay as they are: make them alike in all directions.
    """
    transform = rigid.make_transform(rotation, translation)
    return tuple(
        replace(o, obb=o.obb.transformed(transform), front=None if o.front is None else rotation @ o.front)
        for o in objects
    )


def lengths(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def scenes(draw: st.DrawFn, most: int = 6, alike: bool = False) -> tuple[SceneObject, ...]:
    """Objects that often touch, overlap, carry and hold each other.

    Args:
        draw: from Hypothesis.
        most: objects.
        alike: each object's uncertainty is alike in all directions.
    """
    made: list[SceneObject] = []
    for index in range(draw(st.integers(0, most))):
        size = sorted(draw(st.tuples(lengths(0.005, 0.4), lengths(0.005, 0.4))), reverse=True)
        size.append(draw(st.one_of(lengths(0.002, 0.03), lengths(0.03, 0.4))))
        at = draw(st.tuples(lengths(-0.6, 0.6), lengths(0.4, 2.0), lengths(-0.4, 0.4)))
        if made and draw(st.booleans()):
            other = draw(st.sampled_from(made))
            right, forward, height = LEVEL.T @ other.obb.center
            levels = (height - other.obb.size[2] / 2, height, height + other.obb.size[2] / 2)
            beside = (0.0, 0.01, (size[0] + other.obb.size[0]) / 2)
            play = draw(st.sampled_from((-0.02, -0.004, 0.0, 0.004, 0.02, 0.03)))
            at = (right + draw(st.sampled_from(beside)), forward, draw(st.sampled_from(levels)) + play)
        sigma = st.one_of(st.just(0.0), lengths(1e-5, 0.05))
        spread = np.full(3, draw(sigma)) if alike else np.array([draw(sigma) for _ in range(3)])
        front = draw(st.one_of(st.none(), lengths(-3.1, 3.1)))
        made.append(
            thing(
                f"o{index}",
                *at,
                size=tuple(size),
                heading=draw(lengths(-1.6, 1.6)),
                center_sigma=spread,
                size_sigma=np.array([draw(sigma) for _ in range(3)]),
                height_sigma=draw(sigma),
                truncated=draw(st.sampled_from((False, False, True))),
                hollow=draw(st.booleans()),
                front=None if front is None else LEVEL @ np.array([np.sin(front), np.cos(front), 0.0]),
            )
        )
    return tuple(made)

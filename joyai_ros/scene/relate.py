"""Relations between objects, measured on their boxes, with margins scaled by uncertainty.

Definitions and margins are written out, with pictures, in docs/relations.md. A statement is made only where the measured
value exceeds its margin by ``confidence_sigmas`` standard deviations; what falls short is counted as an abstention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Vec3
from joyai_ros.scene.arrangement import state_aligned, state_between, state_facing
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.contact import state_contact, state_distances
from joyai_ros.scene.layout import Layout, layout_of
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.statements import Statements
from joyai_ros.scene.types import SceneObject, SpatialRelation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Relations:
    """What is stated, and how many comparisons were too close to call."""

    stated: tuple[SpatialRelation, ...]
    abstentions: int


def relate(objects: tuple[SceneObject, ...], up: Vec3 | None, config: RelationConfig) -> Relations:
    """State the relations that hold between objects.

    Args:
        objects: with boxes in one colour optical frame.
        up: (3,) unit, optical frame; None where unknown: then nothing that depends on gravity is stated.
        config: margins, and between how many objects relations are stated: their number grows with its square. Those in
            view come first, labelled before unlabelled, then those measured from more pixels.
    """
    if not objects:
        return Relations((), 0)
    if len(objects) > config.most_objects:
        rank = sorted(range(len(objects)), key=lambda k: _precedence(objects[k]))
        objects = tuple(objects[k] for k in sorted(rank[: config.most_objects]))
    layout = layout_of(objects, level_basis(up) if up is not None else np.eye(3))
    statements = Statements(layout.ids, config.confidence_sigmas)
    _order_by_distance(statements, layout, config)
    _order_by_size(statements, layout, config)
    state_distances(statements, layout, config, gravity=up is not None)
    if up is not None:
        _order_in_view(statements, layout, config)
        _order_by_height(statements, layout, config)
        state_contact(statements, layout, config)
        state_aligned(statements, layout, config)
        state_between(statements, layout, config)
        state_facing(statements, layout, config)
    _describe_each(statements, layout, gravity=up is not None)
    return Relations(tuple(statements.relations), statements.abstentions)


def _precedence(item: SceneObject) -> tuple[bool, bool, int]:
    return not item.visible, not item.label, -item.points


def _difference(values: Array, sigmas: Array) -> tuple[Array, Array]:
    """Return (n, n) ``values[j] - values[i]`` and its sigma, errors taken as independent."""
    return values[None, :] - values[:, None], np.hypot(sigmas[None, :], sigmas[:, None])


def _order_in_view(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    across = _difference(layout.center[:, 0], layout.sigma[:, 0])
    statements.ordered(Predicate.LEFT_OF, *across, config.lateral_margin, "m")
    along = _difference(layout.center[:, 1], layout.sigma[:, 1])
    statements.ordered(Predicate.IN_FRONT_OF, *along, config.depth_margin, "m")


def _order_by_height(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    difference, sigma = _difference(-layout.height, layout.height_sigma)
    statements.ordered(Predicate.TALLER_THAN, difference, sigma, config.height_margin, "m")


def _order_by_distance(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    difference, sigma = _difference(layout.distance, layout.distance_sigma)
    statements.ordered(Predicate.CLOSER_THAN, difference, sigma, config.distance_margin, "m")


def _order_by_size(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    """Compare longest sides by the logarithm of their ratio; what the image border cuts is at least as long as seen."""
    longest = np.argmax(layout.size, axis=1)
    rows = np.arange(len(longest))
    side = np.maximum(layout.size[rows, longest], 1e-3)
    another = (layout.size + layout.size_sigma).max(axis=1) - side  # a less certain side may be the longest in truth
    side_sigma = np.maximum(layout.size_sigma[rows, longest], another)
    difference, sigma = _difference(-np.log(side), side_sigma / side)
    # Positive: the row's object is the longer one. If the shorter one is cut, nothing follows.
    shorter_is_cut = np.where(difference > 0, ~layout.whole[None, :], ~layout.whole[:, None])
    difference = np.where(shorter_is_cut, np.nan, difference)
    ratio = np.exp(np.abs(difference))
    statements.ordered(Predicate.BIGGER_THAN, difference, sigma, float(np.log(config.size_ratio)), "1", ratio)


def _describe_each(statements: Statements, layout: Layout, gravity: bool) -> None:
    longest = np.argmax(layout.size, axis=1)
    x, y, sigma = layout.center[:, 0], layout.center[:, 1], layout.sigma
    # REP-103: angles are positive anticlockwise seen from above, so to the left.
    bearing = np.arctan2(-x, y)
    sideways = np.hypot(sigma[:, 0] * y, sigma[:, 1] * x) / np.maximum(np.square(x) + np.square(y), 1e-9)
    hour = (np.rint(-bearing / (np.pi / 6.0)) - 1) % 12 + 1
    known = np.isfinite(layout.height)
    for i in range(len(layout.ids)):
        statements.property(Predicate.SIZE, i, layout.size[i, longest[i]], "m", layout.size_sigma[i, longest[i]])
        statements.property(Predicate.CAMERA_DISTANCE, i, layout.distance[i], "m", layout.distance_sigma[i])
        if not gravity:
            continue
        if known[i]:
            statements.property(Predicate.HEIGHT, i, layout.height[i], "m", layout.height_sigma[i])
        statements.property(Predicate.BEARING, i, bearing[i], "rad", sideways[i])
        statements.property(Predicate.CLOCK_DIRECTION, i, hour[i], "h", sideways[i] / (np.pi / 6.0))

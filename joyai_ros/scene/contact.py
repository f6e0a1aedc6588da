"""Above and below, on and under, inside and contains, touching, near and far; distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.layout import Layout, covers, overlap
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.statements import Statements

Array = NDArray[np.float64]
_INSIDE_SHARE = 0.8  # of the container's footprint area that what is inside may cover at most
_SUNK_SHARE = 0.3  # of the container's height by which the bottom must lie below its rim


def state_distances(statements: Statements, layout: Layout, config: RelationConfig, gravity: bool) -> None:
    """State near and far by the centres, and measure the distances between all pairs.

    ``distance`` is that of the closest points of two boxes; without gravity only centres are measured.
    """
    offset = layout.center[None] - layout.center[:, None]
    between = np.linalg.norm(offset, axis=-1)
    direction = offset / np.maximum(between, 1e-9)[..., None]
    spread = np.square(layout.sigma)[None] + np.square(layout.sigma)[:, None]
    sigma = np.sqrt((spread * np.square(direction)).sum(axis=-1))
    statements.measured(Predicate.CENTER_DISTANCE, between, sigma, "m")
    statements.symmetric(Predicate.NEAR, config.near_distance - between, between, sigma, "m")
    farther = between - max(config.far_distance, config.near_distance)
    statements.symmetric(Predicate.FAR, farther, between, sigma, "m")
    if not gravity:
        return
    distance = layout.box_distance
    sides = np.square(layout.size_sigma[:, :2]).mean(axis=1) / 4.0
    sigma = np.sqrt(np.square(sigma) + sides[None] + sides[:, None])
    statements.measured(Predicate.DISTANCE, distance, sigma, "m")


def state_contact(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    """State what is above, on, inside and touching what."""
    meet = layout.level_gap == 0.0
    n = len(layout.ids)
    touching = np.full((n, n), np.nan)
    known = np.isfinite(layout.height_sigma)  # a height is unknown while gravity is
    for i, j in np.argwhere(np.triu(meet & known & known[:, None], 1)).tolist():
        if _state_pair(statements, layout, config, i, j):
            touching[i, j] = touching[j, i] = config.contact_margin
    statements.symmetric(Predicate.TOUCHING, touching, layout.box_distance, np.zeros((n, n)), "m")


def _state_pair(statements: Statements, layout: Layout, config: RelationConfig, i: int, j: int) -> bool:
    """State how two objects with overlapping footprints lie to each other; return whether one carries or holds the other."""
    sigma = float(np.hypot(layout.height_sigma[i], layout.height_sigma[j]))
    for inner, outer in ((i, j), (j, i)):
        depth = float(layout.top[outer] - layout.bottom[inner])
        if depth > config.contact_margin and _is_inside(layout, inner, outer):  # what is less deep lies on it: a plate
            return statements.directed(Predicate.INSIDE, inner, outer, depth - config.contact_margin, depth, sigma)
    vertical = layout.vertical_gap
    upper, lower = (i, j) if vertical[i, j] > vertical[j, i] else (j, i)
    if overlap(layout, upper, lower) < config.above_overlap:
        return False
    clearance = float(vertical[upper, lower])
    # Of two thin things in one place neither is above: their middles must differ as clearly as their faces meet.
    middles = float(layout.center[upper, 2] - layout.center[lower, 2])
    excess = min(clearance + config.contact_margin, middles)
    above = statements.directed(Predicate.ABOVE, upper, lower, excess, clearance, sigma)
    carried = covers(layout, lower, upper, 0.1 * float(layout.half[lower].max())) or covers(layout, upper, lower, 0.0)
    return above and carried and _is_carried(statements, upper, lower, clearance, sigma, config)


def _is_carried(statements: Statements, i: int, j: int, clearance: float, sigma: float, config: RelationConfig) -> bool:
    return statements.directed(Predicate.ON, i, j, config.contact_margin - abs(clearance), clearance, sigma)


def _is_inside(layout: Layout, i: int, j: int) -> bool:
    """Whether i stands within the cavity of j: over its footprint, narrower, and well below its rim."""
    if not layout.hollow[j] or not covers(layout, j, i, 0.0):
        return False
    narrower = np.prod(layout.half[i]) < _INSIDE_SHARE * np.prod(layout.half[j])
    height = layout.top[j] - layout.bottom[j]
    sunk = layout.top[j] - layout.bottom[i] > _SUNK_SHARE * height
    return bool(narrower and sunk and layout.bottom[i] > layout.bottom[j] - 0.01)

"""Between, aligned and facing: relations of direction."""

from __future__ import annotations

import itertools

import numpy as np

from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.layout import Layout
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.statements import Statements

_MIDDLE = (0.2, 0.8)  # share of the way between two objects within which a third is between them
_MOST_FOR_BETWEEN = 15  # objects; the number of triples grows with their cube


def state_aligned(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    """State which elongated objects are parallel, with the angle between their length axes in radians."""
    # Both sides are uncertain, and what is about as wide as long has no direction.
    longer = layout.size[:, 0] - config.elongation * layout.size[:, 1]
    doubt = config.confidence_sigmas * np.hypot(layout.size_sigma[:, 0], config.elongation * layout.size_sigma[:, 1])
    long = np.flatnonzero((longer > doubt) & layout.whole)
    n = len(layout.ids)
    excess, angle, sigma = np.full((n, n), np.nan), np.zeros((n, n)), np.zeros((n, n))
    heading = np.arctan2(layout.axes[:, 0, 1], layout.axes[:, 0, 0])
    spread = np.arctan2(layout.size_sigma[:, 1] / 2.0, np.maximum(layout.size[:, 0], 1e-3))
    for i, j in itertools.combinations(long.tolist(), 2):
        apart = abs((heading[i] - heading[j] + np.pi / 2) % np.pi - np.pi / 2)
        angle[i, j] = angle[j, i] = apart
        sigma[i, j] = sigma[j, i] = np.hypot(spread[i], spread[j])
        excess[i, j] = excess[j, i] = config.aligned_angle - apart
    statements.symmetric(Predicate.ALIGNED, excess, angle, sigma, "rad")


def state_between(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    """State which object lies between which two, with its distance from the line between their centres in metres."""
    n = len(layout.ids)
    if n > _MOST_FOR_BETWEEN:
        return
    center, sigma = layout.center, np.sqrt(np.square(layout.sigma).mean(axis=1))
    j, k = np.triu_indices(n, 1)
    line = center[k] - center[j]  # (pairs, 3)
    length = np.linalg.norm(line, axis=1)
    far = length >= config.between_least
    j, k, line, length = j[far], k[far], line[far], length[far]
    offset = center - center[j][:, None]  # (pairs, n, 3)
    # The outer two themselves are at 0 and at 1 of the way.
    along = np.matmul(offset, line[:, :, None])[..., 0] / np.square(length)[:, None]
    pair, i = np.nonzero((along > _MIDDLE[0]) & (along < _MIDDLE[1]))
    j, k = j[pair], k[pair]
    aside = np.linalg.norm(offset[pair, i] - along[pair, i][:, None] * line[pair], axis=1)
    # The tightest of what must hold counts: near enough to the line, in the middle of it, and a line long enough.
    room = np.minimum(along[pair, i] - _MIDDLE[0], _MIDDLE[1] - along[pair, i]) * length[pair]
    excess = np.minimum(
        np.minimum(config.between_share * length[pair] - aside, room), length[pair] - config.between_least
    )
    spread = np.sqrt(np.square(sigma[i]) + (np.square(sigma[j]) + np.square(sigma[k])) / 4.0)
    for subject, one, other, *measured in zip(*(a.tolist() for a in (i, j, k, aside, spread, excess)), strict=True):
        statements.group(Predicate.BETWEEN, subject, (one, other), measured[0], "m", measured[1], measured[2])


def state_facing(statements: Statements, layout: Layout, config: RelationConfig) -> None:
    """State which objects with a known front face which others, with the angle off the front in radians."""
    for i in np.flatnonzero(np.isfinite(layout.front[:, 0])).tolist():
        front = layout.front[i, :2]
        for j in range(len(layout.ids)):
            towards = layout.center[j, :2] - layout.center[i, :2]
            distance = float(np.linalg.norm(towards))
            if i == j or distance < 1e-3 or np.linalg.norm(front) < 1e-3:
                continue
            cosine = float(front @ towards / (np.linalg.norm(front) * distance))
            angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
            spread = float(np.hypot(layout.sigma[i, :2].max(), layout.sigma[j, :2].max())) / distance
            statements.group(Predicate.FACING, i, (j,), angle, "rad", spread, config.facing_angle - angle)

"""Collects what is stated and counts what is too close to call."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from joyai_ros.scene.predicates import CONVERSE, SYMMETRIC, Predicate, frame_of
from joyai_ros.scene.types import SpatialRelation

Array = NDArray[np.float64]
_LEAST_SIGMA = 1e-9


class Statements:
    """Relations between objects, given by their index.

    Args:
        ids: the objects' ids.
        sigmas: standard deviations by which a value must pass its margin to be stated.
    """

    def __init__(self, ids: list[str], sigmas: float) -> None:
        self._ids = ids
        self._alone = [(name,) for name in ids]  # one tuple each for the hundreds of pairs that an object is in
        self._sigmas = sigmas
        self.relations: list[SpatialRelation] = []
        self.abstentions = 0

    def ordered(
        self, predicate: Predicate, value: Array, sigma: Array, margin: float, unit: str, shown: Array | None = None
    ) -> None:
        """State ``predicate`` for each pair (i, j) whose antisymmetric ``value`` (n, n) is above its margin.

        The converse is stated for (j, i) with the same value.

        Args:
            predicate: one with a converse.
            value, sigma: (n, n); NaN where the pair cannot be compared.
            margin: of the value.
            unit: of the value.
            shown: (n, n) the value to publish where it is another one (a ratio for its logarithm); by default ``value``.
        """
        size = np.abs(value)
        upper = np.triu(np.isfinite(value), 1)
        clear = upper & (size > margin + self._sigmas * sigma)
        self.abstentions += int(upper.sum() - clear.sum())
        i, j = np.nonzero(clear)
        pairs = np.where(value[i, j] > 0, (i, j), (j, i))
        published, spread = (size if shown is None else shown)[i, j], sigma[i, j]
        confidence = ndtr((size[i, j] - margin) / np.maximum(spread, _LEAST_SIGMA))
        self._state_pairs(predicate, pairs, published, unit, spread, confidence.tolist())

    def symmetric(self, predicate: Predicate, excess: Array, value: Array, sigma: Array, unit: str) -> None:
        """State ``predicate`` both ways for each pair whose symmetric ``excess`` (n, n) over its margin is clear.

        Args:
            predicate: a symmetric one.
            excess: value beyond the margin, in the direction that makes it true; NaN where it cannot be.
            value, sigma: (n, n) what is published.
            unit: of the value.
        """
        assert predicate in SYMMETRIC
        upper = np.triu(np.isfinite(excess), 1)
        clear = upper & (excess > self._sigmas * sigma)
        self.abstentions += int((upper & ~clear & (excess > -self._sigmas * sigma)).sum())
        pairs = np.nonzero(clear)
        spread = sigma[pairs]
        confidence = ndtr(excess[pairs] / np.maximum(spread, _LEAST_SIGMA))
        self._state_pairs(predicate, pairs, value[pairs], unit, spread, confidence.tolist())

    def directed(self, predicate: Predicate, i: int, j: int, excess: float, value: float, sigma: float) -> bool:
        """State ``predicate`` of i to j, in metres, and its converse, where ``excess`` is clear; return whether it was."""
        if excess <= self._sigmas * sigma:
            self.abstentions += int(excess > -self._sigmas * sigma)
            return False
        confidence = float(ndtr(excess / max(sigma, _LEAST_SIGMA)))
        self._state(predicate, i, (j,), value, "m", sigma, confidence)
        self._state(CONVERSE[predicate], j, (i,), value, "m", sigma, confidence)
        return True

    def measured(self, predicate: Predicate, value: Array, sigma: Array, unit: str) -> None:
        """Give a symmetric measurement (n, n) of every pair, both ways."""
        pairs = np.nonzero(np.triu(np.isfinite(value), 1))
        self._state_pairs(predicate, pairs, value[pairs], unit, sigma[pairs], [math.nan] * len(pairs[0]))

    def property(self, predicate: Predicate, i: int, value: float, unit: str, sigma: float) -> None:
        """Give a measured property of one object."""
        self._state(predicate, i, (), float(value), unit, float(sigma), math.nan)

    def group(
        self,
        predicate: Predicate,
        i: int,
        others: tuple[int, ...],
        value: float,
        unit: str,
        sigma: float,
        excess: float,
    ) -> None:
        """State ``predicate`` of one object to one or two others where ``excess`` is clear."""
        if excess <= self._sigmas * sigma:
            self.abstentions += int(excess > -self._sigmas * sigma)
            return
        self._state(predicate, i, others, value, unit, sigma, float(ndtr(excess / max(sigma, _LEAST_SIGMA))))

    def _state_pairs(
        self,
        predicate: Predicate,
        pairs: Iterable[NDArray[np.int64]],
        value: Array,
        unit: str,
        sigma: Array,
        confidence: list[float],
    ) -> None:
        """State a predicate of each pair's first (N,) to its second (N,), and its converse, or itself, the other way."""
        ids, alone, add, frame = self._ids, self._alone, self.relations.append, frame_of(predicate)
        forth, back = predicate.value, CONVERSE.get(predicate, predicate).value
        first, second = (indices.tolist() for indices in pairs)
        for i, j, v, s, c in zip(first, second, value.tolist(), sigma.tolist(), confidence, strict=True):
            add(SpatialRelation(ids[i], forth, alone[j], v, unit, s, frame, c))
            add(SpatialRelation(ids[j], back, alone[i], v, unit, s, frame, c))

    def _state(
        self,
        predicate: Predicate,
        subject: int,
        objects: tuple[int, ...],
        value: float,
        unit: str,
        sigma: float,
        confidence: float,
    ) -> None:
        self.relations.append(
            SpatialRelation(
                subject=self._ids[subject],
                predicate=predicate.value,
                objects=tuple(self._ids[o] for o in objects),
                value=value,
                unit=unit,
                sigma=sigma,
                frame=frame_of(predicate),
                confidence=confidence,
            )
        )

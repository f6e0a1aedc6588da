"""Seeded draws whose meaning cannot drift: every one is made from uniform doubles of one PCG64 stream."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Range = tuple[float, float]


class Draws:
    """A stream of random numbers that depends on its name and seed alone.

    NumPy keeps its bit streams across versions but not its distributions, so only ``Generator.random`` is used.
    """

    def __init__(self, name: str, seed: int) -> None:
        """Start the stream; ``seed`` is any integer from 0 on."""
        digest = hashlib.sha256(f"{name}:{int(seed)}".encode()).digest()
        self._generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))

    def unit(self) -> float:
        """Return a number within [0, 1)."""
        return float(self._generator.random())

    def uniform(self, bounds: Range) -> float:
        """Return a number between the two bounds."""
        return bounds[0] + (bounds[1] - bounds[0]) * self.unit()

    def integer(self, bounds: tuple[int, int]) -> int:
        """Return an integer between the two bounds, both included."""
        return bounds[0] + int(self.unit() * (bounds[1] - bounds[0] + 1))

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return self.unit() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items, all equally likely."""
        return items[int(self.unit() * len(items))]

    def weighted(self, items: Sequence[tuple[Item, float]]) -> Item:
        """Return one of the items, each given with its weight."""
        left = self.unit() * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]

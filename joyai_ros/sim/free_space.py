"""Where on the table an object could stand as well."""

from __future__ import annotations

import math

import numpy as np

from joyai_ros.sim import footprints
from joyai_ros.sim.draws import Draws
from joyai_ros.sim.placement import on_table
from joyai_ros.sim.world import World

_TRIES = 60
_REACH = (0.08, 0.30)  # metres that an object is carried
_CLEARANCE = 0.02


def free_translation(world: World, draws: Draws) -> tuple[int, tuple[float, float]] | None:
    """Return an object that stands alone on the table and a free shift (metres, world) for it; None where none is found."""
    outlines = [footprints.outline(world.vertices(i)) for i in range(len(world.objects))]
    alone = [
        i
        for i in range(len(outlines))
        if all(i == j or footprints.separation(outlines[i], outlines[j]) > 0.002 for j in range(len(outlines)))
    ]
    for _ in range(_TRIES if alone else 0):
        index = draws.choice(alone)
        angle, reach = draws.uniform((-math.pi, math.pi)), draws.uniform(_REACH)
        shift = reach * np.array([math.cos(angle), math.sin(angle)])
        moved = outlines[index] + shift
        others = (footprints.separation(moved, o) for j, o in enumerate(outlines) if j != index)
        if on_table(moved, world.description.table) and all(gap > _CLEARANCE for gap in others):
            return index, (float(shift[0]), float(shift[1]))
    return None

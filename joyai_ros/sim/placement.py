"""Putting objects down so that they can stay: on the table, on each other, inside containers, side by side.

Only outlines and heights are compared here; the short simulation afterwards (:mod:`joyai_ros.sim.world`) closes the last
fractions of a millimetre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Float, Mat3, Points
from joyai_ros.sim import footprints
from joyai_ros.sim.description import ObjectDescription, Table
from joyai_ros.sim.draws import Draws
from joyai_ros.sim.shapes import shape_of
from joyai_ros.sim.tabletop_v1 import Tabletop

_Z = np.array([0.0, 0.0, 1.0])
_LIE_DOWN = rigid.axis_angle(np.array([0.0, 1.0, 0.0]), math.pi / 2)
_TABLE_EDGE = 0.02  # metres that objects keep from the table's edge
_BOWL_DROP = 0.004  # metres above a bowl's floor at which its content starts, clear of the curved wall
_TRIES = 24
_FLAT_TOPPED = {"box", "book", "cylinder"}
_STACKABLE = {"box", "book", "cylinder", "mug", "bowl", "plate", "l_block", "cross"}


@dataclass(frozen=True)
class Placed:
    """An object as it was put down, with what later ones must keep clear of."""

    description: ObjectDescription
    outline: Float  # (K, 2) metres, world
    low: float
    high: float
    level: int  # 0 on the table, one more for each object below
    contents: int = 0


@dataclass
class Placement:
    """The objects put down so far on one table."""

    style: Tabletop
    table: Table
    spread: float
    clearance: float
    draws: Draws
    placed: list[Placed] = field(default_factory=list)

    def put_down(self, wanted: ObjectDescription, touching: bool) -> bool:
        """Put an object on the table, beside another one where ``touching``; false where no free place was found."""
        points = self._turned(wanted)
        for _ in range(_TRIES):
            rotation = rigid.axis_angle(_Z, self.draws.uniform((-math.pi, math.pi)))
            shape = points @ rotation.T
            beside = self.draws.choice(self.placed) if touching and self.placed else None
            if beside is not None and beside.level == 0:
                offset, how = self._beside(shape, beside), f"beside:{beside.description.id}"
            else:
                angle, radius = self.draws.uniform((-math.pi, math.pi)), self.spread * math.sqrt(self.draws.unit())
                offset, how = radius * np.array([math.cos(angle), math.sin(angle)]), "table"
            if self._try(wanted, shape, rotation, offset, self.table.height, 0, how):
                return True
        return False

    def stack(self, wanted: ObjectDescription) -> bool:
        """Put an object on top of another one; false where none can carry it."""
        carriers = [p for p in self.placed if p.description.kind in _FLAT_TOPPED and not p.description.lying]
        carriers = [p for p in carriers if p.level < 2 and self._is_free_on_top(p)]
        if wanted.kind not in _STACKABLE or wanted.lying or not carriers:
            return False
        points = self._turned(wanted)
        for _ in range(_TRIES):
            below = self.draws.choice(carriers)
            rotation = rigid.axis_angle(_Z, self.draws.uniform((-math.pi, math.pi)))
            shape = points @ rotation.T
            room = footprints.depth_inside(below.outline.mean(axis=0), below.outline)
            shift = self.draws.uniform((0.0, 0.3)) * room
            angle = self.draws.uniform((-math.pi, math.pi))
            offset = below.outline.mean(axis=0) + shift * np.array([math.cos(angle), math.sin(angle)])
            foot = footprints.outline(shape[shape[:, 2] < shape[:, 2].min() + 1e-6])
            if room < 0.02 or _half_width(foot) > 1.3 * room:
                continue
            if self._try(wanted, shape, rotation, offset, below.high, below.level + 1, f"on:{below.description.id}"):
                return True
        return False

    def containers(self) -> list[Placed]:
        """Those that still have room inside."""
        capacity = {"mug": 1, "bowl": 1, "plate": 1, "tray": 3}
        return [p for p in self.placed if p.contents < capacity.get(p.description.kind, 0)]

    def put_inside(self, wanted: ObjectDescription, container: Placed) -> bool:
        """Put an object into a container; false where it does not fit."""
        cavity = shape_of(container.description.kind, container.description.dimensions).cavity
        if cavity is None:
            return False
        pose = (
            np.array(container.description.position),
            rigid.matrix_from_quaternion(np.array(container.description.quaternion)),
        )
        if container.description.kind == "mug":
            return self._lean_inside(wanted, container)
        points = self._turned(wanted)
        for _ in range(_TRIES):
            rotation = rigid.axis_angle(_Z, self.draws.uniform((-math.pi, math.pi)))
            shape = points @ rotation.T
            spot = np.array(
                [self.draws.uniform((-1, 1)) * cavity.half_length, self.draws.uniform((-1, 1)) * cavity.half_width]
            )
            spot = spot * 0.1 if cavity.round else spot
            inside = (shape[:, :2] + pose[1][:2, :2] @ spot) @ pose[1][:2, :2]  # in the container's own axes
            if not _fits(inside, cavity.half_length, cavity.half_width, cavity.round):
                continue
            offset = pose[0][:2] + pose[1][:2, :2] @ spot
            floor = float(pose[0][2]) + cavity.floor + (_BOWL_DROP if cavity.round and cavity.encloses else 0.0)
            how = f"{'in' if cavity.encloses else 'on'}:{container.description.id}"
            if self._try(wanted, shape, rotation, offset, floor, container.level + 1, how, inside=container):
                self._count_content(container)
                return True
        return False

    def _lean_inside(self, wanted: ObjectDescription, mug: Placed) -> bool:
        """Put a marker upright into a mug, leaning towards the rim."""
        sizes = dict(mug.description.dimensions)
        pen = dict(wanted.dimensions)
        room = sizes["radius"] - sizes["wall"] - pen["radius"] - 0.001
        lean = math.atan2(1.6 * room, sizes["height"] - sizes["floor"])
        turn = rigid.axis_angle(_Z, self.draws.uniform((-math.pi, math.pi)))
        rotation = turn @ rigid.axis_angle(np.array([0.0, 1.0, 0.0]), lean)
        shape = np.asarray(shape_of(wanted.kind, wanted.dimensions).surface.vertices) @ rotation.T
        foot = rotation @ np.array([0.0, 0.0, -pen["height"] / 2])
        wall = turn @ np.array([-0.8 * room, 0.0, 0.0])
        offset = np.array(mug.description.position[:2]) + wall[:2] - foot[:2]
        floor = mug.description.position[2] - sizes["height"] / 2 + sizes["floor"]
        upright = replace(wanted, lying=False)
        how = f"in:{mug.description.id}"
        if self._try(upright, shape, rotation, offset, floor, mug.level + 1, how, inside=mug):
            self._count_content(mug)
            return True
        return False

    def _count_content(self, container: Placed) -> None:
        index = next(i for i, p in enumerate(self.placed) if p.description.id == container.description.id)
        self.placed[index] = replace(self.placed[index], contents=self.placed[index].contents + 1)

    def _turned(self, wanted: ObjectDescription) -> Points:
        points = np.asarray(shape_of(wanted.kind, wanted.dimensions).surface.vertices)
        return points @ _LIE_DOWN.T if wanted.lying else points

    def _beside(self, shape: Points, other: Placed) -> Float:
        """The offset at which a shape just fails to touch another object, in a drawn direction."""
        angle = self.draws.uniform((-math.pi, math.pi))
        direction = np.array([math.cos(angle), math.sin(angle)])
        center = other.outline.mean(axis=0)
        moving = footprints.outline(shape) + center
        return np.asarray(
            center + direction * footprints.touching_offset(other.outline, moving, direction, self.style.touching_gap)
        )

    def _is_free_on_top(self, candidate: Placed) -> bool:
        return not any(p.description.placed == f"on:{candidate.description.id}" for p in self.placed)

    def _try(
        self,
        wanted: ObjectDescription,
        shape: Points,
        turn: Mat3,
        offset: Float,
        ground: float,
        level: int,
        how: str,
        inside: Placed | None = None,
    ) -> bool:
        """Put the object there unless it is off the table or in the way of another one.

        ``shape`` are its points after lying down and after ``turn``; ``how`` is what ``placed`` will say.
        """
        base = footprints.outline(shape) + offset
        low = ground + 0.0002
        lift = low - float(shape[:, 2].min())
        high = low + float(np.ptp(shape[:, 2]))
        if not on_table(base, self.table):
            return False
        partner = how.partition(":")[2]
        for other in self.placed:
            if inside is not None and other.description.id == partner:
                continue
            if low > other.high - 1e-6 or high < other.low:
                continue
            close = other.description.id == partner or level > 0
            needed = 0.9 * self.style.touching_gap if close else self.clearance
            if footprints.separation(base, other.outline) < needed:
                return False
        rotation = turn @ _LIE_DOWN if wanted.lying else turn
        x, y, z, w = (float(v) for v in rigid.quaternion_from_matrix(rotation))
        position = (float(offset[0]), float(offset[1]), lift)
        described = replace(wanted, position=position, quaternion=(x, y, z, w), placed=how)
        self.placed.append(Placed(described, base, low, high, level))
        return True


def on_table(outline: Float, table: Table) -> bool:
    """Whether an outline (K, 2) lies on the table, clear of its edge."""
    cosine, sine = math.cos(table.yaw), math.sin(table.yaw)
    local = outline @ np.array([[cosine, -sine], [sine, cosine]])
    if table.round:
        return bool(np.linalg.norm(local, axis=1).max() < table.length / 2 - _TABLE_EDGE)
    half = np.array([table.length, table.width]) / 2 - _TABLE_EDGE
    return bool((np.abs(local) < half).all())


def _fits(points: Points, half_length: float, half_width: float, round_area: bool) -> bool:
    flat = points[:, :2]
    if round_area:
        return bool((np.hypot(flat[:, 0] / half_length, flat[:, 1] / half_width)).max() < 1.0)
    return bool((np.abs(flat) < np.array([half_length, half_width]) - 0.001).all())


def _half_width(outline: Float) -> float:
    return float(np.linalg.norm(outline - outline.mean(axis=0), axis=1).max())

"""What each kind of object is made of: the surface that is seen, and the primitives that touch.

A body's origin lies on its axis at half its height, z along its axis as it stands. Round walls touch as rings of wedges,
which differ from the drawn surface by less than a millimetre.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat3, Vec3
from joyai_ros.sim import surfaces
from joyai_ros.sim.surfaces import Surface

_FOOT_GAP = 0.001  # metres by which walls start above the foot, so that the foot alone carries
WALL_SIDES = 24  # wedges round a hollow object's wall
Dimensions = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Part:
    """One collision primitive in the body frame.

    Attributes:
        type: ``box``, ``cylinder``, ``sphere``, ``capsule`` or ``hull``.
        size: MuJoCo half sizes in metres: box x, y, z; cylinder and capsule radius, half length; sphere radius; none for a
            hull.
        position: (3,) metres.
        rotation: (3, 3), part to body.
        points: corners of a hull, metres.
    """

    type: str
    size: tuple[float, ...]
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: Mat3 | None = None
    points: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Cavity:
    """The room inside a container, or on a plate: a horizontal convex area above its floor.

    Attributes:
        half_length, half_width: half extents at the floor in metres (equal for a round one).
        rim_half_length, rim_half_width: half extents at the opening.
        round: whether the area is an ellipse rather than a rectangle.
        floor: height of the inner floor in the body frame.
        rim: height of the opening in the body frame.
        encloses: whether what lies there is inside (false for a plate: it is on it).
    """

    half_length: float
    half_width: float
    rim_half_length: float
    rim_half_width: float
    round: bool
    floor: float
    rim: float
    encloses: bool = True


def _straight_cavity(half_length: float, half_width: float, is_round: bool, floor: float, rim: float) -> Cavity:
    return Cavity(half_length, half_width, half_length, half_width, is_round, floor, rim)


@dataclass(frozen=True)
class Shape:
    """A body's drawn surface, its collision parts, and the room inside it where it has one."""

    surface: Surface
    parts: tuple[Part, ...]
    cavity: Cavity | None = None


@lru_cache(maxsize=256)
def shape_of(kind: str, dimensions: Dimensions, texture_scale: float = 0.1) -> Shape:
    """Build the shape of a kind with these dimensions (name, metres).

    Raises:
        KeyError: there is no such kind, or a dimension is missing.
    """
    return _BUILDERS[kind](dict(dimensions), texture_scale)


def _box(d: Mapping[str, float], scale: float) -> Shape:
    size = (d["length"], d["width"], d["height"])
    return Shape(surfaces.box(size, texture_scale=scale), (Part("box", tuple(s / 2 for s in size)),))


def _cylinder(d: Mapping[str, float], scale: float) -> Shape:
    r, h = d["radius"], d["height"] / 2
    surface = surfaces.lathe([(0, -h), (r, -h), (r, h), (0, h)], scale)
    return Shape(surface, (Part("cylinder", (r, h)),))


def _ball(d: Mapping[str, float], scale: float) -> Shape:
    r = d["radius"]
    angles = np.linspace(-np.pi / 2, np.pi / 2, SPHERE_RINGS)
    profile = [(max(r * math.cos(a), 0.0), r * math.sin(a)) for a in angles]
    profile[0], profile[-1] = (0.0, -r), (0.0, r)
    return Shape(surfaces.lathe(profile, scale), (Part("sphere", (r,)),))


SPHERE_RINGS = 25


def _capsule(d: Mapping[str, float], scale: float) -> Shape:
    r, half = d["radius"], d["height"] / 2 - d["radius"]
    angles = np.linspace(0, np.pi / 2, SPHERE_RINGS // 2 + 1)
    top = [(r * math.cos(a), half + r * math.sin(a)) for a in angles[:-1]] + [(0.0, half + r)]
    bottom = [(radius, -z) for radius, z in reversed(top)]
    return Shape(surfaces.lathe(bottom + top, scale), (Part("capsule", (r, half)),))


def _bottle(d: Mapping[str, float], scale: float) -> Shape:
    r, neck, h = d["radius"], d["neck_radius"], d["height"]
    body, shoulder = d["body_height"] - h / 2, d["shoulder_height"] - h / 2
    angles = np.linspace(0, np.pi / 2, 7)
    curve = [(neck + (r - neck) * math.cos(a), body + (shoulder - body) * math.sin(a)) for a in angles]
    surface = surfaces.lathe([(0, -h / 2), (r, -h / 2), *curve, (neck, h / 2), (0, h / 2)], scale)
    parts = [Part("cylinder", (r, (body + h / 2) / 2), (0, 0, (body - h / 2) / 2))]
    parts += [
        Part(
            "cylinder",
            (
                (r0 + r1) / 2,
                (z1 - z0) / 2,
            ),
            (0, 0, (z0 + z1) / 2),
        )
        for (r0, z0), (r1, z1) in pairwise(curve)
    ]
    parts.append(Part("cylinder", (neck, (h / 2 - shoulder) / 2), (0, 0, (h / 2 + shoulder) / 2)))
    return Shape(surface, tuple(parts))


def _hollow(outer: list[tuple[float, float]], wall: float, floor: float, scale: float) -> tuple[Surface, list[Part]]:
    """A round vessel from its outer wall, (radius, z) from the foot to the rim."""
    base = outer[0]
    inner = [(r - wall, z) for r, z in outer if z > base[1] + floor + 1e-6]
    at_floor = float(np.interp(base[1] + floor, [z for _, z in outer], [r for r, _ in outer])) - wall
    profile = [(0.0, base[1]), *outer, *reversed(inner), (at_floor, base[1] + floor), (0.0, base[1] + floor)]
    parts = [Part("cylinder", (base[0], floor / 2), (0, 0, base[1] + floor / 2))]
    rise = base[1] + _FOOT_GAP
    lifted = (float(np.interp(rise, [z for _, z in outer], [r for r, _ in outer])), rise)
    for low, high in pairwise([lifted, *outer[1:]]):
        parts += _wall_ring(low, high, wall)
    return surfaces.lathe(profile, scale), parts


def _wall_ring(low: tuple[float, float], high: tuple[float, float], wall: float) -> list[Part]:
    """Wedges round the axis that follow one straight piece of a wall of radial thickness ``wall``.

    The corners of the ring stand as far outside the true circle as the middles of its sides lie inside.
    """
    half = math.pi / WALL_SIDES
    balance = 2.0 / (math.cos(half) + 1.0)
    flat = [(low[0] - wall, low[1]), (low[0], low[1]), (high[0] - wall, high[1]), (high[0], high[1])]
    wedge = tuple(
        (r * balance * math.cos(half), side * r * balance * math.sin(half), z) for r, z in flat for side in (-1.0, 1.0)
    )
    z_axis = np.array([0.0, 0.0, 1.0])
    turns = (rigid.axis_angle(z_axis, 2.0 * half * (k + 0.5)) for k in range(WALL_SIDES))
    return [Part("hull", (), rotation=turn, points=wedge) for turn in turns]


def _mug(d: Mapping[str, float], scale: float) -> Shape:
    r, h, wall, floor = d["radius"], d["height"], d["wall"], d["floor"]
    surface, parts = _hollow([(r, -h / 2), (r, h / 2)], wall, floor, scale)
    reach, tall, thick = d["handle_reach"], d["handle_height"] / 2, d["handle_radius"]
    angles = np.linspace(-np.pi / 2, np.pi / 2, 11)
    path = np.column_stack([r - wall / 2 + reach * np.cos(angles), np.zeros(11), tall * np.sin(angles)])
    for a, b in zip(path[:-2:2], path[2::2], strict=True):
        parts.append(_rod(a, b, thick))
    return Shape(
        surfaces.merge([surface, surfaces.tube(path, thick, scale)]),
        tuple(parts),
        _straight_cavity(r - wall, r - wall, True, floor - h / 2, h / 2),
    )


def _rod(a: Vec3, b: Vec3, radius: float) -> Part:
    """A capsule between two points in the x-z plane."""
    direction = b - a
    length = float(np.linalg.norm(direction))
    tilt = rigid.axis_angle(np.array([0.0, 1.0, 0.0]), math.atan2(direction[0], direction[2]))
    x, y, z = (float(v) for v in (a + b) / 2)
    return Part("capsule", (radius, length / 2), (x, y, z), tilt)


def _bowl(d: Mapping[str, float], scale: float) -> Shape:
    r, foot, h = d["radius"], d["foot_radius"], d["height"]
    angles = np.linspace(0.0, np.radians(80.0), 5)
    outer = [
        (
            foot + (r - foot) * math.sin(a) / math.sin(angles[-1]),
            h * (1 - math.cos(a)) / (1 - math.cos(angles[-1])) - h / 2,
        )
        for a in angles
    ]
    surface, parts = _hollow(outer, d["wall"], d["floor"], scale)
    opening = r - d["wall"]
    return Shape(surface, tuple(parts), Cavity(foot, foot, opening, opening, True, d["floor"] - h / 2, h / 2))


def _plate(d: Mapping[str, float], scale: float) -> Shape:
    r, foot, h = d["radius"], d["foot_radius"], d["height"]
    surface, parts = _hollow([(foot, -h / 2), (r, h / 2)], d["wall"], d["floor"], scale)
    flat = foot - d["wall"]
    return Shape(surface, tuple(parts), Cavity(flat, flat, r, r, True, d["floor"] - h / 2, h / 2, encloses=False))


def _tray(d: Mapping[str, float], scale: float) -> Shape:
    length, width, h, wall, floor = d["length"], d["width"], d["height"], d["wall"], d["floor"]
    pieces = [((length, width, floor), (0.0, 0.0, (floor - h) / 2))]
    rise = h - floor
    for sign in (-1.0, 1.0):
        pieces.append(((length, wall, rise), (0.0, sign * (width - wall) / 2, floor / 2)))
        pieces.append(((wall, width - 2 * wall, rise), (sign * (length - wall) / 2, 0.0, floor / 2)))
    return Shape(
        surfaces.merge([surfaces.box(size, center, scale) for size, center in pieces]),
        tuple(Part("box", (s[0] / 2, s[1] / 2, s[2] / 2), c) for s, c in pieces),
        _straight_cavity(length / 2 - wall, width / 2 - wall, False, floor - h / 2, h / 2),
    )


def _blocks(pieces: list[tuple[tuple[float, float, float], tuple[float, float, float]]], scale: float) -> Shape:
    return Shape(
        surfaces.merge([surfaces.box(size, center, scale) for size, center in pieces]),
        tuple(Part("box", (s[0] / 2, s[1] / 2, s[2] / 2), c) for s, c in pieces),
    )


def _l_block(d: Mapping[str, float], scale: float) -> Shape:
    """An L lying flat: a long arm along x and a short one along y at its end."""
    long, short, arm, h = d["length"], d["width"], d["arm"], d["height"]
    x, y = long / 2, short / 2
    return _blocks(
        [
            ((long, arm, h), (0.0, arm / 2 - y, 0.0)),
            ((arm, short - arm, h), (arm / 2 - x, arm / 2, 0.0)),
        ],
        scale,
    )


def _cross(d: Mapping[str, float], scale: float) -> Shape:
    length, width, arm, h = d["length"], d["width"], d["arm"], d["height"]
    side = (width - arm) / 2
    return _blocks(
        [
            ((length, arm, h), (0.0, 0.0, 0.0)),
            ((arm, side, h), (0.0, (arm + side) / 2, 0.0)),
            ((arm, side, h), (0.0, -(arm + side) / 2, 0.0)),
        ],
        scale,
    )


_BUILDERS: dict[str, Callable[[Mapping[str, float], float], Shape]] = {
    "box": _box,
    "book": _box,
    "cylinder": _cylinder,
    "marker": _cylinder,
    "ball": _ball,
    "capsule": _capsule,
    "bottle": _bottle,
    "mug": _mug,
    "bowl": _bowl,
    "plate": _plate,
    "tray": _tray,
    "l_block": _l_block,
    "cross": _cross,
}
KINDS = tuple(_BUILDERS)
NOUNS = {"l_block": "L-shaped block", "cross": "cross-shaped block"}  # where the kind's name is not the word for it

"""The pictures of docs/relations.md: small layouts, and below each what the engine states of it.

``python -m benchmarks.relation_pictures --out docs/images`` draws them all. The words under a picture are not written by
hand: each layout goes through :func:`joyai_ros.scene.relate.relate`, with the default margins.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patches

from benchmarks.relation_drawing import (
    CONFIG,
    SIDE,
    SIGMA,
    TOP,
    ZONE,
    Mark,
    Panel,
    Picture,
    Thing,
    arrow,
    band,
    draw,
    line,
    ring,
    wedge,
    words,
)
from joyai_ros.geometry import rigid
from joyai_ros.scene.predicates import Predicate

BETWEEN_PART = (0.2, 0.8)  # of the way between two things
LEFT = CONFIG.lateral_margin + SIGMA * 2**0.5  # beyond which a difference is stated
AHEAD = CONFIG.depth_margin + SIGMA * 2**0.5
BEFORE_VIEWER = (-0.3, 0.3, 0.42, 1.02)
TABLE = (-0.25, 0.25, -0.03, 0.34)
FLAT = (-0.25, 0.25, 0.5, 0.9)
WIDE = (-0.4, 0.4, 0.5, 1.1)
BASE = Thing("b", (0.0, 1.0, 0.0), (0.24, 0.2, 0.1))
BOWL = Thing("b", (0.0, 1.0, 0.0), (0.24, 0.2, 0.11), hollow=True)
PEN = Thing("a", (0.0, 0.62, 0.0), (0.3, 0.03, 0.03), heading=0.2)


def box(name: str, right: float, forward: float, bottom: float = 0.0, size: float = 0.1, **more: Any) -> Thing:
    """Return a cube."""
    return Thing(name, (right, forward, bottom), (size, size, size), **more)


def left_of() -> Picture:
    """By the centres, across the view; within the band around a's centre nothing is stated."""
    says, viewer = (Predicate.LEFT_OF, Predicate.RIGHT_OF), (0.0, 0.48)
    low, high = BEFORE_VIEWER[2:]
    apart = (
        band(-0.12 - LEFT, -0.12 + LEFT, low, high),
        line((0.1, 0.6), (0.1, 1.0)),
        arrow((-0.12, 0.92), (0.1, 0.92)),
    )
    close = (band(-0.01 - LEFT, -0.01 + LEFT, low, high),)
    return Picture(
        "left_of",
        (
            Panel(TOP, (box("a", -0.12, 0.75), box("b", 0.1, 0.85)), says, BEFORE_VIEWER, apart, viewer),
            Panel(TOP, (box("a", -0.01, 0.75), box("b", 0.004, 0.9)), says, BEFORE_VIEWER, close, viewer),
        ),
    )


def in_front_of() -> Picture:
    """By the centres, along the view."""
    says, viewer = (Predicate.IN_FRONT_OF, Predicate.BEHIND), (0.0, 0.48)
    left, right = BEFORE_VIEWER[:2]
    apart = (
        band(left, right, 0.68 - AHEAD, 0.68 + AHEAD),
        line((-0.05, 0.87), (0.25, 0.87)),
        arrow((-0.01, 0.68), (-0.01, 0.87)),
    )
    close = (band(left, right, 0.75 - AHEAD, 0.75 + AHEAD),)
    return Picture(
        "in_front_of",
        (
            Panel(TOP, (box("a", -0.1, 0.68), box("b", 0.1, 0.87)), says, BEFORE_VIEWER, apart, viewer),
            Panel(TOP, (box("a", -0.1, 0.75), box("b", 0.1, 0.76)), says, BEFORE_VIEWER, close, viewer),
        ),
    )


def closer_than() -> Picture:
    """By the distance from the camera, which is not the same as in front."""
    says = (Predicate.CLOSER_THAN, Predicate.FARTHER_THAN, Predicate.IN_FRONT_OF)
    first, second = (-0.15, 0.68), (0.08, 0.86)
    aside, ahead = (-0.25, 0.7), (0.0, 0.743)
    return Picture(
        "closer_than",
        (
            Panel(
                TOP, (box("a", *first), box("b", *second)), says, (-0.4, 0.4, -0.1, 1.0), _rays(first, second), (0, 0)
            ),
            Panel(
                TOP, (box("a", *aside), box("b", *ahead)), says, (-0.45, 0.35, -0.1, 1.0), _rays(aside, ahead), (0, 0)
            ),
        ),
    )


def _rays(*places: tuple[float, float]) -> tuple[Mark, ...]:
    """Return an arc and a line from the viewer for each place."""
    arcs = tuple(ring((0.0, 0.0), float(np.hypot(*place))) for place in places)
    return (*arcs, *(line((0.0, 0.05), place) for place in places))


def above() -> Picture:
    """By the shared part of the footprints."""
    says = (Predicate.ABOVE, Predicate.BELOW)
    shared = (band(0.1, 0.12, 0.1, 0.22), line((0.12, 0.1), (0.12, 0.34)), line((0.1, 0.1), (0.1, 0.34)))
    return Picture(
        "above",
        (
            Panel(SIDE, (BASE, box("a", 0.05, 1.0, 0.22)), says, TABLE, (arrow((0.05, 0.1), (0.05, 0.22)),)),
            Panel(SIDE, (BASE, box("a", 0.15, 1.0, 0.22)), says, TABLE, shared),
        ),
    )


def on() -> Picture:
    """By the play between bottom and top, and by whose middle is over whom."""
    says, play = (Predicate.ON, Predicate.UNDER, Predicate.ABOVE), CONFIG.contact_margin
    rest = band(-0.17, 0.17, 0.1 - play, 0.1 + play)
    post, tray = Thing("b", (0.0, 1.0, 0.0), (0.06, 0.06, 0.1)), Thing("a", (0.03, 1.0, 0.1), (0.3, 0.2, 0.03))
    return Picture(
        "on",
        (
            Panel(SIDE, (BASE, box("a", 0.05, 1.0, 0.104)), says, TABLE, (rest,)),
            Panel(SIDE, (BASE, box("a", 0.05, 1.0, 0.15)), says, TABLE, (rest, arrow((0.05, 0.1), (0.05, 0.15)))),
            Panel(SIDE, (post, tray), says, TABLE),
        ),
    )


def inside() -> Picture:
    """By the depth under the rim of something in which a cavity was seen."""
    says = (Predicate.INSIDE, Predicate.CONTAINS, Predicate.ON)
    depth = (line((-0.2, 0.11), (0.2, 0.11)), arrow((-0.06, 0.012), (-0.06, 0.11)))
    lid = Thing("a", (0.0, 1.0, 0.112), (0.26, 0.22, 0.02))
    return Picture(
        "inside",
        (
            Panel(SIDE, (BOWL, box("a", 0.02, 1.0, 0.012, 0.08)), says, TABLE, depth),
            Panel(SIDE, (BOWL, lid), says, TABLE),
        ),
    )


def touching() -> Picture:
    """What rests on or in something; side by side a box is too coarse to tell."""
    says = (Predicate.TOUCHING, Predicate.DISTANCE)
    return Picture(
        "touching",
        (
            Panel(SIDE, (BASE, box("a", 0.05, 1.0, 0.1)), says, TABLE),
            Panel(SIDE, (BOWL, box("a", 0.02, 1.0, 0.012, 0.08)), says, TABLE),
            Panel(SIDE, (box("b", -0.06, 1.0), box("a", 0.05, 1.0)), says, TABLE),
        ),
    )


def near() -> Picture:
    """By the centres; in the ring nothing is stated."""
    things = (box("a", 0.0, 1.0), box("b", 0.2, 1.13), box("c", -0.3, 0.68), box("d", 0.62, 1.2))
    least, most = CONFIG.near_distance, CONFIG.far_distance
    marks = (
        ring((0.0, 1.0), most, "zone"),
        ring((0.0, 1.0), least, "white"),
        words((0.0, 1.0 + least - 0.06), f"{least:.2f} m"),
        words((0.0, 1.0 + most - 0.06), f"{most:.2f} m"),
    )
    says = (Predicate.NEAR, Predicate.FAR)
    return Picture("near", (Panel(TOP, things, says, (-0.66, 0.8, 0.36, 1.64), marks, subjects="a"),))


def taller_than() -> Picture:
    """By the objects' own heights, wherever they stand."""
    things = (
        Thing("a", (-0.12, 1.0, 0.0), (0.1, 0.1, 0.2)),
        Thing("b", (0.1, 1.0, 0.14), (0.1, 0.1, 0.1)),
        Thing("c", (0.1, 1.0, 0.0), (0.16, 0.1, 0.14)),
    )
    marks = (arrow((-0.19, 0.0), (-0.19, 0.2)), arrow((0.2, 0.0), (0.2, 0.14)), arrow((0.2, 0.14), (0.2, 0.24)))
    return Picture("taller_than", (Panel(SIDE, things, (Predicate.TALLER_THAN,), (-0.25, 0.25, -0.03, 0.3), marks),))


def bigger_than() -> Picture:
    """By the longest sides; what the image border cuts may be longer than it looks."""
    says = (Predicate.BIGGER_THAN, Predicate.SMALLER_THAN)
    reach = 0.15 * np.array([np.cos(PEN.heading), np.sin(PEN.heading)])
    sides = (arrow(np.subtract((0.0, 0.66), reach), np.add((0.0, 0.66), reach)), arrow((-0.01, 0.86), (0.11, 0.86)))
    cut = Thing("b", (0.21, 0.78, 0.0), (0.12, 0.12, 0.12), truncated=True)
    border = (lambda axis: axis.axvspan(0.215, 0.25, color="#dddddd", zorder=3), words((0.14, 0.53), "image border"))
    return Picture(
        "bigger_than",
        (
            Panel(TOP, (PEN, Thing("b", (0.05, 0.78, 0.0), (0.12, 0.12, 0.12))), says, FLAT, sides),
            Panel(TOP, (PEN, cut), says, FLAT, border),
        ),
    )


def distance() -> Picture:
    """Between the closest points of the boxes, and between their centres."""
    turned = Thing("a", (-0.1, 0.65, 0.0), (0.2, 0.1, 0.1), heading=0.5)
    corner = np.array([-0.1, 0.65]) + rigid.axis_angle(np.array([0.0, 0.0, 1.0]), 0.5)[:2, :2] @ (0.1, 0.05)
    foot = np.array([0.1, np.clip(corner[1], 0.71, 0.81)])
    marks = (arrow((-0.1, 0.65), (0.15, 0.76)), arrow(corner, foot))
    says = (Predicate.DISTANCE, Predicate.CENTER_DISTANCE)
    return Picture("distance", (Panel(TOP, (turned, box("b", 0.15, 0.76)), says, FLAT, marks),))


def between() -> Picture:
    """Within a corridor around the middle part of the line between two centres."""
    first, last = np.array([-0.3, 0.78]), np.array([0.3, 0.82])
    along, length = last - first, float(np.linalg.norm(last - first))
    aside = np.array([-along[1], along[0]]) * CONFIG.between_share
    start, end = first + BETWEEN_PART[0] * along, first + BETWEEN_PART[1] * along
    corners = np.array([start - aside, end - aside, end + aside, start + aside])
    marks = (
        lambda axis: axis.add_patch(patches.Polygon(corners, color=ZONE, lw=0, zorder=0)),
        line(first, last),
    )
    assert length > CONFIG.between_least
    ends = box("a", -0.3, 0.78, size=0.08), box("c", 0.3, 0.82, size=0.08)
    says = (Predicate.BETWEEN,)
    return Picture(
        "between",
        (
            Panel(TOP, (*ends, box("b", 0.02, 0.84, size=0.08)), says, WIDE, marks),
            Panel(TOP, (*ends, box("b", 0.02, 0.96, size=0.08)), says, WIDE, marks),
        ),
    )


def aligned() -> Picture:
    """By the angle between the length axes of things that are clearly longer than wide."""
    panels = []
    for heading in (0.15, 0.9):
        rods = (
            Thing("a", (-0.12, 0.7, 0.0), (0.26, 0.04, 0.04), heading=0.25),
            Thing("b", (0.1, 0.9, 0.0), (0.3, 0.05, 0.03), heading=heading),
        )
        marks = []
        for rod in rods:
            step = 0.25 * np.array([np.cos(rod.heading), np.sin(rod.heading)])
            marks.append(line(rod.middle[:2] - step, rod.middle[:2] + step))
        panels.append(Panel(TOP, rods, (Predicate.ALIGNED,), (-0.35, 0.35, 0.5, 1.1), tuple(marks)))
    return Picture("aligned", tuple(panels))


def facing() -> Picture:
    """By the angle between an object's front and the direction to another one."""
    things = (box("a", -0.1, 0.68, front=0.5), box("b", 0.12, 0.93), box("c", 0.2, 0.62, size=0.08))
    marks = (wedge((-0.1, 0.68), 0.5, 0.5, CONFIG.facing_angle), line((-0.1, 0.68), (0.12, 0.93)))
    return Picture("facing", (Panel(TOP, things, (Predicate.FACING,), (-0.35, 0.35, 0.5, 1.1), marks),))


def bearing() -> Picture:
    """Angles to the left are positive; the clock's twelve is straight ahead."""
    places = (-0.28, 0.42), (0.3, 0.17)
    hours = []
    for hour in (9, 10, 11, 12, 1, 2, 3):
        angle = np.pi / 6.0 * (hour % 12)
        hours.append(words((0.58 * np.sin(angle), 0.58 * np.cos(angle)), str(hour)))
    marks = (*hours, *(line((0.0, 0.05), place) for place in (*places, (0.0, 0.54))))
    things = tuple(box(name, x, y, size=0.08) for name, (x, y) in zip("ab", places, strict=True))
    says = (Predicate.BEARING, Predicate.CLOCK_DIRECTION)
    return Picture("bearing", (Panel(TOP, things, says, (-0.66, 0.66, -0.1, 0.66), marks, (0.0, 0.0)),))


def height() -> Picture:
    """The properties of one object."""
    marks = (
        arrow((-0.16, 0.0), (-0.16, 0.16)),
        words((-0.205, 0.08), "height"),
        arrow((-0.12, 0.2), (0.12, 0.2)),
        words((0.0, 0.225), "size: its longest side"),
    )
    says = (Predicate.HEIGHT, Predicate.SIZE)
    thing = Thing("a", (0.0, 1.0, 0.0), (0.24, 0.12, 0.16))
    return Picture("height", (Panel(SIDE, (thing,), says, (-0.25, 0.25, -0.03, 0.3), marks),))


PICTURES = (
    left_of, in_front_of, closer_than, above, on, inside, touching, near, taller_than, bigger_than, distance, between,
    aligned, facing, bearing, height,
)  # fmt: skip


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.relation_pictures", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder (default: docs/images)")
    arguments = parser.parse_args()
    for picture in PICTURES:
        path = draw(picture(), arguments.out)
        print(f"{path}  {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()

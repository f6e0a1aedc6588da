"""How the layouts of :mod:`benchmarks.relation_pictures` are drawn, and what the engine states of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patches

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Float
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import SYMMETRIC, Predicate
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import SceneObject

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen

CONFIG = RelationConfig()
SIGMA = 0.003  # metres, of every value in the pictures
UP = np.array([0.0, -1.0, 0.0])
LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # optical from right, forward, up
INK, GREY, ZONE = "#222222", "#8a8a8a", "#f4d9b0"
FILLS = {"a": "#9ec3e6", "b": "#f2b48c", "c": "#b9d7a8", "d": "#d5c3e3"}
_WIDE = 2.9  # inches, a panel
TOP, SIDE = "seen from above", "seen from the side"


@dataclass(frozen=True)
class Thing:
    """One object: its place (right, forward, height of its underside) and size in metres, heading in radians."""

    name: str
    at: tuple[float, float, float]
    size: tuple[float, float, float]
    heading: float = 0.0
    hollow: bool = False
    truncated: bool = False
    front: float | None = None  # heading of its front, 0 straight away from the viewer, positive to the right

    def as_object(self) -> SceneObject:
        """The object as it would have been measured."""
        turn = LEVEL @ rigid.axis_angle(np.array([0.0, 0.0, 1.0]), self.heading)
        center = LEVEL @ self.middle
        around = np.full(3, SIGMA)
        front = None if self.front is None else LEVEL @ np.array([np.sin(self.front), np.cos(self.front), 0.0])
        return SceneObject(
            self.name,
            self.name,
            OrientedBox(center, turn, np.array(self.size)),
            center_sigma=around,
            size_sigma=around,
            height=self.size[2],
            height_sigma=SIGMA,
            hollow=self.hollow,
            truncated=self.truncated,
            front=front,
        )

    @property
    def middle(self) -> Float:
        """(right, forward, up) of its centre."""
        return np.add(self.at, (0.0, 0.0, self.size[2] / 2.0))


Point = Sequence[float] | Float
Mark = Callable[[Any], None]  # draws on a matplotlib axis


@dataclass(frozen=True)
class Panel:
    """One layout from one side.

    Attributes:
        view: :data:`TOP` or :data:`SIDE`.
        things: what stands there.
        says: the predicates whose statements are printed below.
        marks: what is drawn beside the things, behind them.
        window: left, right, low and high of the drawing in metres.
        viewer: (right, forward) of the camera where it is drawn, in the top view.
        subjects: whose statements are printed.
    """

    view: str
    things: tuple[Thing, ...]
    says: tuple[Predicate, ...]
    window: tuple[float, float, float, float]
    marks: tuple[Mark, ...] = ()
    viewer: tuple[float, float] | None = None
    subjects: str = "abcd"


@dataclass(frozen=True)
class Picture:
    """One file of panels side by side."""

    name: str
    panels: tuple[Panel, ...] = field(default_factory=tuple)


def band(left: float, right: float, low: float, high: float) -> Mark:
    """Return a mark for the zone in which nothing is stated (or, for *between*, in which it is)."""
    return lambda axis: axis.add_patch(
        patches.Rectangle((left, low), right - left, high - low, color=ZONE, lw=0, zorder=0)
    )


def arrow(start: Point, end: Point) -> Mark:
    """Return a mark for a measured length."""
    style = {"arrowstyle": "<->", "color": INK, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
    return lambda axis: axis.annotate("", end, start, arrowprops=style, zorder=5)


def line(start: Point, end: Point) -> Mark:
    """Return a mark for a line of construction."""
    return lambda axis: axis.plot(*np.transpose([start, end]), "--", color=GREY, lw=0.9, zorder=4)


def ring(center: Point, radius: float, filled: str = "") -> Mark:
    """Return a mark for a circle: a dashed line, or filled as a ``zone`` or ``white``."""
    if not filled:
        style: dict[str, Any] = {"facecolor": "none", "edgecolor": GREY, "lw": 0.9, "ls": "--"}
    else:
        style = {"facecolor": ZONE if filled == "zone" else "white", "lw": 0}
    return lambda axis: axis.add_patch(patches.Circle((center[0], center[1]), radius, zorder=0, **style))


def wedge(center: Point, radius: float, middle: float, half: float) -> Mark:
    """Return a mark for a cone of directions; radians, 0 straight away from the viewer, positive to the right."""
    first, last = 90.0 - np.degrees(middle + half), 90.0 - np.degrees(middle - half)
    return lambda axis: axis.add_patch(patches.Wedge(tuple(center), radius, first, last, color=ZONE, lw=0, zorder=0))


def words(at: Point, text: str, color: str = GREY) -> Mark:
    """Return a mark for a word in the picture."""
    return lambda axis: axis.text(*at, text, color=color, fontsize=8, ha="center", va="center", zorder=6)


def statements(panel: Panel) -> list[str]:
    """Return what the engine states of a layout, of the panel's predicates, in words; values as it publishes them.

    What is the same both ways is given once.
    """
    found = relate(tuple(thing.as_object() for thing in panel.things), UP, CONFIG)
    lines = []
    for item in found.stated:
        predicate = Predicate(item.predicate)
        twice = predicate in SYMMETRIC and item.subject > item.objects[0]
        if predicate in panel.says and not twice and item.subject in panel.subjects:
            unit = "" if item.unit in ("1", "h") else f" {item.unit}"
            number = f"{item.value:.0f}" if item.unit == "h" else f"{item.value:.2f}"
            lines.append(f"{item.subject} {item.predicate} {' '.join(item.objects)}".strip() + f"  {number}{unit}")
    return lines or ["nothing is stated"]


def draw(picture: Picture, folder: Path) -> Path:
    """Draw one picture into a folder and return its file."""
    shape = max((p.window[3] - p.window[2]) / (p.window[1] - p.window[0]) for p in picture.panels)
    size = _WIDE * len(picture.panels), _WIDE * shape + 0.9
    figure, axes = plt.subplots(1, len(picture.panels), figsize=size, dpi=100, squeeze=False)
    for axis, panel in zip(axes[0], picture.panels, strict=True):
        _draw_panel(axis, panel)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"relation-{picture.name}.png"
    figure.savefig(path, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})
    plt.close(figure)
    return path


def _draw_panel(axis: Any, panel: Panel) -> None:
    left, right, low, high = panel.window
    for mark in panel.marks:
        mark(axis)
    if panel.view is SIDE:
        axis.add_patch(patches.Rectangle((left, low), right - left, -low, color="#e3e3e3", lw=0, zorder=0))
        axis.axhline(0.0, color=GREY, lw=1.0, zorder=1)
    for thing in sorted(panel.things, key=lambda thing: -thing.at[1] if panel.view is SIDE else thing.at[2]):
        _draw_thing(axis, panel.view, panel.window, thing)
    if panel.viewer is not None:
        x, y = panel.viewer
        axis.add_patch(patches.Polygon([(x, y), (x - 0.03, y + 0.045), (x + 0.03, y + 0.045)], color=INK, zorder=3))
        axis.text(x, y - 0.012, "viewer", ha="center", va="top", fontsize=8, color=INK)
    said = statements(panel)
    axis.set(xlim=(left, right), ylim=(low, high), aspect="equal", xticks=[], yticks=[], title=panel.view)
    axis.title.set(fontsize=8, color=GREY)
    axis.set_xlabel("\n".join(said), fontsize=9, color=GREY if said == ["nothing is stated"] else INK)
    for spine in axis.spines.values():
        spine.set(color="#cccccc", lw=0.8)


def _draw_thing(axis: Any, view: str, window: tuple[float, ...], thing: Thing) -> None:
    color = FILLS[thing.name]
    (length, width, height), (x, y, z) = thing.size, thing.at
    edge: dict[str, Any] = {"edgecolor": INK, "lw": 1.0, "zorder": 2}
    if view is TOP:
        turn = np.array(
            [[np.cos(thing.heading), -np.sin(thing.heading)], [np.sin(thing.heading), np.cos(thing.heading)]]
        )
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (length / 2.0, width / 2.0) @ turn.T + (x, y)
        axis.add_patch(patches.Polygon(corners, facecolor=color, **edge))
        axis.plot(x, y, ".", color=INK, ms=3, zorder=3)
        if thing.front is not None:
            step = 0.08 * np.array([np.sin(thing.front), np.cos(thing.front)])
            axis.annotate(
                "", (x + step[0], y + step[1]), (x, y), arrowprops={"arrowstyle": "-|>", "color": INK}, zorder=5
            )
        middle = x, y
    elif thing.hollow:
        wall = 0.008
        inner, outer = length / 2.0 - wall, length / 2.0
        cup = [
            (-outer, height),
            (-outer, 0),
            (outer, 0),
            (outer, height),
            (inner, height),
            (inner, wall),
            (-inner, wall),
        ]
        axis.add_patch(patches.Polygon(np.add([*cup, (-inner, height)], (x, z)), facecolor=color, **edge))
        middle = x - outer - 0.02, z + height / 2.0
    else:
        axis.add_patch(patches.Rectangle((x - length / 2.0, z), length, height, facecolor=color, **edge))
        middle = x, z + height / 2.0
    points = 72.0 * _WIDE / (window[1] - window[0])  # of a metre in the drawing
    small = (min(length, width) if view is TOP else height) * points < 28.0
    if view is SIDE:
        beside = (0.0, height * points / 2.0 + 3.0) if small and not thing.hollow else (0.0, -3.0)
    else:
        beside = (-length * points / 2.0 - 6.0, -3.0) if small and length < 2.0 * width else (-7.0, 4.0)
    axis.annotate(thing.name, tuple(middle), beside, textcoords="offset points", fontsize=9, ha="center", zorder=6)

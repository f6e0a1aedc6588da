"""Questions about a frame, drawn and answered many times a second: what a model practises on, not what it is scored on.

The words, marks and forms of answers are those of the task table; answers come straight from positions and sizes, where
these are clearly apart. The questions of a store (:mod:`joyai_ros.training.data.derive`) are derived with every check and
balanced, which takes a hundred times as long.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.reasoning.camera_checks import camera_ways, main_direction
from joyai_ros.scene.level import level_basis
from joyai_ros.training.data.answers import length_text
from joyai_ros.training.data.records import Frame, SeenObject
from joyai_ros.training.data.templates import wordings
from joyai_ros.understanding.formats import Choice
from joyai_ros.understanding.prompts import Referent, prompt_for
from joyai_ros.understanding.tasks import AHEAD_DEG, CLOCK, COLORS, TASKS, Task

_APART, _TALLER, _RATIO = 0.03, 0.015, 1.15  # metres, metres, ratio: what counts as clearly different
_UNCLEAR_DEG = 2.0  # round a limit between two answers
_SHORTEST = 0.02  # metres that are asked for
_SEEN, _PIXELS = 0.5, 30  # share and pixels of an object that must be seen
CHOICES = ("left_right", "front_behind", "above_below", "depth_order", "relative_size", "color")  # answered by one word
_STACK, _STACKED = "above_below", 0.5  # what is asked first for so many, where one thing lies on another: hardly any do
_PLAY = 0.02  # metres by which what lies on something may sink into its box
_DEPTH_ORDER = (2, 5)  # from so many things to fewer than so many
_TRIES = 8


@dataclass(frozen=True)
class Thing:
    """An object that may be asked about, in the levelled frame of the viewer.

    Attributes:
        seen: the object.
        mark: its number.
        center: (3,) metres right, ahead, up.
        distance: metres from the camera.
        longest: metres.
    """

    seen: SeenObject
    mark: int
    center: Vec3
    distance: float
    longest: float

    @property
    def height(self) -> float:
        """Metres."""
        return self.seen.measured.height


@dataclass(frozen=True)
class Drawn:
    """A question with its answer.

    Attributes:
        prompt, answer: as a model reads and writes them.
        task: in the task table.
        about: numbers of the objects in the frame, from 1, that it is about or whose presence it asks for.
        named: what is to be found, where it asks for the presence of something.
        ways: directions and how far the camera moved in each, metres, where it asks for that.
    """

    prompt: str
    answer: str
    task: str
    about: tuple[int, ...] = ()
    named: str = ""
    ways: tuple[tuple[str, float], ...] = ()


def things_of(frame: Frame) -> list[Thing]:
    """Return what may be asked about in a frame."""
    basis = level_basis(frame.up)
    found = []
    for mark, seen in enumerate(frame.objects, start=1):
        if seen.measured.box is None or seen.visibility < _SEEN or seen.measured.points < _PIXELS:
            continue
        center = basis @ seen.measured.obb.center
        found.append(Thing(seen, mark, center, float(np.linalg.norm(center)), float(seen.measured.obb.size.max())))
    return found


def ask_marked(things: Sequence[Thing], random: np.random.Generator, tasks: Sequence[str] = ()) -> list[Drawn]:
    """Return questions about some marked objects, the same for all; none where none was found that has a clear answer.

    Args:
        things: what may be asked about.
        random: decides what is.
        tasks: of which the first is; empty for any. The others are of as many objects.
    """
    for _ in range(_TRIES):
        task = str(random.choice(tasks or list(_MARKED)))
        if random.random() < _STACKED and _STACK in (tasks or _MARKED):
            task = _STACK
        least, answer_of = _MARKED[task]
        if task == "depth_order":
            least = int(random.integers(*_DEPTH_ORDER))
        if len(things) < least:
            continue
        groups = _stacked(things) if task == _STACK else ()
        if groups:
            chosen = list(groups[int(random.integers(len(groups)))])
        else:
            chosen = [things[int(index)] for index in random.permutation(len(things))[:least]]
        answer = answer_of(chosen)
        if answer is not None:
            others = [other for other in tasks or _MARKED if _MARKED[other][0] == least and other != task]
            answers = {task: answer} | {
                other: _MARKED[other][1](chosen) for other in random.permutation(others).tolist()
            }
            marks = tuple(thing.mark for thing in chosen)
            return [Drawn(_prompt(name, chosen, random), said, name, marks) for name, said in answers.items() if said]
    return []


def ask_named(frame: Frame, vocabulary: Sequence[str], random: np.random.Generator) -> Drawn | None:
    """Return a question that counts or asks whether something is there; None where that is not clear."""
    shown = {mark: seen for mark, seen in enumerate(frame.objects, start=1) if seen.measured.points > 0}
    present = sorted({name for seen in shown.values() for name in (seen.measured.label, seen.kind)})
    is_count = bool(random.random() < 0.5)
    pool = present if present and random.random() < 0.5 else vocabulary
    about = "object" if is_count and random.random() < 0.25 else str(random.choice(pool))
    meant = {mark: seen for mark, seen in shown.items() if about in ("object", seen.measured.label, seen.kind)}
    if any(seen.visibility < _SEEN or seen.measured.points < _PIXELS for seen in meant.values()):
        return None
    words = (
        f"How many {_plural(about)} are in the image?"
        if is_count
        else f"Is there {_article(about)} {about} in the image?"
    )
    task = TASKS["count" if is_count else "existence"]
    prompt = prompt_for(_worded(task.name, random), words, (), () if is_count else ("yes", "no"))
    answer = json.dumps({"count": len(meant)} if is_count else {"answer": "yes" if meant else "no"})
    return Drawn(prompt, answer, task.name, tuple(meant), about)


def ask_motion(first: Frame, second: Frame, wanted: str, random: np.random.Generator) -> Drawn | None:
    """Return the question in which direction the camera moved, and its answer; None where that is not the wanted one."""
    pose = rigid.inverse(first.world_from_camera) @ second.world_from_camera
    direction = main_direction(pose, first.middle_depth)
    if direction != wanted:
        return None
    options = TASKS["camera_motion"].answer
    assert isinstance(options, Choice)
    prompt = prompt_for(_worded("camera_motion", random), "", (), options.options)
    ways = camera_ways(pose, first.middle_depth)
    return Drawn(prompt, _choice(wanted), "camera_motion", ways=tuple(ways.items()))


def _prompt(task: str, chosen: Sequence[Thing], random: np.random.Generator) -> str:
    named = bool(random.random() < 0.5) and task != "color"
    referents = [Referent(thing.seen.measured.label if named else "", thing.mark) for thing in chosen]
    answer = TASKS[task].answer
    options: tuple[str, ...] = ()
    if isinstance(answer, Choice):
        options = answer.options
    elif answer is None:
        options = tuple(str(thing.mark) for thing in chosen[1 if task == "relative_distance" else 0 :])
    return prompt_for(_worded(task, random), task, referents, options)


def _worded(task: str, random: np.random.Generator) -> Task:
    every = wordings(task)
    return replace(TASKS[task], prompt=every[int(random.integers(len(every)))])


def _choice(text: str) -> str:
    return json.dumps({"answer": text})


def _sided(value: float, least: float, below: str, above: str) -> str | None:
    return None if abs(value) < least else _choice(below if value < 0 else above)


def _left_right(things: Sequence[Thing]) -> str | None:
    return _sided(float(things[0].center[0] - things[1].center[0]), _APART, "left", "right")


def _front_behind(things: Sequence[Thing]) -> str | None:
    return _sided(float(things[0].center[1] - things[1].center[1]), _APART, "in front of", "behind")


def _above_below(things: Sequence[Thing]) -> str | None:
    a, b = things
    level = math.dist(a.center[:2].tolist(), b.center[:2].tolist())
    if level > min(float(np.hypot(*thing.seen.measured.obb.size[:2])) for thing in things) / 2:
        return None
    apart = abs(float(a.center[2] - b.center[2])) - (a.height + b.height) / 2
    return None if apart < -_PLAY else _choice("above" if a.center[2] > b.center[2] else "below")


def _stacked(things: Sequence[Thing]) -> list[tuple[Thing, Thing]]:
    """Return the pairs of which one thing is clearly above the other; of pairs drawn at random hardly any are."""
    return [both for both in itertools.permutations(things, 2) if _above_below(both) is not None]


def _extreme(
    things: Sequence[Thing], value: Callable[[Thing], float], least: Callable[[float, float], bool]
) -> str | None:
    """Return the mark of the thing of the least value, where it is clearly less than the next."""
    first, second = sorted(things, key=value)[:2]
    return _choice(str(first.mark)) if least(value(first), value(second)) else None


def _depth_order(things: Sequence[Thing]) -> str | None:
    return _extreme(things, lambda thing: thing.distance, lambda a, b: b - a > _APART)


def _relative_size(things: Sequence[Thing]) -> str | None:
    if any(thing.seen.measured.truncated for thing in things):
        return None
    return _extreme(things, lambda thing: -thing.longest, lambda a, b: a / b > _RATIO)


def _relative_height(things: Sequence[Thing]) -> str | None:
    return _extreme(things, lambda thing: -thing.height, lambda a, b: b - a > _TALLER)


def _relative_distance(things: Sequence[Thing]) -> str | None:
    gaps = dict(things[0].seen.gaps)
    if any(thing.seen.id not in gaps for thing in things[1:]):
        return None
    return _extreme(things[1:], lambda thing: gaps[thing.seen.id], lambda a, b: b - a > _APART)


def _length(value: float, things: Sequence[Thing]) -> str | None:
    is_clear = value >= _SHORTEST and not any(thing.seen.measured.truncated for thing in things)
    return length_text(value) if is_clear else None


def _gap(things: Sequence[Thing]) -> str | None:
    gaps = dict(things[0].seen.gaps)
    return _length(gaps.get(things[1].seen.id, 0.0), things)


def _color(things: Sequence[Thing]) -> str | None:
    return _choice(things[0].seen.color) if things[0].seen.color in COLORS else None


def _bearing_deg(thing: Thing) -> float:
    """Return the way to a thing, degrees to the right of straight ahead."""
    return math.degrees(math.atan2(float(thing.center[0]), float(thing.center[1])))


def _hour(things: Sequence[Thing]) -> str | None:
    hours = _bearing_deg(things[0]) / 30.0
    if abs(hours - math.floor(hours) - 0.5) * 30.0 < _UNCLEAR_DEG:
        return None
    return _choice(CLOCK[(round(hours) - 1) % 12])


def _direction(things: Sequence[Thing]) -> str | None:
    way = _bearing_deg(things[0])
    if abs(abs(way) - AHEAD_DEG) < _UNCLEAR_DEG:
        return None
    return _choice("straight ahead" if abs(way) < AHEAD_DEG else "right" if way > 0 else "left")


_MARKED: dict[str, tuple[int, Callable[[Sequence[Thing]], str | None]]] = {
    "left_right": (2, _left_right),
    "front_behind": (2, _front_behind),
    "above_below": (2, _above_below),
    "depth_order": (2, _depth_order),  # or more
    "relative_size": (2, _relative_size),
    "relative_height": (2, _relative_height),
    "relative_distance": (3, _relative_distance),
    "camera_distance": (1, lambda things: _length(things[0].distance, things)),
    "object_distance": (2, _gap),
    "object_size": (1, lambda things: _length(things[0].longest, things)),
    "object_height": (1, lambda things: _length(things[0].height, things)),
    "color": (1, _color),
    "object_camera": (1, _hour),
    "direction_to_go": (1, _direction),
}


def _plural(name: str) -> str:
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def _article(name: str) -> str:
    return "an" if name[:1] in "aeiou" else "a"

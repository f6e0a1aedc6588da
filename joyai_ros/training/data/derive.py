"""The answer to a question, from the geometry of its frames; builder and validator both come here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from joyai_ros.reasoning.ground_checks import named_things
from joyai_ros.reasoning.measure import measure
from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.question import Asked, Look, Question
from joyai_ros.reasoning.requests import format_of, prompt_of, spelled
from joyai_ros.reasoning.resolve import resolve
from joyai_ros.scene.config import RelationConfig
from joyai_ros.training.data.answers import answer_text
from joyai_ros.training.data.config import QuestionConfig
from joyai_ros.training.data.keys import key_of
from joyai_ros.training.data.looks import look_of
from joyai_ros.training.data.records import Frame, Item, SeenObject
from joyai_ros.training.data.seen import told_by_label
from joyai_ros.training.data.templates import wordings
from joyai_ros.understanding.formats import AnswerFormat
from joyai_ros.understanding.tasks import COLORS

BY_MARK_ALONE = frozenset({"color", "correspondence", "reidentification"})  # a label would be the answer
ABOUT_NAMES = frozenset({"count", "existence", "ground_boxes", "ground_points"})
_WITHIN = 0.002  # metres by which shapes may stand out of their boxes
_GROWN = 0.015  # metres by which boxes may be off for a way to be free, or not, all the same


class UnclearError(Exception):
    """A question whose answer is within its margin, or about something that the image hardly shows."""


@dataclass(frozen=True)
class Derived:
    """What follows from the geometry.

    Attributes:
        wanted: the form of the answer.
        prompt, answer: the texts.
        key: by what answers are balanced.
    """

    wanted: AnswerFormat
    prompt: str
    answer: str
    key: str


class Sight:
    """A frame with its looks, made once for all questions about it."""

    def __init__(self, frame: Frame, config: QuestionConfig) -> None:
        self.frame = frame
        self.config = config
        self.by_id = {item.id: item for item in frame.objects}

    @cached_property
    def look(self) -> Look:
        """The frame as a look."""
        return look_of(self.frame, self.config)

    def grown(self, by: float) -> Look:
        """The frame with all boxes grown by so many metres on every side."""
        return look_of(self.frame, self.config, by)

    @cached_property
    def clear(self) -> tuple[SeenObject, ...]:
        """The objects that may be asked about."""
        return tuple(item for item in self.frame.objects if self.is_clear(item))

    def is_clear(self, item: SeenObject) -> bool:
        """Whether enough of an object is seen to be asked about it."""
        enough = item.visibility >= self.config.least_visible and item.measured.points >= self.config.least_pixels
        return item.measured.box is not None and enough


def derive(item: Item, sights: Mapping[str, Sight], config: QuestionConfig, margins: RelationConfig) -> Derived:
    """Return what a question's prompt and answer must be.

    Args:
        item: the question; its prompt, answer and key are not read.
        sights: its frames by id.
        config: when things are too unclear.
        margins: of relations.

    Raises:
        UnclearError: the question must not be asked: within its margin, or about something hardly seen.
        QuestionError: it cannot be asked of these frames.
    """
    seen = [sights[name] for name in item.frames]
    question = Question(item.words or item.task, item.task, objects=item.objects)
    asked = resolve(question, [sight.look for sight in seen], False, margins)
    for thing, view in zip(asked.things, asked.views, strict=True):
        if not seen[view].is_clear(seen[view].by_id[thing.id]):
            raise UnclearError(f"{thing.id} is hardly seen in {seen[view].frame.id}")
        if len(seen) > 1 and seen[view].by_id[thing.id].measured.moved:
            raise UnclearError(f"{thing.id} was moved between the views")
    measured, labels = _measured(item, asked, seen)
    choice = spelled(asked)[asked.options.index(measured.choice)] if measured.choice else ""
    wanted = format_of(asked)
    answer = answer_text(wanted, measured, choice, labels, seen[0].frame.camera)
    worded = replace(asked, task=replace(asked.task, prompt=wordings(item.task)[item.template]))
    named = item.named and item.task not in BY_MARK_ALONE
    return Derived(wanted, prompt_of(worded, named), answer, key_of(asked, measured))


def _measured(item: Item, asked: Asked, seen: list[Sight]) -> tuple[Measured, tuple[str, ...]]:
    """Return the answer, and the labels of what it points at."""
    if item.task == "color":
        return Measured(_color(seen[0].by_id[item.objects[0]])), ()
    if item.task in ABOUT_NAMES:
        return _named(item, asked, seen[0])
    found = measure(asked)
    if found is None:
        raise UnclearError("the answer is within its margin, or nothing was measured")
    if found.choice and found.confidence < seen[0].config.least_confidence:
        raise UnclearError(f"the answer is {found.choice} with a confidence of {found.confidence:.2f} only")
    found = _between_shapes(item, found, seen)
    if found.value is not None and not found.choice:
        if found.value < seen[0].config.least_length:
            raise UnclearError(f"{found.value:.3f} m are too short to be asked for")
        for thing, view in zip(asked.things, asked.views, strict=True):
            if seen[view].by_id[thing.id].measured.truncated:
                raise UnclearError(f"{thing.id} reaches over the border of {seen[view].frame.id}")
    if item.task == "reachability":
        for by in (_GROWN, -_GROWN):
            other = measure(replace(asked, looks=(seen[0].grown(by),)))
            if other is None or other.choice != found.choice:
                raise UnclearError("something comes close to the straight way")
    return found, ()


def _between_shapes(item: Item, found: Measured, seen: list[Sight]) -> Measured:
    """Return an answer on closest points by the shapes of the objects where they are known: boxes are nearer than they."""
    first = seen[0].by_id[item.objects[0]] if item.objects else None
    if first is None or not first.gaps:
        return found
    gaps = dict(first.gaps)
    if item.task in ("object_distance", "cross_view_distance"):
        assert found.value is not None
        gap = gaps[item.objects[1]]
        if gap < found.value - _WITHIN:
            raise UnclearError(f"{first.id} is said to be nearer to {item.objects[1]} than their boxes are")
        return replace(found, value=gap)
    if item.task == "relative_distance":
        chosen, other = sorted(item.objects[1:], key=lambda name: name != found.choice)
        if gaps[chosen] >= gaps[other]:
            raise UnclearError(f"the boxes of {chosen} and {other} are not as near to {first.id} as they are")
    return found


def _color(item: SeenObject) -> str:
    if item.color not in COLORS:
        raise UnclearError(f"the colour of {item.id} is not known")
    return item.color


def _named(item: Item, asked: Asked, sight: Sight) -> tuple[Measured, tuple[str, ...]]:
    """Return what is counted, found or there; everything of that name must be well seen, or not at all."""
    seen = [thing for thing in sight.frame.objects if thing.measured.points > 0]
    if not seen or not all(thing.measured.label for thing in seen):
        raise UnclearError("not everything in the image has a name")
    kind, color = told_by_label(item.about)
    if color and any(thing.kind == kind and not thing.color for thing in seen):
        raise UnclearError(f"the colour of a {kind} is not known")
    if item.task == "existence":
        things = [thing for thing in seen if names(item.about, thing)]
    else:
        things = [sight.by_id[thing.id] for thing in named_things(asked) or ()]
    meant = [thing for thing in seen if names(item.about, thing)]
    for thing in meant:
        if not sight.is_clear(thing):
            raise UnclearError(f"{thing.id} is hardly seen in {sight.frame.id}")
    if item.task == "existence":
        return Measured("yes" if things else "no"), ()
    if {thing.id for thing in things} != {thing.id for thing in meant}:
        raise UnclearError(f"{item.words!r} may be understood in two ways")
    if item.task == "count":
        return Measured(value=float(len(things)), unit="1"), ()
    if not things:
        raise UnclearError("there is nothing to point at")
    things.sort(key=lambda thing: thing.measured.box or (0.0, 0.0, 0.0, 0.0))
    labels = tuple(thing.measured.label for thing in things)
    boxes = tuple(thing.measured.box for thing in things if thing.measured.box is not None)
    if item.task == "ground_boxes":
        return Measured(boxes=boxes), labels
    return Measured(points=tuple(point_on(thing) for thing in things)), labels


def names(about: str, item: SeenObject) -> bool:
    """Whether a label or kind means an object: ``mug`` means every mug, ``red mug`` the red ones, ``object`` anything."""
    return about in ("object", item.measured.label, item.kind)


def point_on(item: SeenObject) -> tuple[float, float]:
    """Return the pixel of an object's mask that is nearest to the middle of its box."""
    assert item.measured.box is not None
    x0, y0, x1, y1 = item.measured.box
    rows, columns = item.mask().nonzero()
    nearest = ((columns + 0.5 - (x1 - x0) / 2) ** 2 + (rows + 0.5 - (y1 - y0) / 2) ** 2).argmin()
    return float(x0 + columns[nearest] + 0.5), float(y0 + rows[nearest] + 0.5)

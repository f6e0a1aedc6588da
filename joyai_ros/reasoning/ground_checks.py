"""Counting and finding: what of the scene the words of a question name."""

from __future__ import annotations

from joyai_ros.reasoning.measured import Measured
from joyai_ros.reasoning.mentions import mentions
from joyai_ros.reasoning.question import Asked, Thing
from joyai_ros.scene.types import LabelSource


def count(asked: Asked) -> Measured | None:
    """Return how many visible things bear the names that the question mentions; all of them where it says *objects*."""
    found = named_things(asked)
    return None if found is None else Measured(value=float(len(found)), unit="1", sigma=0.0)


def boxes(asked: Asked) -> Measured | None:
    """Return the 2D boxes of the visible things that the question names."""
    found = named_things(asked)
    return None if not found else Measured(boxes=tuple(thing.box for thing in found if thing.box is not None))


def points(asked: Asked) -> Measured | None:
    """Return the middles of these boxes, and the boxes themselves, in which points must lie."""
    known = boxes(asked)
    if known is None:
        return None
    middles = tuple(((x0 + x1) / 2.0, (y0 + y1) / 2.0) for x0, y0, x1, y1 in known.boxes)
    return Measured(boxes=known.boxes, points=middles)


def named_things(asked: Asked) -> list[Thing] | None:
    """Return the measured visible things that a question names; None where names are unknown to the scene."""
    visible = [t for t in asked.looks[0].things if t.measured is not None and t.measured.visible and t.box is not None]
    if not visible:
        return None
    if asked.things:
        ids = {thing.id for thing in asked.things}
        return [thing for thing in visible if thing.id in ids]
    found = mentions(asked.question.text, visible)
    if found:
        ids = {thing.id for mention in found for thing in mention.things}
        return [thing for thing in visible if thing.id in ids]
    words = asked.question.text.lower()
    anything = any(word in words for word in ("object", "thing", "item"))
    named = any(t.measured is not None and t.measured.label_source is not LabelSource.NONE for t in visible)
    # A scene whose objects have no names cannot say how many of them are cups; one that has names can: none.
    return visible if anything else [] if named and asked.task.check == "count" else None

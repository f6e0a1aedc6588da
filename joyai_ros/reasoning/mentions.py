"""Which objects a question speaks of: ids and labels found in its words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from joyai_ros.reasoning.question import Thing
from joyai_ros.understanding.tasks import QuestionError

_MARK = re.compile(r"\b(?:mark|number|object)\s+#?(\d{1,2})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Mention:
    """Words of a question that name things.

    Attributes:
        start, end: where in the text.
        things: all that the words may mean: one, or several of one label.
    """

    start: int
    end: int
    things: tuple[Thing, ...]


def mentions(text: str, things: Iterable[Thing]) -> list[Mention]:
    """Return where a text names things, in its order; longer names win over shorter ones within them.

    A plural names all things of a label: *mugs*.
    """
    things = tuple(things)
    names: dict[str, tuple[Thing, ...]] = {}
    for thing in things:
        names[_plain(thing.id)] = (thing,)
    for label in {thing.label for thing in things if thing.label}:
        alike = tuple(thing for thing in things if thing.label == label)
        names.setdefault(_plain(label), alike)
        names.setdefault(_plural(_plain(label)), alike)
    lowered = _plain(text)
    found = _marked(text, things)
    for name in sorted(filter(None, names), key=len, reverse=True):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", lowered):
            if all(match.end() <= other.start or match.start() >= other.end for other in found):
                found.append(Mention(match.start(), match.end(), names[name]))
    return sorted(found, key=lambda item: item.start)


def only(mention: Mention, text: str) -> Thing:
    """Return the one thing that a mention means.

    Raises:
        QuestionError: there are several of that name.
    """
    if len(mention.things) == 1:
        return mention.things[0]
    ids = ", ".join(thing.id for thing in mention.things)
    raise QuestionError(f"{text[mention.start : mention.end]!r} may be any of {ids}; name one of these ids")


def _marked(text: str, things: tuple[Thing, ...]) -> list[Mention]:
    """Marks count from 1, in the order of the things."""
    found = []
    for match in _MARK.finditer(text):
        number = int(match.group(1))
        if 1 <= number <= len(things):
            found.append(Mention(match.start(), match.end(), (things[number - 1],)))
    return found


def _plain(text: str) -> str:
    """Return a text of the same length in which case, underscores and hyphens make no difference."""
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("_", " ").replace("-", " ")


def _plural(name: str) -> str:
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else f"{name}s"

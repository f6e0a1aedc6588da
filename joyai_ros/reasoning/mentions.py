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

    A thing is named by its id, its label, the last word of its label (*box* for *green box*), or its id without its number;
    a plural names all things of a label: *mugs*.
    """
    things = tuple(things)
    names = _names(things)
    lowered = _plain(text)
    found = _marked(text, things)
    for name in sorted(names, key=len, reverse=True):
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


def _names(things: tuple[Thing, ...]) -> dict[str, tuple[Thing, ...]]:
    """Return what each name may mean, in plain words: exact ids and labels before shorter forms."""
    names: dict[str, tuple[Thing, ...]] = {_plain(thing.id): (thing,) for thing in things}
    for form in (_label, _last_word, _kind):
        alike: dict[str, list[Thing]] = {}
        for thing in things:
            alike.setdefault(form(thing), []).append(thing)
        for name, group in alike.items():
            names.setdefault(name, tuple(group))
            names.setdefault(_plural(name), tuple(group))
    names.pop("", None)
    names.pop("s", None)
    return names


def _label(thing: Thing) -> str:
    return _plain(thing.label)


def _last_word(thing: Thing) -> str:
    return _label(thing).rpartition(" ")[2]


def _kind(thing: Thing) -> str:
    return re.sub(r" \d+$", "", _plain(thing.id))


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

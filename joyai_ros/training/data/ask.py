"""Candidates: every question of a scene that may be asked, before answers are balanced."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from joyai_ros.errors import ConfigError
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.scene.config import RelationConfig
from joyai_ros.training.data.config import QuestionConfig
from joyai_ros.training.data.derive import ABOUT_NAMES, BY_MARK_ALONE, Sight, UnclearError, derive
from joyai_ros.training.data.records import Frame, Item, SeenObject
from joyai_ros.training.data.templates import wordings
from joyai_ros.understanding.tasks import TASKS

_SPARE = 3.0  # times as many candidates are made as are wanted
_TRIES = 3  # for each of them
# What geometry answers, and what follows from the labels; captions, clips and free questions have no one answer.
ASKED = tuple(name for name, task in TASKS.items() if task.check or name in ABOUT_NAMES | {"color"})
_DEPTH_ORDER = (2, 5)  # objects, the end excluded
_OTHERS = (1, 4)  # objects that a corresponding one is told from, the end excluded


class Questioner:
    """Makes the candidates of one shard.

    Args:
        config: which tasks, how many, what is too unclear.
        margins: of relations.
        random: what is drawn.
        vocabulary: labels and kinds that may be asked for; those of a frame alone would make every *Is there* a yes.
    """

    def __init__(
        self,
        config: QuestionConfig,
        margins: RelationConfig,
        random: np.random.Generator,
        vocabulary: Sequence[str],
    ) -> None:
        self.config = config
        self._margins = margins
        self._random = random
        self._vocabulary = list(vocabulary)

    def candidates(self, frames: Sequence[Frame]) -> list[Item]:
        """Return questions about the frames of one scene, with prompts and answers."""
        sights = {frame.id: Sight(frame, self.config) for frame in frames}
        found: list[Item] = []
        for task in asked_tasks(self.config):
            found += self._of_task(task, list(sights.values()), sights)
        return found

    def _of_task(self, task: str, seen: list[Sight], sights: dict[str, Sight]) -> list[Item]:
        wanted = math.ceil(_SPARE * self.config.per_scene)
        found: dict[tuple[object, ...], Item] = {}
        for _ in range(_TRIES * wanted):
            item = self._drawn_item(task, seen)
            same = None if item is None else (item.frames, item.objects, item.words)
            if item is None or same is None or same in found:
                continue
            try:
                known = derive(item, sights, self.config, self._margins)
            except UnclearError:
                continue
            found[same] = replace(item, prompt=known.prompt, answer=known.answer, key=known.key)
            if len(found) == wanted:
                break
        return list(found.values())

    def _drawn_item(self, task: str, seen: list[Sight]) -> Item | None:
        """Return a question without prompt and answer; None where the frames that were drawn have not enough objects."""
        views = TASKS[task].views[0]
        if len(seen) < views:
            return None
        shown = [seen[int(index)] for index in self._random.choice(len(seen), views, replace=False)]
        template = int(self._random.integers(len(wordings(task))))
        named = bool(self._random.random() < 0.5) and task not in BY_MARK_ALONE
        frames = tuple(sight.frame.id for sight in shown)
        item = Item("", shown[0].frame.scene, task, frames, template=template, named=named)
        if task in ABOUT_NAMES:
            return self._about_a_name(item, shown[0])
        if TASKS[task].objects == (0, 0):
            return item
        if task == "above_below":
            objects = self._over_each_other(shown[0])
        else:
            objects = self._across(task, *shown) if views == 2 else self._ids(shown[0].clear, self._group(task))
        return None if objects is None else replace(item, objects=objects)

    def _across(self, task: str, first: Sight, second: Sight) -> tuple[str, ...] | None:
        """Return an object of the first view and one or more of the second."""
        one = self._ids(first.clear, 1)
        both = {item.id for item in first.clear} & {item.id for item in second.clear}
        if one is None:
            return None
        if task == "reidentification" and one[0] in both and self._random.random() < 0.5:
            return (one[0], one[0])
        others = [item for item in second.clear if item.id != one[0]]
        if task == "correspondence":
            rest = self._ids(others, int(self._random.integers(*_OTHERS)))
            if one[0] not in both or rest is None:
                return None
            options = np.array([one[0], *rest])
            return (one[0], *self._random.permutation(options).tolist())
        rest = self._ids(others, 1)
        return None if rest is None else (one[0], rest[0])

    def _over_each_other(self, sight: Sight) -> tuple[str, ...] | None:
        """Return two objects one of which may be above the other; of two drawn at random it hardly ever is."""
        pairs = [
            (a.id, b.id) for a, b in itertools.permutations(sight.clear, 2) if _level_apart(a, b, sight.frame.up) < 0
        ]
        return pairs[int(self._random.integers(len(pairs)))] if pairs else None

    def _about_a_name(self, item: Item, sight: Sight) -> Item:
        """Return a question about a label or a kind; half of those that may be missing are taken from elsewhere."""
        present = sorted({name for thing in sight.clear for name in (thing.measured.label, thing.kind) if name})
        pool = present
        if item.task in ("existence", "count") and (not present or self._random.random() < 0.5):
            pool = self._vocabulary
        about = str(self._random.choice(pool)) if pool else "object"
        if item.task == "count" and self._random.random() < 0.25:
            about = "object"
        several = _plural(about)
        words = {
            "existence": f"Is there {_article(about)} {about} in the image?",
            "count": f"How many {several} are in the image?",
        }.get(item.task, f"all {several}")
        return replace(item, about=about, words=words)

    def _group(self, task: str) -> int:
        return int(self._random.integers(*_DEPTH_ORDER)) if task == "depth_order" else TASKS[task].objects[0]

    def _ids(self, things: Sequence[SeenObject], count: int) -> tuple[str, ...] | None:
        if len(things) < count:
            return None
        return tuple(things[int(index)].id for index in self._random.choice(len(things), count, replace=False))


def asked_tasks(config: QuestionConfig) -> tuple[str, ...]:
    """Return the tasks that are asked.

    Raises:
        ConfigError: a name is not in the table, or no answer to it follows from geometry.
    """
    for name in config.tasks:
        if name not in ASKED:
            raise ConfigError(f"questions.tasks: no questions are made of {name!r}; known are: {', '.join(ASKED)}")
    return config.tasks or ASKED


def vocabulary_of(frames: Sequence[Frame]) -> list[str]:
    """Return every label and kind of some frames, and every colour with every kind: what is not there must be plausible."""
    things = [item for frame in frames for item in frame.objects]
    found = {name for item in things for name in (item.measured.label, item.kind) if name}
    colored = [item for item in things if item.color and item.kind]
    return sorted(found | {f"{a.color} {b.kind}" for a in colored for b in colored})


def _level_apart(a: SeenObject, b: SeenObject, up: Vec3) -> float:
    """Return by how many metres the circles round two footprints are apart, seen from above; below 0 where they overlap."""
    way = a.measured.obb.center - b.measured.obb.center
    level = float(np.linalg.norm(way - (way @ up) * up))
    return level - sum(float(np.hypot(*item.measured.obb.size[:2])) / 2 for item in (a, b))


def _plural(name: str) -> str:
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def _article(name: str) -> str:
    return "an" if name[:1] in "aeiou" else "a"

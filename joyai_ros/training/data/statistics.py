"""What is in a store: how many of what, how answers are spread, and how far guessing would come."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from joyai_ros.training.data.keys import answers_of
from joyai_ros.training.data.records import Content, Item
from joyai_ros.training.data.store import Store
from joyai_ros.understanding.tasks import TASKS


@dataclass
class Statistics:
    """Counts over some shards.

    Attributes:
        frames, objects, pairs: how many.
        scenes: by split.
        questions: by task and answer.
        chances: by task, the chance of a guess for each question that has options.
        visibility: of every object in every frame that shows it.
        distance: of these to the camera, metres.
        motions: (yaw, pitch) of every pair that is an orbit to within 5 cm and 5 degrees, degrees.
        left_out: what could not be used, by reason.
    """

    frames: int = 0
    objects: int = 0
    pairs: int = 0
    scenes: Counter[str] = field(default_factory=Counter)
    questions: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    chances: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    visibility: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    motions: list[tuple[float, float]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, content: Content) -> None:
        """Count the tables of a shard."""
        self.frames += len(content.frames)
        self.pairs += len(content.pairs)
        for frame in content.frames:
            shown = [item for item in frame.objects if item.measured.box is not None]
            self.objects += len(shown)
            self.visibility += [item.visibility for item in shown]
            self.distance += [float(np.linalg.norm(item.measured.obb.center)) for item in shown]
        for question in content.items:
            self._count(question)
        self.motions += [
            (pair.motion.yaw_deg, pair.motion.pitch_deg)
            for pair in content.pairs
            if pair.off_m < 0.05 and pair.off_deg < 5.0
        ]

    def _count(self, item: Item) -> None:
        self.questions[item.task][item.key] += 1
        options = answers_of(TASKS[item.task], item.key)
        if options:
            self.chances[item.task].append(1.0 / options)

    def guess(self, task: str) -> float | None:
        """Return the share of right answers that the best blind guess gives; None for poses, boxes and lengths.

        That is one over the number of options, or always saying the most frequent answer where that is more.
        """
        counts = self.questions[task]
        if task in self.chances or task == "count":
            even = float(np.mean(self.chances[task])) if task in self.chances else 0.0
            by_place = any(" of " in key for key in counts)
            return even if by_place else max(even, max(counts.values()) / sum(counts.values()))
        return None

    def to_json(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {
            "scenes": dict(self.scenes),
            "frames": self.frames,
            "objects": self.objects,
            "pairs": self.pairs,
            "questions": sum(sum(counts.values()) for counts in self.questions.values()),
            "tasks": {
                name: {"n": sum(counts.values()), "guess": self.guess(name), "answers": dict(sorted(counts.items()))}
                for name, counts in sorted(self.questions.items())
            },
            "left_out": dict(self.left_out),
        }


def statistics_of(store: Store, split: str | None = None) -> Statistics:
    """Return what is in a split of a store, or in all of it.

    Raises:
        StoreError: a shard cannot be read.
    """
    found = Statistics()
    for entry in store.shards(split):
        found.add(store.read(entry))
        found.scenes[entry.split] += len(entry.scenes)
        found.left_out.update(entry.left_out)
    return found

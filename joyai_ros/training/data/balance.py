"""Choosing among candidates so that no answer is a good guess."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from joyai_ros.training.data.keys import answers_of
from joyai_ros.training.data.records import Item
from joyai_ros.understanding.tasks import TASKS

_FEW = 3  # answers: among so many all are asked for equally often


def balanced(candidates: Sequence[Item], per_task: int, random: np.random.Generator) -> list[Item]:
    """Return at most ``per_task`` questions of each task, with its answers as even as the candidates let them be.

    Of two or three answers each is as frequent as the rarest; of more, none is more frequent than their median. Of counts and
    lengths none is more frequent than it must be to fill ``per_task``.
    """
    groups: dict[tuple[str, int], dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for index in random.permutation(len(candidates)):
        item = candidates[int(index)]
        groups[item.task, answers_of(TASKS[item.task], item.key)][item.key].append(item)
    shares = Counter(task for task, _ in groups)
    chosen: list[Item] = []
    for (task, answers), by_key in sorted(groups.items()):
        most = max(per_task // shares[task], 1)
        sizes = [len(items) for items in by_key.values()]
        if 1 < answers <= _FEW:
            cap = min(sizes) if len(sizes) == answers else 0
            cap = min(cap, max(most // answers, 1))
        else:
            cap = min(_level(sizes, most), math.ceil(float(np.median(sizes))) if answers else most)
        for _, items in sorted(by_key.items()):
            chosen += items[:cap]
    return chosen


def _level(sizes: list[int], most: int) -> int:
    """Return the cap at which groups of these sizes hold ``most`` together: water filled into vessels."""
    cap = 0
    while sum(min(size, cap + 1) for size in sizes) <= most and cap < max(sizes):
        cap += 1
    return max(cap, 1)

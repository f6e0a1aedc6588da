"""What several looks at a thing say of it together."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from joyai_ros.understanding.window_reader import WindowReader

BOX = (0.2, 0.2, 0.4, 0.5)
KINDS, COLORS = [" mug", " box"], [" red", " blue"]


def number(value, size=100):
    return torch.eye(size)[value]


@pytest.fixture
def reader(monkeypatch):
    """Of a model that says of each look what a test gives."""
    words = {0: KINDS[0], 1: KINDS[1], 2: COLORS[0], 3: COLORS[1]}
    script = SimpleNamespace(
        kinds=torch.tensor([0, 1]),
        colors=torch.tensor([2, 3]),
        tokens=lambda words: torch.zeros(len(words)),
        word=words.__getitem__,
        in_parts=lambda write, places, together: write(places),
    )
    made = WindowReader(script, lambda images: [])
    looks = {}
    monkeypatch.setattr(made, "_held", lambda images, views, margin, flip, some: [looks[margin, flip] for _ in some])
    return made, looks


def look(kind, color, degrees, steps):
    return torch.tensor(kind), torch.tensor(color), number(degrees), number(steps)


def test_kind_and_colour_are_told_by_the_closer_windows_and_the_rest_by_all(reader):
    made, looks = reader
    looks[1.3, False] = look([0.6, 0.4], [0.1, 0.9], 20, 0)
    looks[1.3, True] = look([0.5, 0.5], [0.8, 0.2], 24, 0)
    looks[2.0, False] = look([0.0, 1.0], [1.0, 0.0], 32, 9)
    looks[2.0, True] = look([0.0, 1.0], [1.0, 0.0], 40, 2)
    (seen,) = made.contents([np.zeros((60, 80, 3), np.uint8)], [(0, BOX)], 1)
    assert seen.box == BOX
    assert seen.held == " mug blue y29"
    assert seen.on_another == pytest.approx(0.25), "two steps are as good as none"


def test_nothing_is_looked_at_where_there_is_nothing(reader):
    made, _ = reader
    assert made.contents([np.zeros((60, 80, 3), np.uint8)], [], 1) == []

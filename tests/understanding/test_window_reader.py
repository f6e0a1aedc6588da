"""What several looks at a thing say of it together."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from joyai_ros.understanding import window_reader
from joyai_ros.understanding.window_reader import WindowReader, _Found

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


IMAGE = np.zeros((60, 80, 3), np.uint8)
BESIDE = (0.5, 0.2, 0.7, 0.5)


def sighted(reader, monkeypatch, first, again):
    """Return what may be a thing, where windows over the image show one and the closer ones round it what is given."""
    made, looks = reader
    looks[1.3, False] = look([0.9, 0.1], [0.2, 0.8], 20, 0)
    closer = iter((first, again))

    def looked(images, views, least, together):
        if least < 0.05:
            return next(closer)
        scanned = [_Found(BOX, 0.8), _Found((0.21, 0.2, 0.4, 0.5), 0.3), _Found(BESIDE, 0.2)]
        return scanned + [None] * (len(views) - len(scanned))

    monkeypatch.setattr(made, "_looks", looked)
    given = []
    monkeypatch.setattr(window_reader, "told_apart", lambda sightings: given.append(sightings) or [BOX])
    monkeypatch.setattr(window_reader, "_apart", lambda found: found[:1])
    assert made.boxes([IMAGE], 1) == [[BOX]]
    ((sighting,),) = given
    return sighting


def test_what_may_be_a_thing_is_looked_at_more_closely_and_once_more(reader, monkeypatch):
    first = [_Found((0.22, 0.2, 0.4, 0.5), 0.9), _Found((0.18, 0.2, 0.4, 0.5), 0.5), None]
    again = [_Found((0.2, 0.24, 0.4, 0.5), 0.9), _Found((0.2, 0.2, 0.4, 0.46), 0.9), _Found(BOX, 0.9)]
    sighting = sighted(reader, monkeypatch, first, again)
    np.testing.assert_allclose(sighting.box, BOX)
    assert sighting.sure == pytest.approx((4 * np.log(9) + 0 - np.log(999)) / 6)
    assert sighting.seen == pytest.approx(np.log(4))
    assert sighting.windows == pytest.approx(1.1), "of the windows over the image two show it"
    np.testing.assert_allclose([*sighting.kinds, *sighting.colors], [0.9, 0.1, 0.2, 0.8], atol=1e-6)


def test_a_closer_window_that_shows_a_neighbour_says_nothing_of_the_thing(reader, monkeypatch):
    beside = _Found(BESIDE, 0.99)
    sighting = sighted(reader, monkeypatch, [beside] * 3, [_Found((0.2, 0.2, 0.4, 0.52), 0.5), beside, beside])
    np.testing.assert_allclose(sighting.box, (0.2, 0.2, 0.4, 0.51))
    assert sighting.sure == pytest.approx(0.0)
    assert sighted(reader, monkeypatch, [beside] * 3, [beside] * 3).sure == 0.0


def test_windows_that_show_much_the_same_are_looked_at_once():
    surest, other = _Found(BOX, 0.8), _Found(BESIDE, 0.2)
    assert window_reader._apart([other, _Found((0.21, 0.2, 0.4, 0.5), 0.3), surest]) == [surest, other]

"""Lasting ids: over a camera that moves, things that move, detectors that change their minds, and clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.raycast import Ball, Tube
from tests.scene.film import Film, nameless
from tests.scene.stage import block

THINGS = {
    "book": block(-0.2, 0.0, (0.13, 0.08, 0.10), heading=0.4),
    "can": [Tube((0.05, 0.12, 0.05), 0.035, 0.10)],
    "ball": [Ball((0.2, -0.08, 0.04), 0.04)],
    "low": block(0.0, -0.12, (0.10, 0.05, 0.05), heading=-0.3),
}
TRUE = {
    "book": ((-0.2, 0.0, 0.05), (0.13, 0.08, 0.10)),
    "can": ((0.05, 0.12, 0.05), (0.07, 0.07, 0.10)),
    "ball": ((0.2, -0.08, 0.04), (0.08, 0.08, 0.08)),
    "low": ((0.0, -0.12, 0.025), (0.10, 0.05, 0.05)),
}
SIDES = (-40, -24, -8, 8, 24, 40)
WAYS = ("boxes", "masks", "nothing")


def can_at(right, forward):
    return [Tube((right, forward, 0.05), 0.035, 0.10)]


@pytest.mark.parametrize("how", WAYS)
def test_ids_last_and_boxes_are_right_while_the_camera_moves(how):
    takes = Film(THINGS, how).pan(*SIDES)
    assert len(takes[0].ids) == len(THINGS)
    assert all(take.ids == takes[0].ids for take in takes)
    for name, item in takes[-1].seen.items():
        center, size = TRUE[name]
        assert np.abs(takes[-1].box(item).center - center).max() < 0.003, name
        assert np.abs(item.obb.size - size).max() < 0.005, name
        assert item.views == len(SIDES)
        assert not item.moved
        assert item.age == 0.0


@pytest.mark.parametrize("seed", [0, 1])
def test_ids_last_where_the_detector_gives_new_ones_in_another_order_each_time(seed):
    change = nameless(np.random.default_rng(seed))
    takes = Film(THINGS).pan(*SIDES, change=change)
    assert all(take.ids == takes[0].ids for take in takes)
    assert len(set(takes[0].ids.values())) == len(THINGS)
    orders = {tuple(item.id for item in take.scene.objects) for take in takes}
    assert len(orders) > 1  # objects come in the order of the detections


def test_a_frame_names_no_two_objects_alike():
    film = Film({**THINGS, "twin": can_at(-0.05, 0.2)}, "nothing")
    for take in film.pan(*SIDES):
        names = [item.id for item in take.scene.objects]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("how", ["boxes", "nothing"])
def test_an_object_that_is_pushed_keeps_its_id(how):
    film = Film(THINGS, how)
    change = nameless(np.random.default_rng(0)) if how == "boxes" else lambda observation: observation
    first = film.pan(0, 2, 4, change=change)[-1]
    for k in range(8):
        film.things["can"] = can_at(0.05 - 0.02 * (k + 1), 0.12)
        take = film.take(6 + k, change=change)
        assert take.ids == first.ids
        pushed = take.seen["can"]
        assert pushed.moved
        assert np.abs(take.box(pushed).center - (0.05 - 0.02 * (k + 1), 0.12, 0.05)).max() < 0.008
    assert [name for name, item in take.seen.items() if item.moved] == ["can"]
    rested = film.pan(14, 20, 26, change=change)[-1]
    assert rested.ids == first.ids
    assert rested.seen["can"].views >= 3  # it lies still again: its box is fused anew
    assert np.abs(rested.box(rested.seen["can"]).center - (-0.11, 0.12, 0.05)).max() < 0.004


@pytest.mark.parametrize("how", ["boxes", "nothing"])
@pytest.mark.parametrize("absent", [0, 4])
def test_an_object_that_is_carried_elsewhere_is_noticed_and_keeps_its_id(how, absent):
    film = Film(THINGS, how)
    change = nameless(np.random.default_rng(0)) if how == "boxes" else lambda observation: observation
    first = film.pan(-10, -5, 0, 5, change=change)[-1]
    can = film.things.pop("can")
    for k in range(absent):
        film.take(5 + k, change=change)
    film.things["can"] = can_at(0.2, 0.15)
    take = film.take(10, change=change)
    assert take.ids == first.ids
    assert [name for name, item in take.seen.items() if item.moved] == ["can"]
    assert take.seen["can"].views == 1  # what was fused of its old place is forgotten
    assert np.abs(take.box(take.seen["can"]).center - (0.2, 0.15, 0.05)).max() < 0.008
    assert can_at(0.05, 0.12) == can  # it is the same can


def test_a_thing_of_another_size_is_another_object():
    film = Film(THINGS, "nothing")
    first = film.pan(-10, -5, 0, 5)[-1]
    del film.things["can"]
    film.things["tower"] = block(0.2, 0.15, (0.06, 0.03, 0.2))
    take = film.take(8)
    assert take.ids["tower"] not in first.ids.values()
    assert not take.seen["tower"].moved


@settings(max_examples=8)
@given(st.permutations(range(-40, 41, 10)), st.randoms(use_true_random=False))
def test_ids_last_in_whatever_order_sides_are_seen(sides, random):
    film = Film({name: THINGS[name] for name in ("book", "can", "ball")})
    change = nameless(np.random.default_rng(random.randrange(1000)))
    takes = film.pan(*sides[:5], change=change)
    assert all(take.ids == takes[0].ids for take in takes)
    assert not any(item.moved for item in takes[-1].scene.objects)


def test_objects_that_stand_close_together_are_not_confused():
    cans = {f"can{k}": can_at(-0.16 + 0.08 * k, 0.0) for k in range(5)}
    film = Film(cans)
    takes = film.pan(*range(-30, 31, 10), change=nameless(np.random.default_rng(2)))
    assert all(take.ids == takes[0].ids for take in takes)


def test_without_tracking_each_frame_stands_alone():
    film = Film(THINGS, enabled=False)
    film.pan(0, 10, 20)
    take = film.take(30, target=(0.7, 0.3, 0.0))
    assert take.remembered == {}
    assert all(item.views == 1 and not item.moved for item in take.scene.objects)

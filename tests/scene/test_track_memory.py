"""What is out of sight: remembered with its age and a sigma that grows, dropped where its place is seen empty."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.raycast import Ball, Tube
from joyai_ros.geometry import rigid
from tests.scene.film import Film, without_pose
from tests.scene.stage import block

THINGS = {
    "book": block(-0.2, 0.0, (0.13, 0.08, 0.10), heading=0.4),
    "can": [Tube((0.05, 0.08, 0.05), 0.035, 0.10)],
    "ball": [Ball((0.2, -0.08, 0.04), 0.04)],
}
ASIDE = (0.75, 0.3, 0.0)  # look there, and the book is beyond the left border
AWAY = (0.9, -0.9, 0.3)  # and nothing is in sight


@pytest.fixture(params=["boxes", "nothing"])
def film(request):
    film = Film(THINGS, request.param)
    film.pan(-6, -2, 2, 6)
    return film


def test_what_left_the_view_is_remembered_where_it_was(film):
    last = film.take(8)
    book = last.seen["book"]
    take = film.take(8, target=ASIDE, after=2.0)
    assert set(take.remembered) == {book.id}
    (kept,) = take.remembered.values()
    assert (kept.box, kept.mask, kept.points, kept.visible) == (None, None, 0, False)
    assert (kept.label, kept.label_source, kept.views) == (book.label, book.label_source, book.views)
    np.testing.assert_allclose(
        take.box(kept).center, last.box(book).center, atol=0.002
    )  # the camera turned, it did not
    np.testing.assert_allclose(kept.obb.size, book.obb.size, atol=0.002)
    assert kept.height == pytest.approx(0.10, abs=0.003)
    assert film.take(8).seen["book"].id == book.id


def test_its_age_and_sigma_grow(film):
    growth, first = film.engine.config.tracking.sigma_growth, film.take(8)
    sigma = np.linalg.norm(first.seen["book"].center_sigma)
    for seconds in (1.0, 2.0, 3.5, 10.0):
        film.seconds = first.shot.observation.stamp / 1e9
        (kept,) = film.take(8, target=ASIDE, after=seconds).remembered.values()
        assert kept.age == pytest.approx(seconds)
        assert (kept.center_sigma >= growth * seconds).all()
        assert np.linalg.norm(kept.center_sigma) == pytest.approx(
            np.hypot(sigma, np.sqrt(3.0) * growth * seconds), rel=0.02
        )
        np.testing.assert_array_less(kept.size_sigma, 0.01)  # it may be elsewhere, but not of another size


def test_relations_are_stated_of_what_is_remembered():
    film = Film(THINGS)
    film.pan(-6, -2, 2, 6)
    scene = film.take(6, target=ASIDE).scene
    assert ("book", "left_of", "can") in {(r.subject, r.predicate, *r.objects) for r in scene.relations}


@pytest.mark.parametrize("gone_after", [1, 2, 5])
def test_it_is_dropped_when_its_place_is_seen_empty(gone_after):
    film = Film(THINGS, gone_after=gone_after)
    film.pan(-6, -2, 2, 6)
    del film.things["book"]
    assert set(film.take(6, target=ASIDE).remembered) == {"book"}  # nobody saw it go
    for _ in range(gone_after - 1):
        assert set(film.take(6).remembered) == {"book"}
    assert film.take(6).remembered == {}


def test_what_something_else_hides_is_not_gone():
    film = Film(THINGS)
    film.pan(-6, -2, 2, 6)
    film.things["wall"] = block(0.03, -0.2, (0.3, 0.02, 0.27))
    for _ in range(6):
        take = film.take(0, after=1.0)
        assert set(take.remembered) == {"can"}
    del film.things["wall"]
    take = film.take(2)
    assert take.seen["can"].id == "can"
    assert not take.seen["can"].moved


@pytest.mark.parametrize("taken_after", [2, 4])
def test_a_part_of_another_object_is_dropped(taken_after):
    """A detector tells lid and jar apart at first, and takes both for the jar from then on."""
    things = {"jar": block(0.0, 0.0, (0.10, 0.08, 0.07)), "lid": block(0.0, 0.0, (0.10, 0.08, 0.05), bottom=0.07)}
    film = Film(things, "masks", taken_after=taken_after)
    film.pan(-6, -2, 2, 6)
    present = [set(film.take(6, change=as_one).remembered) for _ in range(taken_after)]
    assert present == [{"lid"}] * (taken_after - 1) + [set()]


def as_one(observation):
    jar, lid = observation.detections
    box = (*np.minimum(jar.box, lid.box)[:2], *np.maximum(jar.box, lid.box)[2:])
    return replace(observation, detections=(replace(jar, box=box, mask=jar.mask | lid.mask),))


def test_a_carried_object_is_new_again_after_a_while():
    for late in (False, True):
        film = Film(THINGS, "nothing", reacquire_within=3.0)
        ids = film.pan(-6, -2, 2, 6)[-1].ids
        can = film.things.pop("can")
        film.pan(6, 6, 6, 6)
        film.seconds += 4.0 if late else 0.0
        film.things["can"] = [Tube((0.25, 0.15, 0.05), can[0].radius, can[0].height)]
        take = film.take(6)
        assert (take.ids["can"] == ids["can"]) is not late
        assert take.seen["can"].moved is not late


def test_after_long_it_is_forgotten():
    film = Film(THINGS, forget_after=20.0)
    film.pan(-6, -2, 2, 6)
    assert set(film.take(6, target=ASIDE, after=19.0).remembered) == {"book"}
    assert film.take(6, target=ASIDE, after=2.0).remembered == {}


@pytest.mark.parametrize(("times", "kept"), [(2, False), (3, True)])
def test_what_was_hardly_measured_is_not_remembered(times, kept):
    film = Film(THINGS, confirmed_after=3)
    film.pan(*range(times))
    take = film.take(6, target=ASIDE)
    assert (set(take.remembered) == {"book"}) is kept


@pytest.mark.parametrize(("pause", "same"), [(0.6, True), (1.6, False)])
def test_an_unconfirmed_object_keeps_its_id_for_a_moment(pause, same):
    film = Film(THINGS, "nothing", unconfirmed_for=1.0)
    first = film.take(0)
    film.take(0, target=AWAY, after=pause / 2)
    film.take(0, target=AWAY, after=pause / 2)
    assert (film.take(0).ids["book"] == first.ids["book"]) is same


def test_the_memory_is_bounded_and_the_longest_unseen_go_first():
    things = {f"can{k}": [Tube((-0.3 + 0.12 * k, 0.0, 0.05), 0.03, 0.10)] for k in range(6)}
    film = Film(things, most_remembered=2)
    film.pan(-6, -2, 2, 6)
    film.pan(6, 6, names=["can2", "can3", "can4", "can5"])  # nobody points at the first two any more
    take = film.take(6, names=["can4", "can5"])
    assert len(take.remembered) <= 2
    assert not {"can0", "can1"} & set(take.remembered)
    assert {item.id for item in take.scene.objects if item.visible} == {"can4", "can5"}


def test_without_a_world_nothing_is_remembered_but_ids_last():
    film = Film(THINGS, "nothing")
    takes = film.pan(0, 0.5, 1, 1.5, change=without_pose)
    assert all(take.ids == takes[0].ids for take in takes)
    assert all(item.views == 1 for item in takes[-1].scene.objects)  # boxes are not fused
    assert film.take(1.5, target=ASIDE, change=without_pose).remembered == {}


def test_a_frame_without_depth_denies_nothing():
    film = Film(THINGS)
    last = film.pan(-6, -2, 2, 6)[-1]
    take = film.take(6, change=without_depth, after=1.0)
    assert set(take.remembered) == set(THINGS)
    for name, item in take.remembered.items():
        assert item.age == pytest.approx(1.0)
        np.testing.assert_allclose(take.box(item).center, last.box(last.seen[name]).center, atol=0.002)
    assert film.take(6).ids == last.ids


def test_time_passes_without_depth():
    film = Film(THINGS, forget_after=20.0)
    film.pan(-6, -2, 2, 6)
    assert set(film.take(6, change=without_depth, after=19.0).remembered) == set(THINGS)
    assert film.take(6, change=without_depth, after=2.0).remembered == {}
    film.pan(-6, -2, 2, 6)
    assert film.take(6, change=without_depth, after=-5.0).remembered == {}  # stamps jumped back: a new sequence


def without_depth(observation):
    return replace(observation, depth=None)


def test_memory_follows_the_camera():
    film = Film(THINGS)
    last = film.pan(-6, -2, 2, 6)[-1]
    for degrees in (10, 60, 120):
        take = film.take(degrees, target=AWAY)
        for name, item in take.remembered.items():
            world = rigid.apply(take.shot.pose, item.obb.center)
            np.testing.assert_allclose(world, last.box(last.seen[name]).center, atol=0.003)

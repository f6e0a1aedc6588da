"""Stamps and poses: sequences that begin anew, frames out of order, frames without a pose, poses that jump."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.raycast import Ball, Tube
from joyai_ros.geometry import rigid
from tests.scene.film import Film, nameless, without_pose
from tests.scene.stage import block

THINGS = {
    "book": block(-0.2, 0.0, (0.13, 0.08, 0.10), heading=0.4),
    "can": [Tube((0.05, 0.08, 0.05), 0.035, 0.10)],
    "ball": [Ball((0.2, -0.08, 0.04), 0.04)],
    "low": block(0.0, -0.14, (0.10, 0.05, 0.05), heading=-0.3),
}
ASIDE = (0.75, 0.3, 0.0)


@pytest.mark.parametrize(("back", "anew"), [(0.5, False), (0.9, False), (1.1, True), (60.0, True)])
def test_stamps_that_jump_back_begin_a_new_sequence(back, anew):
    film = Film(THINGS, time_jump=1.0)
    film.pan(-6, -2, 2, 6)
    take = film.take(6, target=ASIDE, after=-back)
    assert (take.remembered == {}) is anew
    assert all((item.views == 1) is anew for item in take.seen.values())


def test_a_new_sequence_gives_its_ids_anew():
    film = Film(THINGS, "nothing")
    first = film.take(0)
    film.things = dict(reversed(THINGS.items()))
    film.take(10)
    again = film.take(0, after=-50.0)
    assert sorted(again.ids.values()) == sorted(first.ids.values()) == [f"cluster_{k}" for k in range(len(THINGS))]


@pytest.mark.parametrize("after", [0.0, -0.3])
def test_a_frame_that_comes_twice_or_late_is_not_fused_again(after):
    film = Film(THINGS)
    last = film.pan(-6, -2, 2, 6)[-1]
    take = film.take(6, after=after)
    assert take.ids == last.ids
    assert {item.views for item in take.scene.objects} == {4}
    film.seconds = last.shot.observation.stamp / 1e9
    assert {item.views for item in film.take(8).scene.objects} == {5}


def test_a_frame_without_a_pose_borrows_the_last():
    film = Film(THINGS, hold_pose=0.5)
    last = film.pan(-6, -2, 2, 6)[-1]
    take = film.take(6, change=without_pose, after=0.4)
    assert take.ids == last.ids
    assert take.scene.world_from_camera is None  # it is not claimed
    for name, item in take.seen.items():
        assert item.views == 4  # what a borrowed pose places is not fused
        np.testing.assert_allclose(take.box(item).center, last.box(last.seen[name]).center, atol=0.002)
    aside = film.take(6, target=ASIDE, change=without_pose, after=0.05)
    assert "book" in {item.id for item in aside.scene.objects}  # known, though nobody can say where it is now
    assert film.take(8).ids == last.ids


def test_with_a_borrowed_pose_nothing_is_seen_to_be_gone():
    film = Film(THINGS, gone_after=1)
    film.pan(-6, -2, 2, 6)
    del film.things["book"]
    assert set(film.take(6, change=without_pose).remembered) == {"book"}
    assert film.take(6).remembered == {}


def test_after_too_long_without_a_pose_nothing_is_remembered():
    film = Film(THINGS, hold_pose=0.5)
    film.pan(-6, -2, 2, 6)
    assert set(film.take(6, names=["can"]).remembered) == {"book", "ball", "low"}
    take = film.take(6, names=["can"], change=without_pose, after=0.7)
    assert take.remembered == {}
    assert film.take(6, names=["can"]).remembered == {}


@pytest.mark.parametrize("how", ["boxes", "nothing"])
def test_ids_last_where_a_pose_comes_late_and_where_it_goes(how):
    """TF is up some frames after the camera: a robot that stands does not rename all that it sees."""
    film = Film(THINGS, how, hold_pose=0.5)
    first = film.take(0, change=without_pose)
    posed = film.take(1)
    assert posed.ids == first.ids
    fused = film.pan(2, 3, 4)[-1]
    assert fused.ids == first.ids
    assert {item.views for item in fused.scene.objects} == {4}
    for name, item in fused.seen.items():
        alone = Film(THINGS, how).take(4)
        np.testing.assert_allclose(fused.box(item).center, alone.box(alone.seen[name]).center, atol=0.01)
    lost = film.take(4, change=without_pose, after=0.7)
    assert lost.ids == first.ids
    assert {item.views for item in lost.scene.objects} == {1}
    back = film.take(4)
    assert back.ids == first.ids
    assert not any(item.moved for item in back.scene.objects)


def test_what_the_frame_before_did_not_show_gets_an_id_of_its_own_where_a_pose_comes():
    film = Film({"can": THINGS["can"]}, "nothing")
    first = film.take(0, change=without_pose)
    film.things = {"ball": THINGS["ball"]}
    assert not set(film.take(0).ids.values()) & set(first.ids.values())


@pytest.mark.parametrize("how", ["boxes", "nothing"])
def test_another_world_frame_is_another_world(how):
    """A localisation that starts late: what was odom is map now. What is in sight keeps its id, all else begins anew."""
    film = Film(THINGS, how)
    film.pan(-6, -2, 2)
    last = film.take(6)
    jump = rigid.make_transform(rigid.axis_angle(np.array([0.0, 0.0, 1.0]), 2.0), np.array([3.0, -2.0, 0.0]))

    def elsewhere(observation):
        return replace(observation, world_frame="map", world_from_camera=jump @ observation.world_from_camera)

    take = film.take(6, change=elsewhere)
    assert take.ids == last.ids
    assert {item.views for item in take.scene.objects} == {1}
    assert not any(item.moved for item in take.scene.objects)
    again = film.take(8, change=elsewhere)
    assert again.ids == last.ids
    assert {item.views for item in again.scene.objects} == {2}


def test_what_is_out_of_sight_is_lost_in_another_world():
    film = Film(THINGS)
    film.pan(-6, -2, 2)
    assert set(film.take(6, names=["can"]).remembered) == {"book", "ball", "low"}
    take = film.take(6, names=["can"], change=lambda o: replace(o, world_frame="map"))
    assert take.ids == {"can": "can"}
    assert take.remembered == {}


@pytest.mark.parametrize("how", ["boxes", "nothing"])
def test_a_pose_that_jumps_moves_no_object(how):
    """Localisation corrects itself by some centimetres: all objects seem to move at once, so none did."""
    film = Film(THINGS, how)
    last = film.pan(-6, -2, 2, 6)[-1]
    jump = rigid.make_transform(np.eye(3), np.array([0.03, 0.02, 0.0]))
    change = nameless(np.random.default_rng(1)) if how == "boxes" else lambda o: o
    take = film.take(6, change=lambda o: change(replace(o, world_from_camera=jump @ o.world_from_camera)))
    assert take.ids == last.ids
    assert not any(item.moved for item in take.scene.objects)

"""Boxes that several views agree on: nearer to the truth than one view's, checked against each view, completed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.raycast import Ball, Block, Tube
from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.scene.fuse import fuse
from joyai_ros.scene.fuse_box import level_axes
from joyai_ros.scene.fuse_check import agrees, disagreeing, outline_points
from joyai_ros.scene.fuse_sigma import fuse_sigma
from tests.scene.film import Film, copied
from tests.scene.layouts import lengths
from tests.scene.stage import block

UP = np.array([0.0, 0.0, 1.0])
AXES = level_axes(UP)
SIDES = (-50, -30, -10, 10, 30, 50)
SHAPES = {
    "box": (block(0.0, 0.0, (0.14, 0.07, 0.10), heading=0.5), (0.14, 0.07, 0.10), 0.5, "box"),
    "cylinder": ([Tube((0.0, 0.0, 0.06), 0.04, 0.12)], (0.08, 0.08, 0.12), 0.0, "round"),
    "ball": ([Ball((0.0, 0.0, 0.05), 0.05)], (0.10, 0.10, 0.10), 0.0, "round"),
}


def true_box(size, heading=0.0, center=(0.0, 0.0)) -> OrientedBox:
    return OrientedBox(np.array([*center, size[2] / 2]), rigid.axis_angle(UP, heading), np.array(size))


def overlap(box: OrientedBox, true: OrientedBox) -> float:
    """IoU; of a round thing's square any heading is right."""
    if true.size[0] == true.size[1]:
        true = OrientedBox(true.center, box.rotation, true.size)
    return upright_iou(box, true)


def views_of(solids, *degrees, height=0.55, how="boxes"):
    film = Film({"it": solids}, how)
    film.height = height
    film.pan(*degrees)
    return film.views("it").views


@cache
def seen(name: str):
    return views_of(SHAPES[name][0], *SIDES)


@pytest.mark.parametrize("name", SHAPES)
def test_from_several_sides_a_box_is_nearer_to_the_truth(name):
    solids, size, heading, shape = SHAPES[name]
    true = true_box(size, heading)
    film = Film({"it": solids})
    single = [overlap(t.box(t.seen["it"]), true) for t in Film({"it": solids}, enabled=False).pan(*SIDES)]
    take = film.pan(*SIDES)[-1]
    fused = overlap(take.box(take.seen["it"]), true)
    assert fused > 0.9
    assert fused > np.mean(single)
    error = np.abs(take.box(take.seen["it"]).center - true.center)
    assert (error < 4.0 * take.seen["it"].center_sigma.max()).all()
    assert fuse(film.views("it"), AXES).shape == shape


@settings(max_examples=8)
@given(lengths(-1.5, 1.5), st.tuples(lengths(0.10, 0.16), lengths(0.04, 0.07), lengths(0.05, 0.15)))
def test_boxes_of_any_size_and_heading(heading, size):
    views = views_of(block(0.0, 0.0, size, heading), *SIDES[::2], 50)
    found = fuse(copied(*views), AXES)
    assert overlap(found.box, true_box(size, heading)) > 0.85
    assert disagreeing(found.box, found.shape, views) == []
    np.testing.assert_allclose(found.box.rotation[:, 2], UP, atol=1e-9)
    assert found.box.size[0] >= found.box.size[1]


@pytest.mark.parametrize("name", SHAPES)
def test_a_fused_box_projects_onto_what_each_view_saw(name):
    found = fuse(copied(*seen(name)), AXES)
    assert disagreeing(found.box, found.shape, seen(name)) == []


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=25)
@given(st.sampled_from([-1.0, 1.0]), lengths(0.75, 2.0), lengths(0.0, 2.0 * np.pi))
def test_a_box_elsewhere_or_of_another_size_does_not(name, sign, share, bearing):
    _, size, heading, shape = SHAPES[name]
    true = true_box(size, heading)
    aside = sign * share * max(size[:2]) * np.array([np.cos(bearing), np.sin(bearing), 0.0])
    for wrong in (
        OrientedBox(true.center + aside, true.rotation, true.size),
        OrientedBox(true.center, true.rotation, true.size * (1.0 + 1.5 * share)),
        OrientedBox(true.center, true.rotation, true.size * (0.7 - 0.2 * share)),
    ):
        assert len(disagreeing(wrong, shape, seen(name))) == len(seen(name))


def test_a_side_that_something_cuts_may_reach_further():
    view = seen("box")[0]
    size, heading = SHAPES["box"][1:3]
    corners = outline_points(true_box(size, heading), "box")
    left, top, right, bottom = view.seen
    half = replace(view, seen=(left, top, (left + right) / 2, bottom))
    cut = replace(half, cut=replace(view.cut, right=0.5))
    assert agrees(corners, [view, half, cut]) == [True, False, True]


def test_a_box_behind_the_camera_agrees_with_nothing():
    view = seen("box")[0]
    camera = rigid.inverse(view.camera_from_world)[:3, 3]
    behind = OrientedBox(camera + 0.5 * view.toward, np.eye(3), np.full(3, 0.1))
    assert agrees(behind.corners(), [view]) == [False]


def test_outlines_of_round_things_are_within_their_boxes():
    box = true_box((0.1, 0.1, 0.2))
    for shape in ("box", "round", "lying"):
        assert box.contains(outline_points(box, shape), margin=1e-9).all()
    np.testing.assert_allclose(np.linalg.norm(outline_points(box, "round")[:, :2], axis=1), 0.05)


def test_views_that_contradict_are_given_up():
    """Two frames took the neighbour for a part of it; four from elsewhere saw it alone."""
    alone = block(0.0, 0.0, (0.10, 0.06, 0.10), heading=0.2)
    good = views_of(alone, -40, -20, 20, 40)
    bad = views_of([*alone, Block((0.16, 0.02, 0.05), (0.10, 0.06, 0.10))], -5, 5, how="masks")
    views = copied(*bad, *good)
    found = fuse(views, AXES)
    assert len(views) == len(good)
    assert all(any(view is kept for kept in views.views) for view in good)
    assert overlap(found.box, true_box((0.10, 0.06, 0.10), 0.2)) > 0.85
    assert overlap(found.box, true_box((0.10, 0.06, 0.10), 0.2)) == pytest.approx(
        overlap(fuse(copied(*good), AXES).box, true_box((0.10, 0.06, 0.10), 0.2))
    )


def test_a_box_that_most_views_contradict_has_twice_the_sigma():
    apart = [views_of(block(x, 0.0, (0.10, 0.06, 0.10)), -20, 20) for x in (-0.2, 0.0, 0.2)]
    views = copied(*(view for pair in apart for view in pair))
    found, plain = fuse(views, AXES), fuse_sigma(views.views, views.sides())
    assert len(views) == 6
    np.testing.assert_allclose(found.sigma.size, 2.0 * plain.size)


def test_too_few_points_are_no_box():
    few = replace(seen("box")[0], points=seen("box")[0].points[:8], rays=seen("box")[0].rays[:8])
    assert fuse(copied(few, few), AXES) is None


@pytest.mark.parametrize("height", [0.12, 0.3])
def test_the_far_side_of_a_cylinder_seen_from_one_side(height):
    """Its points alone make a box about half as deep as it is."""
    solids, size, _, _ = SHAPES["cylinder"]
    views = views_of(solids, -3.5, 0, 3.5, height=height)
    found = fuse(copied(*views), AXES)
    np.testing.assert_allclose(found.box.size, size, atol=0.010)
    assert overlap(found.box, true_box(size)) > 0.8


def test_the_hidden_end_of_a_stick_in_a_mug():
    mug, base, tip = [Tube((0.0, 0.0, 0.05), 0.045, 0.10, closed=False)], np.array([-0.025, 0.0, 0.01]), 0.17
    lean = np.array([0.35, 0.0, 1.0])
    rod = [Ball(base + t * lean, 0.007) for t in np.arange(0.0, tip - 0.01, 0.006)]
    film = Film({"mug": mug, "pen": rod}, "masks")
    take = film.pan(-8, -4, 0, 4, 8)[-1]
    box = take.box(take.seen["pen"])
    low, high = box.center[2] - box.size[2] / 2, box.center[2] + box.size[2] / 2
    assert low < 0.03  # down in the mug, though only the upper part shows
    assert high == pytest.approx(tip, abs=0.012)
    points = np.concatenate([view.points for view in film.views("pen").views])
    reach = np.ptp(points[:, 0])
    assert box.extent_along(np.array([1.0, 0.0, 0.0])) > reach + 0.01
    assert box.contains(base[None], margin=0.015).all()
    assert ("pen", "inside", "mug") in {(r.subject, r.predicate, *r.objects) for r in take.scene.relations}


def test_a_few_views_that_take_a_block_for_round_do_not_make_it_square():
    size, heading = SHAPES["box"][1:3]
    views = seen("box")
    square = true_box((0.12, 0.12, 0.10))
    some = [replace(view, completed=square if k % 2 else None) for k, view in enumerate(views)]
    assert overlap(fuse(copied(*some), AXES).box, true_box(size, heading)) > 0.9
    most = [replace(view, completed=square if k else None) for k, view in enumerate(views)]
    np.testing.assert_allclose(fuse(copied(*most), AXES).box.size, square.size)


def test_one_view_that_is_wrong_and_sure_of_itself_is_outvoted():
    views = seen("cylinder")
    wrong = replace(views[2], low=views[2].low + 0.05, low_sigma=views[2].low_sigma / 4.0)
    found = fuse(copied(*views[:2], wrong, *views[3:]), AXES)
    assert found.box.size[2] == pytest.approx(0.12, abs=0.006)

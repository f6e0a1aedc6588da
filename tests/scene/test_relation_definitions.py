"""Each relation is stated where docs/relations.md says so, with the value it promises, and not an inch earlier."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.types import Frame
from tests.scene.layouts import LEVEL, SIGMA, lengths, said, stated, thing, value

CONFIG = RelationConfig()
PAST = CONFIG.confidence_sigmas * math.hypot(SIGMA, SIGMA)  # beyond its margin that a difference must be
HAIR = 1e-5


def both(predicate, *objects, config=CONFIG):
    return said(stated(*objects, config=config), predicate)


@pytest.mark.parametrize(
    ("predicate", "margin", "second"),
    [
        (Predicate.LEFT_OF, CONFIG.lateral_margin, lambda d: thing("b", right=d)),
        (Predicate.IN_FRONT_OF, CONFIG.depth_margin, lambda d: thing("b", forward=1.0 + d)),
        (Predicate.SHORTER_THAN, CONFIG.height_margin, lambda d: thing("b", size=(0.1, 0.1, 0.1 + d))),
        (Predicate.CLOSER_THAN, CONFIG.distance_margin, lambda d: thing("b", bottom=-0.05, forward=1.0 + d)),
        (Predicate.FAR, CONFIG.far_distance, lambda d: thing("b", bottom=d)),
    ],
)
def test_a_difference_must_pass_its_margin_by_its_uncertainty(predicate, margin, second):
    first = thing("a", bottom=-0.05) if predicate is Predicate.CLOSER_THAN else thing("a")
    inside = stated(first, second(margin + PAST - HAIR))
    assert ("a", "b") not in said(inside, predicate)
    beyond = stated(first, second(margin + PAST + HAIR))
    found = value(beyond, predicate, "a", "b")
    assert found.value == pytest.approx(margin + PAST + HAIR)
    assert found.unit == "m"
    assert found.sigma == pytest.approx(math.hypot(SIGMA, SIGMA))
    assert found.confidence == pytest.approx(0.8413 if CONFIG.confidence_sigmas == 1.0 else found.confidence, abs=0.01)


def test_what_is_inside_the_margin_is_counted():
    """One pair that differs in nothing: five orders, far and near by their middles, and no more."""
    alone, two = stated(thing("a")), stated(thing("a"), thing("b", bottom=0.45))
    assert alone.abstentions == 0
    # Left, front, height, size and nothing else: it is farther by centimetres, and neither near nor far.
    assert two.abstentions == 4
    assert not said(two, Predicate.NEAR) | said(two, Predicate.FAR)


def test_left_and_front_compare_centres_in_the_levelled_view():
    found = stated(thing("a", right=-0.2, forward=1.5), thing("b", right=0.1, forward=1.0))
    assert value(found, Predicate.LEFT_OF, "a", "b").value == pytest.approx(0.3)
    assert value(found, Predicate.BEHIND, "a", "b").value == pytest.approx(0.5)
    assert value(found, Predicate.LEFT_OF, "a", "b").frame is Frame.VIEWER


def test_heights_are_the_objects_own_not_how_high_they_stand():
    found = stated(thing("low", size=(0.1, 0.1, 0.2)), thing("high", bottom=0.5, size=(0.1, 0.1, 0.1)))
    assert said(found, Predicate.TALLER_THAN) == {("low", "high")}
    assert value(found, Predicate.TALLER_THAN, "low", "high").value == pytest.approx(0.1)


def test_bigger_compares_longest_sides_by_their_ratio():
    found = stated(thing("a", size=(0.3, 0.1, 0.1)), thing("b", size=(0.1, 0.1, 0.15)))
    ratio = value(found, Predicate.BIGGER_THAN, "a", "b")
    assert ratio.value == pytest.approx(2.0)
    assert ratio.unit == "1"
    almost = CONFIG.size_ratio * 0.999
    assert not both(Predicate.BIGGER_THAN, thing("a", size=(0.1 * almost, 0.05, 0.05)), thing("b"))


def test_what_the_image_cuts_is_at_least_as_big_as_seen():
    big, small = thing("big", size=(0.3, 0.1, 0.1)), thing("small")
    assert both(Predicate.BIGGER_THAN, replace(big, truncated=True), small) == {("big", "small")}
    assert both(Predicate.BIGGER_THAN, big, replace(small, truncated=True)) == set()


def test_closer_is_by_the_distance_of_the_centres_from_the_camera():
    found = stated(thing("a", forward=1.0, bottom=-0.05), thing("b", right=0.6, forward=0.8, bottom=-0.05))
    assert not said(found, Predicate.CLOSER_THAN)  # both 1 m away
    assert said(found, Predicate.BEHIND) == {("a", "b")}


def test_near_and_far_leave_a_gap_between_them():
    middle = (CONFIG.near_distance + CONFIG.far_distance) / 2
    assert both(Predicate.NEAR, thing("a"), thing("b", right=CONFIG.near_distance - 0.01)) == {("a", "b"), ("b", "a")}
    found = stated(thing("a"), thing("b", right=middle))
    assert not said(found, Predicate.NEAR) | said(found, Predicate.FAR)
    assert value(found, Predicate.CENTER_DISTANCE, "a", "b").value == pytest.approx(middle)


def test_on_means_resting_with_the_middle_over_what_carries():
    table_high = 0.1
    base = thing("base", size=(0.3, 0.2, table_high))
    for play in (-0.01, 0.0, 0.01):
        found = stated(base, thing("cup", bottom=table_high + play, right=0.1))
        assert said(found, Predicate.ON) == {("cup", "base")}
        assert said(found, Predicate.UNDER) == {("base", "cup")}
        assert said(found, Predicate.ABOVE) == {("cup", "base")}
        assert said(found, Predicate.TOUCHING) == {("cup", "base"), ("base", "cup")}
        assert value(found, Predicate.ON, "cup", "base").value == pytest.approx(play)
    assert not both(Predicate.ON, base, thing("cup", bottom=table_high, right=0.21))  # its middle is beside
    assert not both(Predicate.ON, base, thing("cup", bottom=table_high, right=0.5))


def test_a_wide_thing_is_carried_by_a_narrow_one():
    tray = thing("tray", bottom=0.1, size=(0.4, 0.3, 0.03))
    assert both(Predicate.ON, tray, thing("can", size=(0.06, 0.06, 0.1))) == {("tray", "can")}


def test_above_without_contact():
    found = stated(thing("base", size=(0.3, 0.2, 0.1)), thing("lamp", bottom=0.4))
    assert said(found, Predicate.ABOVE) == {("lamp", "base")}
    assert said(found, Predicate.BELOW) == {("base", "lamp")}
    assert value(found, Predicate.ABOVE, "lamp", "base").value == pytest.approx(0.3)
    assert not said(found, Predicate.ON) | said(found, Predicate.TOUCHING)


def test_above_needs_a_shared_footprint():
    base = thing("base", size=(0.2, 0.2, 0.1))
    share = CONFIG.above_overlap
    over = thing("over", bottom=0.3, right=0.15 - 0.1 * share - 0.005)
    beside = thing("over", bottom=0.3, right=0.15 - 0.1 * share + 0.005)
    assert both(Predicate.ABOVE, base, over) == {("over", "base")}
    assert both(Predicate.ABOVE, base, beside) == set()


def test_side_by_side_is_neither_on_nor_above():
    found = stated(thing("a"), thing("b", right=0.1))
    assert not said(found, Predicate.ON) | said(found, Predicate.ABOVE) | said(found, Predicate.INSIDE)
    assert value(found, Predicate.DISTANCE, "a", "b").value == pytest.approx(0.0, abs=1e-9)


def test_inside_needs_a_cavity():
    apple = thing("apple", bottom=0.01, size=(0.07, 0.07, 0.07))
    box = thing("box", size=(0.25, 0.2, 0.1))
    found = stated(apple, replace(box, hollow=True))
    assert said(found, Predicate.INSIDE) == {("apple", "box")}
    assert said(found, Predicate.CONTAINS) == {("box", "apple")}
    assert said(found, Predicate.TOUCHING) == {("apple", "box"), ("box", "apple")}
    assert not said(found, Predicate.ON) | said(found, Predicate.ABOVE)
    assert value(found, Predicate.INSIDE, "apple", "box").value == pytest.approx(0.09)  # how deep under the rim
    assert not both(Predicate.INSIDE, apple, box)


def test_what_is_too_wide_or_too_high_is_not_inside():
    bowl = thing("bowl", size=(0.2, 0.2, 0.1), hollow=True)
    assert not both(Predicate.INSIDE, bowl, thing("lid", bottom=0.09, size=(0.2, 0.2, 0.02)))
    assert both(Predicate.ON, bowl, thing("lid", bottom=0.09, size=(0.2, 0.2, 0.02))) == {("lid", "bowl")}
    assert not both(Predicate.INSIDE, bowl, thing("wide", bottom=0.01, size=(0.19, 0.19, 0.05)))


def test_what_is_not_sunk_deep_enough_lies_on_it():
    plate = thing("plate", size=(0.25, 0.25, 0.02), hollow=True)
    found = stated(plate, thing("apple", bottom=0.005, size=(0.07, 0.07, 0.07)))
    assert said(found, Predicate.ON) == {("apple", "plate")}
    assert not said(found, Predicate.INSIDE)
    limit = thing("bowl", size=(0.25, 0.25, CONFIG.contact_margin + 0.005), hollow=True)
    assert not said(stated(limit, thing("apple", bottom=0.005)), Predicate.INSIDE) | both(
        Predicate.ON, limit, thing("apple", bottom=0.005)
    )


def test_between_is_by_the_distance_from_the_line():
    ends = thing("a", right=-0.3), thing("c", right=0.3)
    allowed = CONFIG.between_share * 0.6
    found = stated(*ends, thing("b", forward=1.05))
    assert said(found, Predicate.BETWEEN) == {("b", "a", "c")}
    assert value(found, Predicate.BETWEEN, "b", "a", "c").value == pytest.approx(0.05)
    assert not both(Predicate.BETWEEN, *ends, thing("b", forward=1.0 + allowed))
    assert not both(Predicate.BETWEEN, *ends, thing("b", right=0.25))
    assert not both(Predicate.BETWEEN, *ends, thing("b", right=0.4))
    close = thing("a", right=-CONFIG.between_least / 2.1), thing("c", right=CONFIG.between_least / 2.1)
    assert not both(Predicate.BETWEEN, *close, thing("b"))
    # Every limit must be passed by the uncertainty: that of the place between the two as well.
    assert both(Predicate.BETWEEN, *ends, thing("b", right=0.178))
    assert not both(Predicate.BETWEEN, *ends, thing("b", right=0.1795))


@pytest.mark.parametrize("turn", [0.0, math.pi, -math.pi])
def test_aligned_is_about_length_axes(turn):
    pen, ruler = (
        thing("pen", size=(0.15, 0.02, 0.02)),
        thing("ruler", right=0.3, size=(0.3, 0.03, 0.01), heading=0.1 + turn),
    )
    found = stated(pen, ruler)
    assert said(found, Predicate.ALIGNED) == {("pen", "ruler"), ("ruler", "pen")}
    assert value(found, Predicate.ALIGNED, "pen", "ruler").value == pytest.approx(0.1)
    assert value(found, Predicate.ALIGNED, "pen", "ruler").unit == "rad"


def test_what_is_square_cut_or_across_is_not_aligned():
    pen = thing("pen", size=(0.15, 0.02, 0.02))
    assert not both(Predicate.ALIGNED, pen, thing("cube", right=0.3))
    assert not both(Predicate.ALIGNED, pen, thing("rod", right=0.3, size=(0.2, 0.02, 0.02), heading=math.pi / 2))
    assert not both(Predicate.ALIGNED, pen, thing("rod", right=0.3, size=(0.2, 0.02, 0.02), truncated=True))


def test_what_is_barely_long_enough_has_no_direction():
    ruler = thing("ruler", forward=1.2, size=(0.15, 0.02, 0.02))
    almost = thing("box", size=(0.1 * CONFIG.elongation + 0.001, 0.1, 0.1))
    assert not both(Predicate.ALIGNED, ruler, almost)
    assert both(Predicate.ALIGNED, ruler, replace(almost, size_sigma=np.full(3, 1e-4)))


def test_facing_is_by_the_front_alone():
    ahead = LEVEL @ np.array([0.0, 1.0, 0.0])
    robot, other = thing("robot", front=ahead), thing("other", right=0.05, forward=1.5)
    found = stated(robot, other)
    assert said(found, Predicate.FACING) == {("robot", "other")}
    statement = value(found, Predicate.FACING, "robot", "other")
    assert statement.value == pytest.approx(math.atan2(0.05, 0.5))
    assert statement.frame is Frame.OBJECT
    assert not both(Predicate.FACING, robot, thing("other", forward=0.5))


@pytest.mark.parametrize(
    ("right", "forward", "bearing", "hour"),
    [
        (0.0, 1.0, 0.0, 12),
        (1.0, 0.0, -math.pi / 2, 3),
        (-1.0, 0.0, math.pi / 2, 9),
        (0.0, -1.0, math.pi, 6),
        (0.5, math.sqrt(3) / 2, -math.pi / 6, 1),
        (-0.5, math.sqrt(3) / 2, math.pi / 6, 11),
        (1.0, 1.0 + 1e-9, -math.pi / 4, 1),
        (1.0 + 1e-9, 1.0, -math.pi / 4, 2),
    ],
)
def test_bearing_is_positive_to_the_left_and_clocks_go_to_the_right(right, forward, bearing, hour):
    found = stated(thing("a", right=right, forward=forward))
    turned = value(found, Predicate.BEARING, "a").value
    assert math.remainder(turned - bearing, 2 * math.pi) == pytest.approx(0.0, abs=1e-6)
    assert value(found, Predicate.CLOCK_DIRECTION, "a").value == hour


def test_properties_are_those_of_the_box():
    found = stated(thing("a", forward=2.0, bottom=-0.1, size=(0.3, 0.1, 0.2)))
    assert value(found, Predicate.HEIGHT, "a").value == pytest.approx(0.2)
    assert value(found, Predicate.SIZE, "a").value == pytest.approx(0.3)
    assert value(found, Predicate.CAMERA_DISTANCE, "a").value == pytest.approx(2.0)
    assert all(math.isnan(r.confidence) for r in found.stated)


@settings(max_examples=150)
@given(
    st.tuples(lengths(-0.5, 0.5), lengths(0.5, 1.5), lengths(-0.5, 0.5)),
    st.tuples(lengths(0.02, 0.4), lengths(0.02, 0.4), lengths(0.02, 0.4)),
    lengths(-1.5, 1.5),
)
def test_the_distance_is_that_of_the_closest_points(at, size, heading):
    first = thing("a", size=(0.2, 0.1, 0.15), heading=0.3)
    second = thing("b", *at, size=size, heading=heading)
    published = value(stated(first, second), Predicate.DISTANCE, "a", "b").value
    assert published == pytest.approx(closest(first.obb, second.obb), abs=1e-4)


def closest(one, other):
    """The distance of two boxes by alternating projections between the convex sets (it converges to the distance)."""
    point = one.center
    for _ in range(3000):
        before = point
        across = other.rotation @ np.clip(other.rotation.T @ (point - other.center), -other.size / 2, other.size / 2)
        point = one.rotation @ np.clip(
            one.rotation.T @ (across + other.center - one.center), -one.size / 2, one.size / 2
        )
        point = point + one.center
        if np.abs(point - before).max() < 1e-9:
            break
    return float(np.linalg.norm(point - across - other.center))


def test_what_has_no_known_height_is_not_compared_by_it():
    """An object remembered from a frame whose gravity was unknown."""
    unknown = thing("old", bottom=0.1, height=math.nan, height_sigma=math.nan)
    found = stated(unknown, thing("base"), thing("tall", right=0.3, size=(0.1, 0.1, 0.3)))
    assert all(math.isfinite(r.value) and math.isfinite(r.sigma) for r in found.stated)
    assert not {who for who in said(found, Predicate.TALLER_THAN) if "old" in who}
    assert ("base", "old") in said(found, Predicate.IN_FRONT_OF) | said(found, Predicate.NEAR)


def test_two_things_in_one_place_are_not_on_each_other():
    """One object detected twice: neither carries the other."""
    one, other = (thing(name, size=(0.2, 0.2, 0.012)) for name in "ab")
    assert not both(Predicate.ON, one, other) | both(Predicate.ABOVE, one, other) | both(Predicate.INSIDE, one, other)


def test_nothing_is_said_of_nothing():
    found = stated()
    assert found.stated == ()
    assert found.abstentions == 0

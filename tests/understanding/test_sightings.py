"""What of all that windows show is a thing of its own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.understanding.sightings import SIGNS, Sighting, signs_of, told_apart

MUG, RED = np.array([1.0, 0.0]), np.array([1.0, 0.0, 0.0])
BOX, BLUE = np.array([0.0, 1.0]), np.array([0.0, 0.0, 1.0])
SEEN = Sighting((0.2, 0.2, 0.4, 0.5), sure=6.0, seen=5.0, windows=6.0, kinds=MUG, colors=RED)
AGAIN = replace(SEEN, box=(0.22, 0.2, 0.42, 0.44), sure=2.5, seen=1.5, windows=3.0)  # overlaps it by 0.64
HALF_HIDDEN = replace(AGAIN, box=(0.3, 0.3, 0.5, 0.5), sure=4.0, kinds=BOX, colors=BLUE)  # by 0.25


def test_one_thing_that_is_seen_twice_is_one():
    assert told_apart([AGAIN, SEEN]) == [SEEN.box]


def test_things_beside_each_other_are_two():
    other = replace(AGAIN, box=(0.6, 0.2, 0.8, 0.5))
    assert told_apart([other, SEEN]) == [SEEN.box, other.box]


def test_what_another_kind_and_colour_overlaps_may_be_a_thing_of_its_own():
    assert told_apart([HALF_HIDDEN, SEEN]) == [SEEN.box, HALF_HIDDEN.box]
    assert told_apart([replace(HALF_HIDDEN, kinds=MUG, colors=RED), SEEN]) == [SEEN.box]


def test_what_nothing_is_sure_of_is_none():
    assert told_apart([replace(SEEN, sure=-2.0, seen=-1.0, windows=0.2)]) == []


def test_nothing_is_told_apart_where_nothing_is_seen():
    assert told_apart([]) == []


def test_signs_are_held_against_the_worst_of_the_surer_ones():
    signs = dict(zip(SIGNS, signs_of(AGAIN, [HALF_HIDDEN, SEEN]), strict=True))
    alone = dict(zip(SIGNS, signs_of(AGAIN, [SEEN]), strict=True))
    assert alone["overlap"] == alone["overlap alike"] > 0.6
    assert signs == alone
    unlike = dict(zip(SIGNS, signs_of(AGAIN, [HALF_HIDDEN]), strict=True))
    assert unlike["covered"] > 0.0 and unlike["overlap alike"] == unlike["covered alike"] == 0.0


def test_what_cannot_be_named_is_less_sure_to_be_a_thing():
    unsure = replace(SEEN, kinds=np.array([0.4, 0.6]))
    signs = dict(zip(SIGNS, signs_of(unsure, []), strict=True))
    assert signs["named"] == pytest.approx(np.log(0.6)) and SIGNS["named"] > 0.0
    assert signs["wide"] == pytest.approx(np.log(0.2)) and signs["seen"] == 5.0
    assert np.isfinite(signs_of(replace(SEEN, box=(0.4, 0.2, 0.4, 0.2), kinds=np.zeros(2)), [SEEN])).all()


def test_of_what_is_as_sure_that_comes_first_which_more_windows_show():
    other = replace(SEEN, box=(0.6, 0.2, 0.8, 0.5), windows=7.0)
    assert told_apart([SEEN, other]) == told_apart([other, SEEN]) == [other.box, SEEN.box]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_order_says_nothing_and_none_is_made_up(seed, count):
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(count):
        (x0, x1), (y0, y1) = np.sort(random.random((2, 2))).tolist()
        shares = random.dirichlet(np.ones(4)), random.dirichlet(np.ones(3))
        seen.append(Sighting((x0, y0, x1, y1), *random.normal(0, 4, 2).tolist(), random.uniform(0, 8), *shares))
    kept = told_apart(seen)
    assert set(kept) <= {each.box for each in seen} and len(set(kept)) == len(kept)
    assert kept == told_apart([seen[place] for place in random.permutation(count)])

"""What of two listings follows how a camera moved."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.training.mllm.motion_evidence import motion_evidence
from tests.training.test_evidence import BALL, BOX, MUG


def test_a_motion_shows_in_what_both_views_name_and_the_furthest_way_stands_last():
    moved = {"right": 0.12, "up": 0.04, "forward": 0.0, "turned left": 0.0}
    second = [replace(MUG, right=-0.08, below=0.44), replace(BALL, kind="tray")]
    quotes, follows = motion_evidence([MUG, BOX, BALL], second, moved)
    mug = " x40 y50 r54 a41 y18 x40 y50 r42 a41 y22 x50 y50 r38 a50 y54"
    assert quotes == f" x15 box blue x40 mug red{mug} x75 ball green"
    assert follows == " y54 y24 r56 y48 a50 x50 r56\n", "steps of 2 cm, 50 is no way"
    assert motion_evidence([], [BOX], {"backward": 0.3, "turned right": 0.4}) == ("", " r50 y50 a35 x70 x70\n")


def test_a_turn_shows_in_the_way_between_two_things():
    quotes, follows = motion_evidence([BOX, MUG], [replace(BOX, right=0.2, ahead=0.6), replace(MUG, right=0.48)], {})
    assert len(re.findall(r" r\d\d", quotes)) == 6 and " w" not in quotes
    first, second = " r40 a30 r54 a41 r57 a61 x79", " r70 a30 r98 a41 r64 a61 x69"
    middles = " r47 a36 r84 a36"
    assert follows.startswith(f"{first}{second} x40 x40{middles}"), "58 and 38 degrees to the front of the right"


@given(st.floats(-0.4, 0.4), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-0.1, 0.2))
def test_turn_and_way_are_those_of_the_camera(turn, right, ahead, up):
    def again(entry):
        x, y = entry.right - right, entry.ahead - ahead
        there = {"right": math.cos(turn) * x - math.sin(turn) * y, "ahead": math.sin(turn) * x + math.cos(turn) * y}
        return replace(entry, **there, **seen_from(height + up, x, y))

    def seen_from(above, x, y):
        return {"distance": math.hypot(x, y, above), "below": above}

    height = 0.5
    first = [
        replace(each, right=right, **seen_from(height, right, each.ahead))
        for each, right in ((BOX, -0.16), (MUG, 0.02), (BALL, 0.16))
    ]
    numbers = re.findall(r" ([a-z])(\d\d)", motion_evidence(first, [again(entry) for entry in first], {})[1])
    found = [(int(number) - (field != "a") * 50) for field, number in numbers]
    for turned, most in zip(found[14:16], (6.0, 4.0), strict=True):
        assert abs(math.radians(2 * turned) - turn) < math.radians(most)
    r, a = found[22], found[23] - 50
    assert abs(r * 0.02 - right) < 0.05 and abs(a * 0.02 - ahead) < 0.03
    assert abs(found[24] * 0.02 - up) < 0.03


@pytest.mark.parametrize("twice_at_first", [True, False])
def test_things_with_one_name_do_not_say_how_far_they_shift(twice_at_first):
    other = replace(BOX, box=(0.5, 0.2, 0.6, 0.4), ahead=0.8)
    views = ([BOX, MUG, other], [BOX, MUG]) if twice_at_first else ([BOX, MUG], [other, BOX, MUG])
    quotes, _ = motion_evidence(*views, {})
    mug = " x40 y50 r54 a41 y18"
    last = " x55 box blue" if twice_at_first else ""
    assert quotes == f" x15 box blue x40 mug red{mug}{mug} x50 y50 r50 a50 y50{last}"


@given(st.floats(-0.2, 0.2), st.floats(-0.15, 0.15))
def test_of_a_step_to_the_side_the_lowest_thing_shifts_most_and_of_a_turn_all_alike(step, turn):
    def again(entry, down):
        x0, y0, x1, y1 = entry.box
        by = step / down + turn
        return replace(entry, box=(x0 + by, y0, x1 + by, y1))

    first = [
        replace(each, box=(x, y, x + 0.1, y + 0.1))
        for each, x, y in ((BOX, 0.4, 0.7), (MUG, 0.5, 0.2), (BALL, 0.3, 0.5))
    ]
    nearness = [0.8, 1.6, 1.1]
    follows = motion_evidence(first, [again(*each) for each in zip(first, nearness, strict=True)], {})[1]
    low, by_low, high, by_high, lower, more = map(
        int, re.search(r" w\d\d y(\d+) x(\d+) y(\d+) x(\d+) y(\d+) x(\d+) r", follows).groups()
    )
    assert (low, high, lower) == (75, 25, 50)
    assert (
        abs(by_low - 50 - 100 * (step / 0.8 + turn)) <= 1.01 and abs(by_high - 50 - 100 * (step / 1.6 + turn)) <= 1.01
    )
    assert more - 50 == by_low - by_high


@given(st.floats(0.7, 1.4), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
def test_how_far_things_spread_out_does_not_depend_on_where_they_shift_to(factor, x, y):
    def again(entry):
        x0, y0, x1, y1 = (0.5 + factor * (share - 0.5) for share in entry.box)
        return replace(entry, box=(x0 + x, y0 + y, x1 + x, y1 + y))

    first = [BOX, MUG, BALL]
    follows = motion_evidence(first, [again(entry) for entry in first], {})[1]
    before, after, growth = (int(number) for number in re.findall(r" w(\d\d)", follows))
    assert before == 62 and abs(after - factor * 62) < 3.0, "21.1 and 10 hundredths beside and above, in halves"
    assert abs(growth - 50 - 100 * math.log(factor)) < 5.0
    shift_x, shift_y = re.search(r" x(\d\d) y(\d\d) w", follows).groups()
    moved = 100 * ((factor - 1.0) * (np.array([1.3, 1.05]) / 3 - 0.5) + (x, y))
    assert np.abs(np.array([int(shift_x), int(shift_y)]) - 50 - moved).max() < 1.2

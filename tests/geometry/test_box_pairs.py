"""Boxes of two lists that are of one thing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.geometry.box_pairs import pair_boxes
from joyai_ros.geometry.boxes import box2d_iou

LEFT, RIGHT, FAR = (0.0, 0.0, 4.0, 4.0), (3.0, 0.0, 7.0, 4.0), (20.0, 20.0, 24.0, 24.0)


@st.composite
def boxes(draw):
    x, y = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    return float(x), float(y), float(x + draw(st.integers(1, 8))), float(y + draw(st.integers(1, 8)))


LISTS = st.lists(st.none() | boxes(), max_size=4)


@given(LISTS, LISTS, st.sampled_from([0.1, 0.3, 0.5]))
def test_no_other_pairs_overlap_more_in_sum(first, second, least):
    def overlap(i, j):
        shared = box2d_iou(first[i], second[j]) if first[i] and second[j] else 0.0
        return shared if shared >= least else 0.0

    pairs = pair_boxes(first, second, least)
    assert all(overlap(i, j) > 0.0 for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    few, many = sorted((range(len(first)), range(len(second))), key=len)
    swapped = len(first) > len(second)
    best = max(
        sum(overlap(*((j, i) if swapped else (i, j))) for i, j in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )
    assert sum(overlap(i, j) for i, j in pairs) == pytest.approx(best)


def test_what_overlaps_too_little_has_no_partner():
    assert pair_boxes([FAR, LEFT], [RIGHT, LEFT], 0.5) == [(1, 1)]
    assert pair_boxes([LEFT], [RIGHT], 0.2) == []
    assert pair_boxes([LEFT, None], [], 0.3) == pair_boxes([], [LEFT], 0.3) == []

"""What stands on what, from how it looks, where its box is and the lengths that were worked out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.understanding.stacks import stacked

BOX, MUG, BOWL = (0.3, 0.4, 0.6, 0.8), (0.4, 0.2, 0.5, 0.5), (0.7, 0.5, 0.9, 0.7)
BOXES = [BOX, MUG, BOWL]
BELOW, HEIGHTS = np.array([0.45, 0.36, 0.47]), np.array([0.1, 0.08, 0.06])  # the mug's foot is 10 cm above the others
UNSURE = np.full(3, 0.3)


def test_a_mug_stands_on_a_box():
    likely, under = stacked(BOXES, BELOW, HEIGHTS, UNSURE)
    assert likely[1] > 0.5 and likely[0] == likely[2] == 0.0
    assert under.tolist() == [0, 0, 2]


def test_all_that_is_known_says_something_of_it():
    (_, at_first, _), _ = stacked(BOXES, BELOW, HEIGHTS, UNSURE)
    on_table = np.add(BELOW, (0, 0.1, 0))
    behind, beside = (0.4, 0.15, 0.5, 0.41), (0.55, 0.2, 0.65, 0.5)
    for boxes, below, looks in (
        (BOXES, BELOW, np.array([0.3, 0.05, 0.3])),
        (BOXES, on_table, UNSURE),
        ([BOX, behind, BOWL], BELOW, UNSURE),
        ([BOX, beside, BOWL], BELOW, UNSURE),
    ):
        assert 0.0 < stacked(boxes, below, HEIGHTS, looks)[0][1] < at_first


@given(st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_the_order_of_things_says_nothing(seed, count):
    random = np.random.default_rng(seed)
    corners = np.sort(random.random((count, 2, 2)), axis=1).reshape(count, 4)
    below, heights, looks = random.uniform(-1, 2, count), random.uniform(0, 0.5, count), random.random(count)
    order = random.permutation(count)
    likely, under = stacked([tuple(box) for box in corners], below, heights, looks)
    again = stacked([tuple(box) for box in corners[order]], below[order], heights[order], looks[order])
    assert ((likely >= 0) & (likely <= 1)).all()
    np.testing.assert_allclose(likely[order], again[0], atol=1e-9)
    np.testing.assert_array_equal(under[order], order[again[1]])


@given(
    st.lists(
        st.tuples(*[st.floats(0, 1)] * 4, st.floats(-1, 2), st.floats(0, 0.5), st.floats(0, 1)), min_size=1, max_size=16
    )
)
def test_whatever_is_said_it_stays_a_likelihood(said):
    boxes = [(min(a, b), min(c, d), max(a, b), max(c, d)) for a, b, c, d, *_ in said]
    likely, under = stacked(boxes, *np.array(said)[:, 4:].T)
    assert ((likely >= 0) & (likely <= 1)).all() and set(under) <= set(range(len(said)))


def test_a_thing_alone_stands_on_the_ground():
    likely, _ = stacked([MUG], BELOW[:1], HEIGHTS[:1], np.array([0.9]))
    assert likely[0] == 0.0

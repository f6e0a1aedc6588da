"""What holds of every stated set, whatever the objects: no contradiction, converses, order, and whose view it is."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.scene_checks import WITHOUT_GRAVITY, contradictions
from joyai_ros.geometry import rigid
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import CONVERSE, SYMMETRIC, VIEWER_FRAME, Predicate, frame_of
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import Frame, SpatialRelation
from tests.scene.layouts import SIGMA, UP, facts, lengths, moved, said, scenes, stated, thing

many = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
some = settings(many, max_examples=80)
HEADINGS = {Predicate.BEARING, Predicate.CLOCK_DIRECTION}
ORDERS = (
    Predicate.LEFT_OF,
    Predicate.IN_FRONT_OF,
    Predicate.TALLER_THAN,
    Predicate.BIGGER_THAN,
    Predicate.CLOSER_THAN,
)


@st.composite
def settings_in_range(draw):
    near = draw(lengths(0.0, 1.0))
    return RelationConfig(
        confidence_sigmas=draw(st.sampled_from((0.0, 1.0, 3.0))),
        lateral_margin=draw(lengths(0.0, 0.1)),
        depth_margin=draw(lengths(0.0, 0.1)),
        height_margin=draw(lengths(0.0, 0.1)),
        distance_margin=draw(lengths(0.0, 0.1)),
        size_ratio=draw(lengths(1.0, 2.0)),
        contact_margin=draw(lengths(0.001, 0.2)),
        above_overlap=draw(lengths(0.01, 1.0)),
        near_distance=near,
        far_distance=near + draw(lengths(0.0, 1.0)),
    )


@many
@given(scenes(), st.booleans(), st.one_of(st.just(RelationConfig()), settings_in_range()))
def test_a_stated_set_never_contradicts_itself(objects, gravity, config):
    found = relate(objects, UP if gravity else None, config)
    assert contradictions(found.stated, {o.id for o in objects}, gravity) == []
    assert found.abstentions >= 0


@many
@given(scenes())
def test_converses_are_stated_in_pairs_with_one_value(objects):
    found = stated(*objects)
    by_fact = {(r.predicate, r.subject, *r.objects): r for r in found.stated}
    assert len(by_fact) == len(found.stated)  # nothing twice
    for r in found.stated:
        back = r.predicate if r.predicate in SYMMETRIC else CONVERSE.get(Predicate(r.predicate))
        if back is not None and len(r.objects) == 1:
            other = by_fact[Predicate(back).value, r.objects[0], r.subject]
            assert (other.value, other.unit, other.sigma) == (r.value, r.unit, r.sigma)


@many
@given(scenes(most=7))
def test_orders_are_transitive_and_never_both_ways(objects):
    found = stated(*objects)
    for predicate in ORDERS:
        pairs = said(found, predicate)
        assert pairs == {(b, a) for a, b in said(found, CONVERSE[predicate])}
        assert not pairs & {(b, a) for a, b in pairs}
        for a, b in pairs:
            assert {(a, c) for d, c in pairs if d == b} <= pairs


@some
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_the_objects_does_not_matter(objects, random):
    shuffled = list(objects)
    random.shuffle(shuffled)
    assert facts(stated(*objects)) == facts(stated(*shuffled))


@some
@given(scenes(), lengths(-3.1, 3.1), st.tuples(lengths(-2, 2), lengths(-2, 2), lengths(-2, 2)))
def test_what_holds_in_the_world_holds_for_a_viewer_elsewhere(objects, yaw, shift):
    """Nothing outside the viewer's frame changes when the viewer turns about the vertical and moves."""
    objects = tuple(thing_alike(o) for o in objects)
    seen = moved(objects, rigid.axis_angle(UP, yaw), np.array(shift))
    here, there = stated(*objects), stated(*seen)
    assert_alike(here.stated, there.stated, lambda predicate: predicate not in VIEWER_FRAME)


@some
@given(scenes(), lengths(0.2, 3.0))
def test_left_and_right_do_not_change_with_the_camera_height(objects, down):
    objects = tuple(thing_alike(o) for o in objects)
    lowered = moved(objects, np.eye(3), UP * down)
    here, there = stated(*objects), stated(*lowered)
    distances = {Predicate.CLOSER_THAN, Predicate.FARTHER_THAN, Predicate.CAMERA_DISTANCE}
    assert_alike(here.stated, there.stated, lambda predicate: predicate not in distances)


@some
@given(scenes(), lengths(-1.2, 0.5))
def test_the_viewer_is_levelled(objects, tilt):
    """A camera that looks further down (turned about its own x axis, gravity known) says the same of the same world."""
    turn = rigid.axis_angle(np.array([1.0, 0.0, 0.0]), tilt)
    objects = tuple(thing_alike(o) for o in objects)
    here, there = stated(*objects), stated(*moved(objects, turn, np.zeros(3)), up=turn @ UP)
    assert_alike(here.stated, there.stated, lambda predicate: True)


@some
@given(scenes())
def test_seen_from_the_other_side_left_is_right(objects):
    objects = tuple(thing_alike(o) for o in objects)
    center = np.array([0.0, 0.0, 1.0])
    turn = rigid.axis_angle(UP, math.pi)
    here, there = stated(*objects), stated(*moved(objects, turn, center - turn @ center))
    for one, other in ((Predicate.LEFT_OF, Predicate.RIGHT_OF), (Predicate.IN_FRONT_OF, Predicate.BEHIND)):
        close = boundary(here.stated, one) | boundary(there.stated, other)
        assert said(here, one) - close == said(there, other) - close


@some
@given(scenes())
def test_without_gravity_only_what_needs_none_is_stated(objects):
    found = stated(*objects, up=None)
    assert {Predicate(r.predicate) for r in found.stated} <= WITHOUT_GRAVITY
    # What needs no gravity does not change with it.
    known = {fact for fact in facts(stated(*objects)) if Predicate(fact[0]) in WITHOUT_GRAVITY}
    assert facts(found) == known


@some
@given(scenes(), st.floats(1.5, 5.0))
def test_more_doubt_never_adds_a_statement(objects, factor):
    surer = stated(*objects)
    doubtful = stated(*objects, config=RelationConfig(confidence_sigmas=factor))
    assert facts(doubtful) <= facts(surer)


@some
@given(scenes())
def test_frames_units_and_confidence(objects):
    units = {"m", "rad", "h", "1"}
    for r in stated(*objects).stated:
        assert r.frame is frame_of(Predicate(r.predicate))
        assert r.unit in units
        assert math.isnan(r.confidence) or 0.5 <= r.confidence <= 1.0
        assert (r.frame is Frame.OBJECT) == (r.predicate == Predicate.FACING.value)


@some
@given(scenes(most=5))
def test_every_ordered_comparison_is_stated_or_counted(objects):
    """Of n objects each order compares n (n - 1) / 2 pairs: what is not stated is an abstention."""
    n = len(objects)
    config = RelationConfig(near_distance=0.0, far_distance=100.0, between_least=10.0)
    apart = [
        thing(f"o{k}", right=2.0 * k, size=tuple(o.obb.size), height_sigma=o.height_sigma)
        for k, o in enumerate(objects)
    ]
    found = relate(tuple(apart), UP, config)
    compared = sum(len(said(found, predicate)) for predicate in ORDERS)
    elongated = [o for o in apart if o.obb.size[0] > config.elongation * o.obb.size[1]]
    assert compared + found.abstentions <= 5 * n * (n - 1) // 2 + len(elongated) ** 2
    assert compared + found.abstentions >= 5 * n * (n - 1) // 2


def thing_alike(item):
    """The object with an uncertainty that is alike in all directions, so that turning the frame does not change it.

    None is without doubt, so that no statement hangs on the last bit of a value that equals its margin.
    """
    spread = np.full(3, max(float(item.center_sigma[0]), SIGMA))
    return replace(item, center_sigma=spread, height_sigma=max(item.height_sigma, SIGMA))


def boundary(relations: tuple[SpatialRelation, ...], predicate: Predicate) -> set[tuple[str, ...]]:
    """Pairs whose statement hangs on less than rounding."""
    return {(r.subject, *r.objects) for r in relations if r.predicate == predicate.value and r.confidence < 0.8414}


def assert_alike(here, there, counts):
    """The same statements with the same values, but for those at the very edge of their margin."""
    one = {(r.predicate, r.subject, *r.objects): r for r in here if counts(Predicate(r.predicate))}
    other = {(r.predicate, r.subject, *r.objects): r for r in there if counts(Predicate(r.predicate))}
    for fact in one.keys() ^ other.keys():
        found = one.get(fact) or other[fact]
        assert found.confidence < 0.8414, fact  # one standard deviation past its margin is 0.84134
    for fact in one.keys() & other.keys():
        np.testing.assert_allclose(one[fact].value, other[fact].value, atol=1e-6, err_msg=str(fact))

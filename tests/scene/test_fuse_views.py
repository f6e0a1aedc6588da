"""Which views of an object are kept, and what their fusion is said to be worth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.scene.fuse_sigma import fuse_sigma
from joyai_ros.scene.fuse_views import MAX_VIEWS, KeyView, KeyViews, joined
from joyai_ros.scene.occlusion import Occlusion
from tests.scene.layouts import lengths
from tests.scene.stage import SMALL

FLOOR = np.array([0.0018, 0.0018, 0.0012])  # metres of length, width, height that no number of views removes
CENTER_FLOOR = 0.0009


def view_from(degrees: float, pixels: int = 500, whole: bool = True, sigma: float = 0.003, points: int = 50) -> KeyView:
    """A view of something at the origin from a level direction; every view is worth the same but for its sigma."""
    angle = np.radians(degrees)
    toward = np.array([np.sin(angle), -np.cos(angle), 0.0])
    surface = 0.05 * toward + np.random.default_rng(0).normal(size=(points, 3)) * 0.01
    return KeyView(
        points=surface,
        rays=np.broadcast_to(-toward, surface.shape),
        noise=0.001,
        pitch=0.003,
        low=0.0,
        high=0.1,
        low_sigma=sigma,
        high_sigma=sigma,
        spread=np.eye(3) * sigma**2,
        size_sigma=np.full(3, sigma),
        seen=(100.0, 100.0, 150.0, 150.0),
        cut=Occlusion(0.0, 0.0, 0.0, 0.0),
        camera=SMALL,
        camera_from_world=np.eye(4),
        toward=toward,
        pixels=pixels,
        whole=whole,
    )


@settings(max_examples=50)
@given(st.lists(st.tuples(lengths(-180.0, 180.0), st.integers(20, 5000), st.booleans()), max_size=40))
def test_few_views_are_kept_and_no_two_sides_are_crowded(seen):
    views = KeyViews()
    for degrees, pixels, whole in seen:
        before = len(views)
        new = views.add(view_from(degrees, pixels, whole))
        assert new or len(views) == before
    assert len(views) <= MAX_VIEWS
    assert 0 <= views.sides() <= len(views)
    assert bool(seen) == bool(len(views))


@given(st.integers(3, 60))
def test_the_same_side_again_adds_no_side(count):
    views = KeyViews()
    for k in range(count):
        views.add(view_from(0.2 * (k % 3)))
    assert views.sides() == 1
    assert len(views) == 2  # two, to average their noise


def test_views_from_all_around_stay_far_apart():
    views = KeyViews()
    for degrees in np.random.default_rng(3).permutation(360):
        views.add(view_from(float(degrees)))
    bearing = np.sort([np.degrees(np.arctan2(v.toward[0], -v.toward[1])) % 360 for v in views.views])
    assert len(views) == MAX_VIEWS
    assert np.diff(np.append(bearing, bearing[0] + 360)).max() < 100


def test_a_better_view_replaces_a_poorer_one_from_its_side():
    views = KeyViews()
    assert views.add(view_from(0, 500))
    assert views.add(view_from(1, 400))
    assert not views.add(view_from(0.5, 450))  # hardly better than the poorer of the two
    assert views.add(view_from(0.5, 600))
    assert views.add(view_from(0.5, 100)) is False
    assert {v.pixels for v in views.views} == {500, 600}
    assert not views.add(view_from(0, 5000, whole=False))  # however large, it was cut


def test_points_that_later_frames_deny_are_left_out():
    first, second = view_from(0), view_from(30)
    first.votes[:20] = -1
    cloud = joined([first, second])
    assert len(cloud.points) == len(cloud.rays) == len(cloud.noise) == 80
    np.testing.assert_array_equal(cloud.points[:30], first.points[20:])


@given(st.lists(lengths(0.0005, 0.05), min_size=1, max_size=MAX_VIEWS))
def test_sigma_shrinks_with_sides_but_not_below_its_floor(sigmas):
    views = [view_from(40.0 * k, sigma=sigma) for k, sigma in enumerate(sigmas)]
    by_sides = [fuse_sigma(views, sides) for sides in range(1, 30)]
    centers = np.array([found.center(np.eye(3)) for found in by_sides])
    sizes = np.array([found.size for found in by_sides])
    assert (np.diff(centers, axis=0) < 0).all()
    assert (np.diff(sizes, axis=0) < 0).all()
    assert (centers > CENTER_FLOOR).all()
    assert (sizes > FLOOR).all()
    np.testing.assert_allclose(fuse_sigma(views, 10**10).size, FLOOR, rtol=0.05)
    np.testing.assert_allclose(fuse_sigma(views, 10**10).center(np.eye(3)), CENTER_FLOOR, rtol=0.05)


def test_good_views_count_for_more_than_poor_ones():
    good, poor = view_from(0, sigma=0.002), view_from(40, sigma=0.02)
    both, alone = fuse_sigma([good, poor], 2), fuse_sigma([poor, poor], 2)
    assert (both.center(np.eye(3)) < 0.3 * alone.center(np.eye(3))).all()
    assert (both.size < 0.5 * alone.size).all()


def test_doubt_scales_all_of_it():
    sigma = fuse_sigma([view_from(0)], 1)
    np.testing.assert_allclose(sigma.times(2.0).size, 2.0 * sigma.size)
    np.testing.assert_allclose(sigma.times(2.0).center(np.eye(3)), 2.0 * sigma.center(np.eye(3)))


@given(lengths(-3.0, 3.0))
def test_sigma_turns_with_the_camera(angle):
    """What is uncertain along the world's x axis is so along z of a camera that looks that way."""
    view = replace(view_from(0), spread=np.diag([0.02, 0.001, 0.001]) ** 2)
    sigma = fuse_sigma([view], 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = sigma.center(np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]))
    along, across, up = sigma.center(np.eye(3))
    np.testing.assert_allclose(turned[0], np.hypot(cosine * along, sine * across), rtol=1e-6)
    assert turned[2] == pytest.approx(up)


def test_a_view_that_has_been_there_for_long_makes_room_for_others_of_its_side():
    kept = KeyViews()
    for low in (0.05, 0.05, *np.zeros(40)):
        kept.add(replace(view_from(0.0), low=float(low)))
    assert [view.low for view in kept.views] == [0.0, 0.0]

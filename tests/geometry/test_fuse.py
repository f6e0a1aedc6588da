"""Several frames in one view: holes seen from earlier, what is gone stays gone, one exposure."""

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.fuse import looked_through, merge
from joyai_ros.geometry.surface import nearness_of
from joyai_ros.geometry.warp import layer
from tests.geometry.analytic import CAMERA, PLATE, WALL, Room, moved, near_edge

HERE, BEFORE = moved(), moved(x=0.35)  # the earlier camera stood to the right and saw behind the plate's right edge
VIEW = moved(x=0.15)


def layer_from(pose, room, view=VIEW, exposure=1.0):
    picture = room.seen_from(CAMERA, pose)
    color = np.clip(picture.color * exposure, 0, 255).astype(np.uint8)
    return layer(color, picture.depth, CAMERA, CAMERA, rigid.inverse(view) @ pose)


def refused_by_now(earlier, room):
    measured = nearness_of(room.seen_from(CAMERA, HERE).depth)
    return looked_through(earlier.nearness, CAMERA, CAMERA, VIEW, measured)


def merged(room_now, room_before, exposure=1.0):
    newest, earlier = layer_from(HERE, room_now), layer_from(BEFORE, room_before, exposure=exposure)
    return newest, merge(newest, [(earlier, refused_by_now(earlier, room_now))])


def test_what_is_hidden_now_is_seen_from_before():
    room = Room()
    newest, both = merged(room, room)
    truth = room.seen_from(CAMERA, VIEW)
    opened = (truth.surface == WALL) & ~newest.seen & both.seen & ~near_edge(truth.surface, 4)
    assert opened.sum() > 100
    assert both.seen.mean() > newest.seen.mean() + 0.03
    assert np.abs(both.color.astype(int) - truth.color)[opened].mean() < 3
    np.testing.assert_allclose(1 / both.nearness[opened], truth.depth[opened], rtol=0.01)


def test_what_was_seen_keeps_its_depth_and_its_look():
    room = Room()
    newest, both = merged(room, room)
    assert (both.seen >= newest.seen).all()
    truth = room.seen_from(CAMERA, VIEW)
    inner = newest.seen & ~near_edge(truth.surface, 4)
    np.testing.assert_allclose(both.nearness[inner], newest.nearness[inner], rtol=0.01)
    assert np.abs(both.color.astype(int) - newest.color)[inner].mean() < 2


def test_what_is_looked_through_is_gone():
    away = Room(plate_center=(50.0, 0.0))
    _, both = merged(away, Room())
    truth = away.seen_from(CAMERA, VIEW)
    assert (truth.surface != PLATE).all()
    plate_was_there = layer_from(BEFORE, Room()).nearness > 1 / 1.7
    assert plate_was_there.sum() > 300
    np.testing.assert_allclose(
        1 / both.nearness[plate_was_there & both.seen], truth.depth[plate_was_there & both.seen], rtol=0.02
    )


def test_an_object_seen_before_hides_what_is_seen_now_behind_it():
    # Now the plate is out of the picture's left side; the view looks to where it stands.
    room = Room(plate_center=(-1.4, 0.0), plate_distance=1.5)
    view = moved(x=-1.0)
    newest = layer_from(HERE, room, view)
    earlier = layer_from(moved(x=-1.1), room, view)
    measured = nearness_of(room.seen_from(CAMERA, HERE).depth)
    both = merge(newest, [(earlier, looked_through(earlier.nearness, CAMERA, CAMERA, view, measured))])
    truth = room.seen_from(CAMERA, view)
    plate = (truth.surface == PLATE) & ~near_edge(truth.surface, 3)
    assert plate.sum() > 300
    np.testing.assert_allclose(1 / both.nearness[plate], 1.5, rtol=0.01)


def test_an_earlier_exposure_is_scaled_to_the_newest():
    room = Room()
    newest, both = merged(room, room, exposure=0.7)
    truth = room.seen_from(CAMERA, VIEW)
    opened = (truth.surface == WALL) & ~newest.seen & both.seen & ~near_edge(truth.surface, 4)
    ratio = both.color[opened].astype(float).mean() / truth.color[opened].mean()
    assert abs(ratio - 1) < 0.05


def test_frames_that_share_nothing_are_still_merged():
    room = Room()
    newest = layer_from(HERE, room)
    elsewhere = layer_from(moved(yaw=np.pi), room)
    both = merge(newest, [(elsewhere, np.zeros(CAMERA.shape, bool))])
    np.testing.assert_array_equal(both.seen, newest.seen)
    np.testing.assert_array_equal(both.color[newest.seen], newest.color[newest.seen])

"""Depth registered to colour: exact, closed where colour is finer, cut at edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.registration import register_depth
from tests.geometry.analytic import PLATE, WALL, Room, inside, moved, near_edge

DEPTH = Camera(160, 120, 146.0, 146.0, 80.0, 60.0)
COLOR = Camera(160, 120, 130.0, 130.0, 80.0, 59.0)
FINE = Camera(400, 300, 380.0, 380.0, 200.0, 150.0)


@pytest.mark.parametrize("color", [COLOR, FINE], ids=["coarser", "finer"])
@settings(max_examples=25)
@given(baseline=st.floats(-0.06, 0.06), tilt=st.floats(-0.02, 0.02))
def test_registered_depth_is_what_the_color_camera_would_measure(color, baseline, tilt):
    room, pose = Room(), moved(x=baseline, y=0.002, yaw=tilt)
    registered = register_depth(room.seen_from(DEPTH).depth, DEPTH, color, rigid.inverse(pose))
    truth = room.seen_from(color, pose)
    inner = inside(registered > 0) & ~near_edge(truth.surface, 4)
    error = np.abs(registered[inner] / truth.depth[inner] - 1)
    assert np.percentile(error, 99.9) < 1e-3
    assert error.max() < 0.012  # beside a hole a sample may stand for half a pixel more
    border = 60 if color is FINE else 24
    middle = (slice(border, -border), slice(border, -border))  # both cameras look there; 14 pixels are hidden at most
    assert not ((registered == 0) & ~near_edge(truth.surface, 14))[middle].any()


def test_depth_edges_stay_where_they_are():
    room, pose = Room(), moved(x=0.05)
    registered = register_depth(room.seen_from(DEPTH).depth, DEPTH, FINE, rigid.inverse(pose))
    truth = room.seen_from(FINE, pose)
    wrong_plate = (truth.surface == WALL) & (np.abs(registered - 1.5) < 0.1)
    wrong_wall = (truth.surface == PLATE) & (np.abs(registered - 3.0) < 0.1)
    far_from_edge = ~near_edge(truth.surface, 3)  # a depth pixel is 2.6 colour pixels wide
    assert not (wrong_plate & far_from_edge).any()
    assert not (wrong_wall & far_from_edge).any()


def test_what_the_depth_camera_cannot_see_stays_empty():
    room, pose = Room(plate_distance=0.8), moved(x=0.08)
    registered = register_depth(room.seen_from(DEPTH).depth, DEPTH, COLOR, rigid.inverse(pose))
    truth = room.seen_from(COLOR, pose)
    # The wall just right of the plate is hidden from the depth camera, which stands further left.
    row = 60
    edge = int(np.flatnonzero(truth.surface[row] == PLATE).max())
    hidden = registered[row, edge + 3 : edge + 8]
    assert (hidden == 0).all()


def test_holes_stay_holes():
    depth = Room().seen_from(DEPTH).depth.copy()
    depth[40:60, 20:40] = 0
    registered = register_depth(depth, DEPTH, DEPTH, np.eye(4))
    assert (registered[42:58, 22:38] == 0).all()

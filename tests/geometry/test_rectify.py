"""Undistortion of pictures, depth, masks, points and boxes, for the lens models of CameraInfo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joyai_ros.errors import DepthError, ImageError
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.geometry.rectify import (
    rectify,
    rectify_box,
    rectify_color,
    rectify_depth,
    rectify_mask,
    rectify_points,
)
from tests.geometry.analytic import Room, near_edge

LENSES = {
    "plumb_bob": Camera(200, 150, 170.0, 172.0, 99.0, 76.0, Distortion.PLUMB_BOB, (-0.25, 0.08, 0.002, -0.001, -0.01)),
    "plumb_bob_4": Camera(200, 150, 170.0, 172.0, 99.0, 76.0, Distortion.PLUMB_BOB, (0.12, -0.05, 0.0, 0.0)),
    "rational": Camera(
        200, 150, 170.0, 170.0, 99.0, 74.0, Distortion.RATIONAL, (0.4, -0.2, 0.001, 0.0, 0.01, 0.7, -0.2, 0.02)
    ),
    "equidistant": Camera(200, 150, 150.0, 150.0, 99.0, 74.0, Distortion.EQUIDISTANT, (0.02, -0.01, 0.002, 0.0)),
}
lenses = pytest.mark.parametrize("camera", LENSES.values(), ids=LENSES.keys())


def seen_through(camera):
    """What a camera with a lens sees of the room: the room along its bent rays."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(float)
    straight = rectify_points(np.stack([u.ravel(), v.ravel()], -1), camera)
    rays = camera.pinhole().unproject(straight, np.ones(len(straight))).reshape(*camera.shape, 3)
    return Room().along(rays, np.eye(4))


@lenses
def test_the_pinhole_twin_sees_the_same_room(camera):
    bent = seen_through(camera)
    color, depth, pinhole = rectify(bent.color, bent.depth, camera)
    truth = Room().seen_from(pinhole)
    inner = (depth > 0) & ~near_edge(truth.surface, 3)
    assert pinhole.is_pinhole
    assert inner.mean() > 0.6
    error = np.abs(depth[inner] / truth.depth[inner] - 1)
    assert np.percentile(error, 99) < 5e-3
    assert error.max() < 0.02  # where the floor recedes too fast for these few pixels, the nearest sample stands
    assert np.abs(color.astype(int) - truth.color)[inner].mean() < 1.5


@lenses
def test_depth_is_never_mixed_across_an_edge(camera):
    bent = seen_through(camera)
    depth = rectify_depth(bent.depth, camera)
    above_the_floor = depth[: 2 * camera.height // 3]
    assert (above_the_floor > 1.4).any()
    assert not ((above_the_floor > 1.55) & (above_the_floor < 2.2)).any()  # the plate is at 1.5 m, the wall at 3 m


@lenses
@settings(max_examples=50)
@given(x=st.floats(-0.45, 0.45), y=st.floats(-0.35, 0.35), z=st.floats(0.2, 9))
def test_points_come_back_to_their_pinhole_pixel(camera, x, y, z):
    point = np.array([[x * z, y * z, z]])
    bent = camera.project(point)
    np.testing.assert_allclose(rectify_points(bent, camera), camera.pinhole().project(point), atol=1e-3)


@lenses
def test_a_box_still_holds_its_object(camera):
    bent = seen_through(camera)
    rows, columns = np.nonzero(bent.surface == 3)
    box = (columns.min(), rows.min(), columns.max(), rows.max())
    x0, y0, x1, y1 = rectify_box(box, camera)
    rows, columns = np.nonzero(Room().seen_from(camera.pinhole()).surface == 3)
    assert abs(x0 - columns.min()) < 2
    assert abs(x1 - columns.max()) < 2
    assert abs(y0 - rows.min()) < 2
    assert abs(y1 - rows.max()) < 2


@lenses
def test_a_mask_follows_its_object(camera):
    mask = rectify_mask(seen_through(camera).surface == 3, camera)
    truth = Room().seen_from(camera.pinhole()).surface == 3
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_without_a_lens_everything_passes_as_it_is():
    camera = LENSES["plumb_bob"].pinhole()
    picture = Room().seen_from(camera)
    color, depth, same = rectify(picture.color, picture.depth, camera)
    assert color is picture.color
    assert depth is picture.depth
    assert same == camera
    assert rectify(picture.color, None, camera)[1] is None


def test_images_of_another_size_are_refused():
    camera = LENSES["plumb_bob"]
    with pytest.raises(ImageError, match="100x150"):
        rectify_color(np.zeros((150, 100, 3), np.uint8), camera)
    with pytest.raises(DepthError, match="100x150"):
        rectify_depth(np.zeros((150, 100), np.float32), camera)
    with pytest.raises(ImageError, match="100x150"):
        rectify_mask(np.zeros((150, 100), bool), camera)

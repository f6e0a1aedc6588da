"""The camera model: pixels and rays, lenses, resizing and cropping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import CameraError
from joyai_ros.geometry.cameras import Camera, Distortion

CAMERA = Camera(64, 48, 60.0, 62.0, 31.0, 25.0)
LENS = Camera(64, 48, 60.0, 62.0, 31.0, 25.0, Distortion.PLUMB_BOB, (-0.2, 0.05, 0.001, 0.002, 0.0))


@given(st.floats(-50, 120), st.floats(-50, 120), st.floats(0.1, 50))
def test_projecting_undoes_unprojecting(u, v, depth):
    pixel = np.array([[u, v]])
    point = CAMERA.unproject(pixel, np.array([depth]))
    assert point[0, 2] == depth
    np.testing.assert_allclose(CAMERA.project(point), pixel, atol=1e-9)


def test_rays_times_depth_are_the_points_of_the_pixels():
    depth = np.full((48, 64), 2.0, dtype=np.float32)
    cloud = CAMERA.cloud(depth)
    np.testing.assert_allclose(CAMERA.project(cloud[10, 20][None]), [[20, 10]], atol=1e-4)
    np.testing.assert_array_equal(CAMERA.cloud(np.zeros_like(depth)), 0)
    assert not CAMERA.rays().flags.writeable


def test_a_lens_bends_what_is_off_axis():
    points = np.array([[0.0, 0.0, 1.0], [0.4, 0.3, 1.0]])
    straight, bent = CAMERA.project(points), LENS.project(points)
    np.testing.assert_allclose(bent[0], straight[0], atol=1e-6)
    assert np.linalg.norm(bent[1] - straight[1]) > 0.5
    with pytest.raises(CameraError, match="rectify"):
        LENS.rays()
    assert LENS.pinhole() == CAMERA


def test_zero_coefficients_are_no_lens():
    assert Camera(64, 48, 60, 60, 32, 24, Distortion.RATIONAL, (0.0,) * 8).is_pinhole


@given(st.floats(-1, 1), st.floats(-0.5, 0.5))
def test_a_resized_image_maps_areas_onto_areas(x, y):
    point = np.array([[x, y, 2.0]])
    small = CAMERA.resized(32, 24)
    np.testing.assert_allclose(small.project(point) + 0.5, (CAMERA.project(point) + 0.5) / 2, atol=1e-9)


def test_a_cropped_image_keeps_its_pixels():
    point = np.array([[0.1, -0.1, 2.0]])
    np.testing.assert_allclose(CAMERA.cropped(5, 7, 20, 20).project(point), CAMERA.project(point) - (5, 7))


@pytest.mark.parametrize(
    "values",
    [
        (0, 48, 60.0, 60.0, 32.0, 24.0),
        (64, 48, 0.0, 60.0, 32.0, 24.0),
        (64, 48, 60.0, -1.0, 32.0, 24.0),
        (64, 48, np.nan, 60.0, 32.0, 24.0),
        (64, 48, 60.0, 60.0, np.inf, 24.0),
        (64, 48, 60.0, 60.0, 32.0, 24.0, Distortion.PLUMB_BOB, (0.1,)),
        (64, 48, 60.0, 60.0, 32.0, 24.0, Distortion.EQUIDISTANT, (0.1, np.nan, 0.0, 0.0)),
    ],
)
def test_what_is_no_camera(values):
    with pytest.raises(CameraError):
        Camera(*values)


def test_depth_of_another_size_is_refused():
    with pytest.raises(CameraError, match="10x10"):
        CAMERA.cloud(np.ones((10, 10), np.float32))

"""Fitting images into a model's resolutions, camera and all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.geometry.cameras import Camera
from joyai_ros.imagination.buckets import BASES, BucketError, buckets, fit

FULL = [
    (512, 2048),
    (640, 1536),
    (768, 1280),
    (768, 1344),
    (896, 1152),
    (1024, 1024),
    (1152, 896),
    (1280, 768),
    (2048, 512),
]
SIDES = st.integers(8, 4000)


@pytest.mark.parametrize("base", BASES)
def test_buckets_hold_whole_patches_and_about_the_same_area(base):
    for height, width in buckets(base, FULL):
        assert height % 16 == 0 and width % 16 == 0
        if base >= 256:
            assert height * width == pytest.approx(base * base, rel=0.15)


def test_the_full_size_has_the_models_own_buckets():
    assert buckets(1024, FULL) == sorted(FULL)
    with pytest.raises(BucketError, match="sizes are"):
        buckets(300, FULL)


@given(SIDES, SIDES, st.sampled_from(BASES))
def test_an_image_covers_its_bucket(width, height, base):
    fitting = fit((width, height), buckets(base, FULL))
    assert fitting.scaled[0] >= fitting.bucket[0] and fitting.scaled[1] >= fitting.bucket[1]
    # One of both sides is cut at most.
    assert min(fitting.left, fitting.top) == 0
    assert fitting.left + fitting.bucket[0] <= fitting.scaled[0]
    assert fitting.top + fitting.bucket[1] <= fitting.scaled[1]


@pytest.mark.parametrize("base", [256, 512])
def test_the_camera_follows_its_image(base):
    """A bright dot that the camera sees stays where the fitted camera projects its point."""
    camera = Camera(640, 480, 520.0, 530.0, 310.0, 250.0)
    fitting = fit((640, 480), buckets(base, FULL))
    fitted = fitting.camera(camera)
    assert (fitted.width, fitted.height) == fitting.bucket
    for u, v in ((200, 150), (430, 300)):
        image = np.zeros((480, 640, 3), np.uint8)
        image[v - 4 : v + 5, u - 4 : u + 5] = 255
        shown = fitting.image(image)[..., 0].astype(float)
        rows, columns = np.mgrid[: shown.shape[0], : shown.shape[1]]
        middle = np.array([(columns * shown).sum(), (rows * shown).sum()]) / shown.sum()
        point = np.array([[(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0]])
        np.testing.assert_allclose(middle, fitted.project(point)[0], atol=0.1)

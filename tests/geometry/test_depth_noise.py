"""Depth noise grows with distance as each kind of sensor's does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.geometry.depth_noise import DepthNoise, DepthSensor

kinds = st.sampled_from(list(DepthSensor))


@given(kinds, st.floats(0.5, 8), st.floats(0.01, 2))
def test_farther_is_never_surer(kind, near, further):
    sigma = DepthNoise(kind).sigma(np.array([near, near + further]), 600.0)
    assert sigma.dtype == np.float32
    assert 0 < sigma[0] <= sigma[1]


def test_stereo_noise_is_the_matching_error_carried_to_depth():
    noise = DepthNoise(DepthSensor.STEREO, baseline=0.05, disparity_sigma=0.1)
    z, fx, step = 2.0, 640.0, 0.1
    disparity = fx * 0.05 / z
    carried = abs(fx * 0.05 / (disparity - step) - z)  # the depth that one sigma of disparity makes
    assert noise.sigma(np.array([z]), fx)[0] == pytest.approx(carried, rel=0.05)


def test_structured_light_follows_the_published_fit():
    sigma = DepthNoise(DepthSensor.STRUCTURED_LIGHT).sigma(np.array([0.4, 1.4, 3.4]), 585.0)
    np.testing.assert_allclose(sigma, (0.0012, 0.0031, 0.0183), rtol=1e-5)


@given(kinds, st.floats(0.3, 5), st.floats(0.1, 10))
def test_scale_is_a_factor(kind, z, scale):
    depth = np.array([[z]], dtype=np.float32)
    plain, scaled = DepthNoise(kind).sigma(depth, 500.0), DepthNoise(kind, scale=scale).sigma(depth, 500.0)
    np.testing.assert_allclose(scaled, plain * scale, rtol=1e-4)

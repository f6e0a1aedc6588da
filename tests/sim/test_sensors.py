"""The noise is what its formulas say."""

import numpy as np
import pytest

from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.description import ColorNoise, DepthNoise
from joyai_ros.sim.sensors import MODELS, captured_color, measured_depth, sigma

CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)


def wall(distance):
    return np.full(CAMERA.shape, distance, np.float32)


def measure(depth, model="stereo", strength=1.0, edge_loss=0.3, holes=0.0, reflective=(), seed=0):
    noise = DepthNoise(model, strength, edge_loss, holes)
    return measured_depth(depth, CAMERA, noise, list(reflective), np.random.default_rng(seed))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("distance", [0.6, 1.2])
def test_a_wall_is_measured_with_the_stated_spread(model, distance):
    measured = measure(wall(distance), model)
    core = measured[150:330, 200:440]  # seen head-on
    assert (core > 0).mean() > 0.99
    expected = float(sigma(DepthNoise(model, 1.0, 0.0, 0.0), np.float32(distance)))
    step = MODELS[model].disparity_step * distance**2 / np.sqrt(12)
    assert np.std(core[core > 0] - distance) == pytest.approx(np.hypot(expected, step), rel=0.15, abs=3e-4)
    assert abs(np.mean(core[core > 0]) - distance) < 0.25 * expected + 5e-4


@pytest.mark.parametrize("model", MODELS)
def test_what_is_not_there_is_not_measured(model):
    depth = wall(1.0)
    depth[:, :100] = 0.0
    measured = measure(depth, model)
    assert not measured[:, :98].any()
    assert not measure(wall(0.1), model).any()
    assert not measure(wall(20.0), model).any()


def test_the_second_eye_casts_a_shadow_on_the_left_of_what_is_near():
    depth = wall(1.0)
    depth[100:380, 250:400] = 0.6
    lost = measure(depth, "stereo", edge_loss=0.0) == 0
    width = 600 * MODELS["stereo"].baseline * (1 / 0.6 - 1 / 1.0)  # 20 pixels
    left, right = lost[200:300, 200:250].sum(axis=1).mean(), lost[200:300, 402:450].sum(axis=1).mean()
    assert left == pytest.approx(width, abs=3.0)
    assert right < 0.5
    assert (measure(depth, "time_of_flight", edge_loss=0.0) == 0)[200:300, 200:249].mean() < 0.02


def test_depth_edges_lose_pixels_as_often_as_said():
    depth = wall(1.0)
    depth[:, 320:] = 0.8
    loss = [(measure(depth, "time_of_flight", edge_loss=share)[:, 319:321] == 0).mean() for share in (0.1, 0.5, 0.9)]
    assert loss[0] == pytest.approx(0.1, abs=0.07)
    assert loss[1] == pytest.approx(0.5, abs=0.1)
    assert loss[2] == pytest.approx(0.9, abs=0.07)


def test_reflective_things_get_holes_and_only_they():
    mask = np.zeros(CAMERA.shape, bool)
    mask[200:300, 200:300] = True
    measured = measure(wall(0.8), "time_of_flight", holes=5.0, reflective=[mask])
    assert 0.01 < (measured[mask] == 0).mean() < 0.7
    assert (measured[~mask] == 0).mean() < 0.001


def test_grazing_surfaces_are_lost():
    """A floor seen at a shallow angle fades out with the distance."""
    v = np.arange(480, dtype=np.float64)[:, None]
    with np.errstate(divide="ignore"):
        floor = np.where(v > 240, 0.05 * 600.0 / (v - 239.5), 0.0) * np.ones((1, 640))
    measured = measure(floor.astype(np.float32), "time_of_flight")
    near, far = (floor > 0.26) & (floor < 0.5), (floor > 1.2) & (floor < 5)
    near[-2:], far[-2:] = False, False
    assert (measured[near] == 0).mean() + 0.3 < (measured[far] == 0).mean()


def test_depth_comes_in_millimetres_and_repeats():
    first, second, other = measure(wall(0.9)), measure(wall(0.9)), measure(wall(0.9), seed=1)
    assert first.dtype == np.float32
    assert np.abs(first * 1000 - np.round(first * 1000)).max() < 1e-3
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_colour_noise():
    grey = np.full((120, 160, 3), 100, np.uint8)
    image = captured_color(grey, ColorNoise(1.1, 0.0, 3.0), np.random.default_rng(0))
    assert image.mean() == pytest.approx(110, abs=0.3)
    assert image.std() == pytest.approx(3.0, abs=0.2)
    edge = np.zeros((20, 40, 3), np.uint8)
    edge[:, 20:] = 200
    soft = captured_color(edge, ColorNoise(1.0, 0.8, 0.0), np.random.default_rng(0))
    assert 20 < soft[10, 19, 0] < 100 < soft[10, 20, 0] < 180

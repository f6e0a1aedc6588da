"""Round bodies on their side, from points on the half of them that one view shows."""

import math

import numpy as np
import pytest

from joyai_ros.scene.footprint import fit_footprint
from joyai_ros.scene.lying import fit_lying

PITCH, NOISE, CAMERA = 0.0015, 0.001, 0.7  # metres; the camera is that high over the table, above the origin


def surface(radius, straight, heading, center, round_ends, count=6000, seed=0):
    """Points (N, 3) that a camera above the origin sees of a body lying on the table, and its true length."""
    random = np.random.default_rng(seed)
    around = random.uniform(-math.pi, math.pi, count)
    along = random.uniform(-straight / 2.0, straight / 2.0, count)
    out = np.column_stack([np.zeros(count), np.cos(around), np.sin(around)])
    points, normals = np.column_stack([along, np.zeros((count, 2))]) + radius * out, out
    if round_ends:
        ball = random.normal(size=(count // 2, 3))
        ball /= np.linalg.norm(ball, axis=1, keepdims=True)
        ends = ball * radius + np.sign(ball[:, :1]) * np.array([straight / 2.0, 0.0, 0.0])
        points, normals = np.concatenate([points, ends]), np.concatenate([normals, ball])
    cos, sin = math.cos(heading), math.sin(heading)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    points = points @ turn.T + np.array([*center, radius])
    ray = points - np.array([0.0, 0.0, CAMERA])
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    facing = -((normals @ turn.T) * ray).sum(axis=1)
    seen = facing > 0.1
    noisy = points[seen] + random.normal(0.0, NOISE, (np.count_nonzero(seen), 1)) * ray[seen]
    return noisy, straight + 2.0 * radius * round_ends


def completed(points, top):
    return fit_lying(points, fit_footprint(points[:, :2], PITCH, NOISE), 0.0, top, CAMERA, NOISE, PITCH)


@pytest.mark.parametrize("heading", [0.0, 0.7, math.pi / 2])
@pytest.mark.parametrize("round_ends", [False, True])
def test_the_far_half_and_a_hidden_tip_are_completed(heading, round_ends):
    radius, center = 0.03, np.array([0.1, 0.8])
    points, length = surface(radius, 0.14, heading, center, round_ends)
    found = completed(points, 2.0 * radius)
    assert found is not None and found.lying and not found.round
    assert found.width == pytest.approx(2.0 * radius)
    assert found.length == pytest.approx(length, abs=0.008)
    assert np.linalg.norm(found.center - center) < 0.004
    # What is seen alone lies nearer to the viewer, or is narrower.
    seen = fit_footprint(points[:, :2], PITCH, NOISE)
    assert np.linalg.norm(seen.center - center) > np.linalg.norm(found.center - center)


def test_a_long_box_is_none():
    random = np.random.default_rng(0)
    count, (length, width, height), center = 4000, (0.2, 0.06, 0.06), np.array([0.0, 0.8])
    top = np.column_stack([random.uniform(-0.5, 0.5, (count, 2)) * (length, width), np.full(count, height)])
    front = np.column_stack(
        [
            random.uniform(-0.5, 0.5, count) * length,
            np.full(count, -width / 2.0),
            random.uniform(0.0, 1.0, count) * height,
        ]
    )
    points = np.concatenate([top, front]) + np.array([*center, 0.0])
    assert completed(points + random.normal(0.0, NOISE, points.shape), height) is None


def test_what_is_as_wide_as_long_is_none():
    points, _ = surface(0.04, 0.01, 0.0, np.array([0.0, 0.8]), True)
    assert completed(points, 0.08) is None


def test_what_has_no_height_is_none():
    points, _ = surface(0.03, 0.14, 0.0, np.array([0.1, 0.8]), False, count=600)
    assert completed(points, 0.0) is None, "found by half a million broken inputs: it divided by its radius"

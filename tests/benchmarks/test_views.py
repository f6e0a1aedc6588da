"""What depth views are measured with, and that they beat the plain way on real frames."""

import numpy as np
import pytest

from benchmarks.kitchen_frames import Kitchen
from benchmarks.views_kitchen import both_gains, mean_gain, score_pair
from joyai_ros.geometry import rigid
from joyai_ros.training.evaluation.image_scores import psnr, ssim
from joyai_ros.training.evaluation.plain_view import plain_view
from tests.geometry.analytic import CAMERA, PLATE, Room, moved, near_edge


def test_scores_of_known_differences():
    picture = Room().seen_from().color
    assert psnr(picture, picture) > 100
    assert ssim(picture, picture) == pytest.approx(1.0)
    picture = np.maximum(picture, 10)
    darker = picture - 10
    assert psnr(darker, picture) == pytest.approx(10 * np.log10(255**2 / 100), abs=1e-3)
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    assert ssim(noisy, picture) < 0.7
    half = np.zeros(CAMERA.shape, bool)
    half[:, :100] = True
    assert psnr(np.where(half[..., None], picture, 0), picture, half) > 100


def test_the_plain_way_is_done_fairly():
    source, pose = Room().seen_from(), moved(x=0.1)
    same, seen = plain_view(source.color, source.depth, CAMERA, np.eye(4))
    np.testing.assert_array_equal(same, source.color)
    assert seen.all()
    picture, seen = plain_view(source.color, source.depth, CAMERA, rigid.inverse(pose))
    truth = Room().seen_from(CAMERA, pose)
    inner = seen & ~near_edge(truth.surface, 3)
    assert inner.mean() > 0.7
    assert np.abs(picture.astype(int) - truth.color)[inner].mean() < 6  # rounded to whole pixels
    plate = picture[(truth.surface == PLATE) & ~near_edge(truth.surface, 3)]
    assert np.abs(plate.astype(int) - truth.color[(truth.surface == PLATE) & ~near_edge(truth.surface, 3)]).mean() < 6


def test_views_of_the_kitchen_beat_the_plain_way(data_dir):
    if not (data_dir / "kitchen").is_dir():
        pytest.skip(f"no kitchen recording in {data_dir}")
    kitchen = Kitchen(data_dir / "kitchen")
    scores = [score_pair(kitchen, *pair) for pair in ((200, 220), (320, 360))]
    for variant in ("published", "color", "registered"):
        assert min(both_gains(scores, variant)) > 0
        assert mean_gain(scores, variant, 0) > 0.4
        assert mean_gain(scores, variant, 1) > 0.01
    assert all(score.fused[2] > score.ours[2] for score in scores)

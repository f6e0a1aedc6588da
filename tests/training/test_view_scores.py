"""Where a picture is taken from, what a homography can do, and how views of simulated scenes fare."""

from collections import Counter

import cv2
import numpy as np
import pytest

from benchmarks.view_consistency import degraded
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.imagination.buckets import fit
from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.model_view import Drawing, ModelImaginer
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.training.evaluation.camera_error import best_homography, true_renders
from joyai_ros.training.evaluation.image_scores import psnr
from joyai_ros.training.evaluation.views import GRID, Painted, motions_of, score_scene, summarise_views

SEED = 1_000_001


def small(frame):
    return fit(frame, [(96, 128)])


@pytest.fixture(scope="module")
def views():
    return list(score_scene(SEED, [(30, 0), (-45, 10), (0, 20)], small, None, True))


def test_pictures_are_found_where_they_were_taken():
    random = np.random.default_rng(0)
    with TabletopSim(SEED) as sim:
        truth = sim.truth(whole=False)
        pivot, camera = default_pivot(truth.camera, truth.depth), truth.camera.resized(128, 96)
        renders = true_renders(sim, truth.world_from_camera, camera, pivot, truth.up)
        for yaw, pitch in ((0, 0), (30, 0), (-45, 10), (15, -20), (45, 20)):
            pose = truth.world_from_camera @ orbit(CameraMotion(yaw, pitch), pivot, truth.up)
            picture = sim.render(pose, camera)
            assert renders.nearest(picture) == (yaw, pitch)
            assert renders.nearest(degraded(picture, random)) == (yaw, pitch), "soft, recoloured, compressed"
            soft = cv2.GaussianBlur(picture, (0, 0), 3.0)
            assert abs(renders.nearest(soft)[0] - yaw) <= 5, "as soft as a small model's views"


def test_the_best_homography_undoes_a_homography():
    random = np.random.default_rng(1)
    source = cv2.GaussianBlur(random.integers(0, 255, (96, 128, 3), np.uint8), (0, 0), 3.0)
    matrix = np.array([[1.02, 0.05, -4.0], [-0.03, 0.97, 3.0], [2e-4, -1e-4, 1.0]])  # from the view to the source
    truth = cv2.warpPerspective(
        source, matrix, (128, 96), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    there = random.uniform([10, 10], [118, 86], (100, 2))
    lifted = np.column_stack([there, np.ones(100)]) @ matrix.T
    found = best_homography(source, truth, lifted[:, :2] / lifted[:, 2:], there)
    assert psnr(found, truth) > psnr(source, truth) + 10
    np.testing.assert_array_equal(best_homography(source, source, there[:3], there[:3]), source)


def test_the_grid_is_dealt_out_evenly():
    dealt = Counter(motion for number in range(34) for motion in motions_of(number, 2, 5))
    assert set(dealt) == set(GRID)
    assert set(dealt.values()) == {2}
    assert motions_of(3, 2, 5) == motions_of(3, 2, 5)
    assert motions_of(0, 34, 5) != motions_of(0, 34, 6)


def test_views_from_depth_against_the_truth(views):
    for tried, strip in views:
        ways = tried["ways"]
        assert strip.shape == (96, 128 * 5, 3)
        assert ways["input"]["yaw_error"] == abs(tried["yaw"]), "the input is found where it was taken"
        assert ways["warp"]["yaw_error"] <= 5
        assert ways["homography"]["psnr"] >= ways["input"]["psnr"]
        assert ways["depth"]["psnr_seen"] > ways["input"]["psnr_seen"] + 3
        assert 0.01 < tried["unseen"] < 0.6
    tasks = summarise_views([tried for tried, _ in views], 0)
    assert list(tasks) == ["input", "homography", "warp", "depth"]
    assert tasks["warp"]["accuracy"] == 1.0
    assert tasks["input"]["accuracy"] == pytest.approx(1 / 3), "the view that only looks further down"
    assert tasks["warp"]["chance"] == pytest.approx(1 / 3), "three yaws, so a constant guess is right in one"
    gain = tasks["warp"]["over_input"]["mean"]
    assert gain == pytest.approx(tasks["warp"]["psnr"] - tasks["input"]["psnr"])
    assert "over_warp" not in tasks["warp"]


def test_a_view_that_was_not_drawn_counts_as_grey():
    class Broken:
        def draw(self, *words, **more):
            raise DrawMemoryError("no memory is left")

    imaginer = ModelImaginer(Broken(), "broken", [(768, 1024)])
    painted = Painted(imaginer, {"model": Drawing(Preset(), 128)}, small)
    [(tried, _)] = score_scene(SEED, [(30, 0)], small, painted, False)
    assert tried["failures"] == {"model": "no memory is left"}
    assert tried["ways"]["model"] == tried["ways"]["kept"]
    figures = summarise_views([tried], 0)["model"]
    assert (figures["failures"], figures["consistent"]) == (1, None)
    assert figures["psnr"] < figures["psnr"] - figures["over_input"]["mean"]

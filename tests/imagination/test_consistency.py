"""The check of generated views: where a picture was taken from, and whether it shows what was measured."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from benchmarks.view_consistency import auc, degraded
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import UNKNOWN, Consistency
from joyai_ros.imagination.consistency import check_view, judged, structure_agreement
from joyai_ros.imagination.depth_view import DepthImaginer
from tests.scene.stage import block, shoot

MOTION = CameraMotion(15.0, 5.0)
THINGS = {
    "a": block(-0.2, 0.0, (0.2, 0.12, 0.14), 0.4),
    "b": block(0.2, 0.1, (0.15, 0.15, 0.2)),
    "c": block(0, 0.3, (0.1, 0.1, 0.3)),
}


@cache
def frame():
    """A table of textured things."""
    observation = shoot(THINGS, up="tf").observation
    coarse = np.random.default_rng(4).integers(-60, 60, (48, 64, 1))
    texture = cv2.resize(coarse.astype(np.float32), (640, 480), interpolation=cv2.INTER_CUBIC)[..., None]
    color = np.clip(observation.color + texture, 0, 255).astype(np.uint8)
    return replace(observation, color=color, up=observation.world_from_camera[2, :3])


def view(extra=0.0):
    motion = replace(MOTION, yaw_deg=MOTION.yaw_deg + extra)
    return DepthImaginer().imagine(frame(), motion)


@pytest.mark.parametrize("extra", [0.0, 3.0, 6.0])
def test_the_pose_of_a_picture_is_found(extra):
    picture = degraded(view(extra).image, np.random.default_rng(1))
    verdict = check_view(picture, view(), frame())
    true = rigid.inverse(view().source_from_view) @ view(extra).source_from_view
    error = rigid.inverse(verdict.commanded_from_view) @ true
    assert np.degrees(rigid.rotation_angle(error[:3, :3])) < 1.0
    assert np.linalg.norm(error[:3, 3]) < 0.02
    assert verdict.consistency is (Consistency.CONSISTENT if extra == 0 else Consistency.INCONSISTENT)
    assert (verdict.confidence > 0.9) == (extra == 0)
    known = judged(view(), verdict)
    assert known.verified
    np.testing.assert_allclose(known.estimated_source_from_view, view(extra).source_from_view, atol=0.03)
    assert (np.linalg.eigvalsh(known.pose_covariance) > 0).all()


def test_another_picture_is_not_consistent_and_not_verified():
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    verdict = check_view(noise, view(), frame())
    assert verdict.consistency is Consistency.INCONSISTENT
    assert np.isnan(verdict.confidence)
    assert not judged(view(), verdict).verified


def test_where_nothing_was_seen_nothing_is_checked():
    blind = replace(view(), validity=np.full((480, 640), UNKNOWN, np.uint8))
    assert check_view(view().image, blind, frame()).consistency is Consistency.UNCHECKED


def test_brightness_and_colour_do_not_matter_but_structure_does():
    image, where = view().image, np.ones((480, 640), bool)
    darker = (image * np.array([0.5, 0.6, 0.4]) + 30).astype(np.uint8)
    assert structure_agreement(darker, image, where) > 0.9
    assert abs(structure_agreement(image[::-1], image, where)) < 0.3
    assert np.isnan(structure_agreement(image, np.zeros_like(image), where))


def test_the_area_under_the_curve():
    assert auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auc([0.5], [0.5]) == 0.5
    assert auc([0.1, 0.9], [0.5]) == 0.5

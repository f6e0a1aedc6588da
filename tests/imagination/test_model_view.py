"""Views by a model as cameras: pose, validity, depth and verdict come from the measured surface, or are not claimed."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.view_consistency import degraded
from joyai_ros.errors import ConfigError, DepthError, MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import SEEN, UNKNOWN, Consistency
from joyai_ros.imagination.buckets import BucketError
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.mmdit.errors import DrawCanceledError
from joyai_ros.imagination.mmdit.presets import PRESETS, Preset
from joyai_ros.imagination.mmdit.request import Drawn, Step
from joyai_ros.imagination.model_view import Drawing, ModelImaginer, filled_size, with_seen
from joyai_ros.imagination.requests import Angles, RequestError
from tests.imagination.test_consistency import frame

# Some of the real buckets at 1024, (height, width).
SHAPES = ((1024, 1024), (896, 1152), (768, 1344), (1152, 896))
MOTION = CameraMotion(15.0, 5.0)
HOW = Drawing(Preset(steps=4), size=512)


class Painter:
    """Draws what the camera would truly see after other motions than it is told, as a good model would, or a bad one.

    Each drawing goes ``step`` farther about the pivot of the frame; the result is degraded as a VAE would.
    """

    def __init__(self, step=MOTION):
        self.step = step
        self.asked = []

    def draw(self, requests, size, preset, on_step=None, is_canceled=None):
        (request,) = requests
        self.asked.append(request)
        for index in range(preset.steps):
            if is_canceled is not None and is_canceled():
                raise DrawCanceledError("canceled")
            if on_step is not None:
                on_step(Step(index, preset.steps, 0.0, list))
        share = len(self.asked)
        motion = CameraMotion(self.step.yaw_deg * share, self.step.pitch_deg * share)
        view = DepthImaginer().imagine(frame(), motion)
        cut = cut_to(view.image, size)
        image = degraded(cut, np.random.default_rng(1))
        return Drawn([image], preset.steps, 2 * preset.steps, 0, (0.1, 0.2, 0.3))


def cut_to(image, size):
    """Resize and crop about the middle, as a bucket does."""
    height, width = size
    scale = max(height / image.shape[0], width / image.shape[1])
    scaled = cv2.resize(image, (math.ceil(image.shape[1] * scale), math.ceil(image.shape[0] * scale)))
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def commanded(motion=MOTION):
    return orbit(motion, default_pivot(frame().camera, frame().depth), frame().up)


def far(first, second):
    """Degrees and metres between two poses."""
    apart = rigid.inverse(first) @ second
    return np.degrees(rigid.rotation_angle(apart[:3, :3])), np.linalg.norm(apart[:3, 3])


def test_a_view_that_goes_where_it_was_told_is_a_verified_camera():
    made = ModelImaginer(Painter(), "painter", SHAPES).imagine(frame(), MOTION, HOW)
    view = made.view
    assert (view.method, view.model, view.motion, view.synthetic) == ("model", "painter", MOTION, True)
    assert view.image.shape[:2] == view.validity.shape == view.depth.shape == view.camera.shape == (448, 576)
    assert view.verified and view.consistency is Consistency.CONSISTENT and view.confidence > 0.9
    np.testing.assert_allclose(view.source_from_view, commanded(), atol=1e-12)
    degrees, metres = far(view.estimated_source_from_view, commanded())
    assert degrees < 1.0 and metres < 0.02
    np.testing.assert_allclose(view.world_from_view, frame().world_from_camera @ view.estimated_source_from_view)
    assert view.seen_fraction > 0.5
    assert (made.steps, made.rows) == (4, 8)
    assert made.seconds[:3] == (0.1, 0.2, 0.3) and made.seconds[3] > 0


@pytest.mark.parametrize("size", [128, 256])
def test_small_views_are_checked_too(size):
    for motion, consistency in ((MOTION, Consistency.CONSISTENT), (CameraMotion(25.0, 5.0), Consistency.INCONSISTENT)):
        made = ModelImaginer(Painter(motion), "painter", SHAPES).imagine(frame(), MOTION, replace(HOW, size=size))
        assert made.view.image.shape[1] == {128: 144, 256: 288}[size]
        assert made.view.consistency is consistency
        if made.view.estimated_source_from_view is not None:
            degrees, _ = far(made.view.estimated_source_from_view, commanded(motion))
            assert degrees < 1.5


def test_its_camera_is_that_of_the_bucket():
    """A point of the surface is where the corrected camera says, and its depth is the view's."""
    made = ModelImaginer(Painter(), "painter", SHAPES).imagine(frame(), MOTION, HOW)
    view, full = made.view, DepthImaginer().imagine(frame(), MOTION)
    # The bucket is a little narrower in shape than the frame: 640x480 becomes 598x448, and 22 columns are cut off.
    assert view.camera.fy == pytest.approx(frame().camera.fy * 448 / 480)
    assert view.camera.cx == pytest.approx((frame().camera.cx + 0.5) * 598 / 640 - 0.5 - 11)
    rows, columns = np.nonzero(full.depth > 0)
    points = full.camera.unproject(np.stack([columns, rows], axis=1).astype(float), full.depth[rows, columns])
    moved = rigid.apply(rigid.inverse(view.estimated_source_from_view) @ full.source_from_view, points)
    pixels = np.rint(view.camera.project(moved)).astype(int)
    inside = (pixels >= 0).all(axis=1) & (pixels < view.camera.size).all(axis=1)
    found = view.depth[pixels[inside, 1], pixels[inside, 0]]
    assert np.median(np.abs(found - moved[inside, 2])) < 0.005


def test_a_view_that_went_elsewhere_says_where_it_is_and_is_not_consistent():
    made = ModelImaginer(Painter(CameraMotion(21.0, 5.0)), "painter", SHAPES).imagine(frame(), MOTION, HOW)
    view = made.view
    assert view.verified and view.consistency is Consistency.INCONSISTENT and view.confidence < 0.1
    degrees, _ = far(view.estimated_source_from_view, commanded(CameraMotion(21.0, 5.0)))
    assert degrees < 1.0
    # Depth and validity are those of where it is, not of where it was sent.
    there = DepthImaginer().imagine_pose(frame(), view.estimated_source_from_view, view.camera, is_exact=True)
    np.testing.assert_array_equal(view.depth, there.depth)
    np.testing.assert_array_equal(view.validity, there.validity)


def test_seen_pixels_are_kept_where_that_is_asked_for():
    kept, plain = (
        ModelImaginer(Painter(), "painter", SHAPES).imagine(frame(), MOTION, replace(HOW, keep_seen=keep))
        for keep in (True, False)
    )
    np.testing.assert_array_equal(plain.view.image, plain.drawn)
    np.testing.assert_array_equal(kept.drawn, plain.drawn)
    surface = DepthImaginer().imagine_pose(
        frame(), kept.view.estimated_source_from_view, kept.view.camera, is_exact=True
    )
    inner = cv2.erode((surface.validity == SEEN).astype(np.uint8), np.ones((17, 17))) > 0
    assert inner.mean() > 0.3
    np.testing.assert_array_equal(kept.view.image[inner], surface.image[inner])
    invented = surface.validity == UNKNOWN
    np.testing.assert_array_equal(kept.view.image[invented], plain.drawn[invented])
    assert np.abs(plain.drawn.astype(int) - surface.image)[inner].mean() > 3


def test_kept_pixels_pass_softly_into_drawn_ones():
    surface = DepthImaginer().imagine(frame(), CameraMotion(1.0))
    validity = np.full((480, 640), UNKNOWN, np.uint8)
    validity[:, :320] = SEEN
    white, black = np.full((480, 640, 3), 255, np.uint8), np.zeros((480, 640, 3), np.uint8)
    row = with_seen(white, replace(surface, image=black, validity=validity))[240, :, 0].astype(int)
    assert row[:300].max() == 0 and row[320:].min() == 255
    assert np.diff(row).max() < 60


def test_without_depth_a_view_is_flagged_and_claims_nothing():
    blind = replace(frame(), depth=None)
    made = ModelImaginer(Painter(), "painter", SHAPES).imagine(blind, MOTION, HOW)
    view = made.view
    assert made.verdict is None
    assert (view.verified, view.consistency, view.estimated_source_from_view, view.depth) == (
        False,
        Consistency.UNCHECKED,
        None,
        None,
    )
    assert np.isnan(view.confidence) and view.seen_fraction == 0
    with pytest.raises(DepthError, match="begin at the measured surface"):
        ModelImaginer(Painter(), "painter", SHAPES).imagine(blind, MOTION, replace(HOW, strength=0.5))


def test_a_picture_of_something_else_is_flagged_and_keeps_nothing():
    class Noise(Painter):
        def draw(self, requests, size, preset, on_step=None, is_canceled=None):
            image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
            return Drawn([image], 1, 1, 0, (0.0, 0.0, 0.0))

    made = ModelImaginer(Noise(), "noise", SHAPES).imagine(frame(), MOTION, HOW)
    view = made.view
    assert not view.verified and view.consistency is Consistency.INCONSISTENT
    assert view.depth is None and (view.validity == UNKNOWN).all()
    np.testing.assert_array_equal(view.image, made.drawn)


def test_a_motion_beyond_the_model_is_drawn_in_parts():
    painter, steps = Painter(CameraMotion(10.0)), []
    angles = Angles(most_yaw=10.0)
    imaginer = ModelImaginer(painter, "painter", SHAPES, angles)
    made = imaginer.imagine(frame(), CameraMotion(30.0, 0.0, 1.0), replace(HOW, strength=0.5), on_step=steps.append)
    assert len(made.prompts) == 3 and all("Yaw 10°" in prompt for prompt in made.prompts)
    assert [(step.index, step.steps) for step in steps] == [(index, 12) for index in range(12)]
    first, second, third = painter.asked
    assert first.references[0].shape == (448, 576, 3)
    assert np.abs(second.references[0].astype(int) - first.references[0]).mean() > 1  # the first part's image
    for part, request in ((10.0, first), (20.0, second), (30.0, third)):
        surface = DepthImaginer().imagine_pose(frame(), commanded(CameraMotion(part)), made.view.camera, is_exact=True)
        np.testing.assert_array_equal(request.start, surface.image)
        assert request.strength == 0.5
    degrees, _ = far(made.view.estimated_source_from_view, commanded(CameraMotion(30.0)))
    assert degrees < 1.0
    with pytest.raises(RequestError, match="need 5 parts"):
        imaginer.imagine(frame(), CameraMotion(50.0), HOW)


def test_a_target_pose_is_what_the_view_is_held_against():
    """The model is told the nearest motion, and goes there; the pose that was wanted is three degrees away from it."""
    turn = rigid.make_transform(rigid.axis_angle(np.array([0.0, 0.0, 1.0]), np.radians(4.0)), np.zeros(3))
    wanted = commanded() @ turn
    made = ModelImaginer(Painter(), "painter", SHAPES).imagine(frame(), MOTION, HOW, pose=wanted)
    np.testing.assert_allclose(made.view.source_from_view, wanted)
    degrees, _ = far(made.view.estimated_source_from_view, wanted)
    assert 3.0 < degrees < 5.0 and made.view.consistency is Consistency.INCONSISTENT


@pytest.mark.parametrize(("strength", "has_start"), [(1.0, False), (0.5, True)])
def test_the_surface_is_shown_as_a_second_image(strength, has_start):
    painter = Painter()
    how = replace(HOW, show_surface=True, strength=strength)
    made = ModelImaginer(painter, "painter", SHAPES).imagine(frame(), MOTION, how)
    (request,) = painter.asked
    first, second = request.references
    surface = DepthImaginer().imagine_pose(frame(), commanded(), made.view.camera, is_exact=True)
    np.testing.assert_array_equal(second, surface.image)
    assert first.shape == second.shape and np.abs(first.astype(int) - second).mean() > 1
    assert (request.start is not None) == has_start
    with pytest.raises(DepthError, match="only where there is depth"):
        ModelImaginer(painter, "painter", SHAPES).imagine(replace(frame(), depth=None), MOTION, how)


def test_what_cannot_be_drawn():
    imaginer = ModelImaginer(Painter(), "painter", SHAPES)
    with pytest.raises(BucketError, match="no buckets of size 300"):
        replace(HOW, size=300)
    for wrong in ({"strength": 0.0}, {"strength": float("nan")}, {"strength": 1.5}, {"seed": -1}, {"seed": 2**63}):
        with pytest.raises(ConfigError):
            replace(HOW, **wrong)
    with pytest.raises(MotionError):
        imaginer.imagine(frame(), CameraMotion(0.0, 100.0), HOW)
    with pytest.raises(DrawCanceledError):
        imaginer.imagine(frame(), MOTION, HOW, is_canceled=lambda: True)


def test_the_size_that_an_image_fills():
    assert [filled_size(size) for size in ((640, 480), (1280, 720), (1920, 1080), (32, 32), (64, 64))] == [
        512,
        768,
        1024,
        64,
        64,
    ]
    assert set(PRESETS) == {"exact", "balanced", "fast"}


def test_the_warp_of_the_caller_is_used():
    """A node's warp knows earlier frames too."""
    asked = []

    def warp(pose, camera):
        asked.append((pose, camera))
        return DepthImaginer().imagine_pose(frame(), pose, camera, is_exact=True)

    made = ModelImaginer(Painter(), "painter", SHAPES).imagine(frame(), MOTION, HOW, warp=warp)
    assert [camera for _, camera in asked] == [made.view.camera] * 2
    np.testing.assert_array_equal(asked[1][0], made.view.estimated_source_from_view)

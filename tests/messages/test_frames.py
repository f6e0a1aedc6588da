"""What is wrong within one frame is refused with what, where and what to do."""

import dataclasses
import math

import numpy as np
import pytest

from joyai_ros.errors import CameraError, DepthError, EncodingError
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.detections import detections_2d_message
from joyai_ros.messages.frames import FrameMessages, observe
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, depth_message, depth_mm_message
from joyai_ros.scene.observation import Detection

CAMERA = Camera(8, 6, 10.0, 10.0, 3.5, 2.5)
COLOR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
DEPTH = np.full((6, 8), 1.5, np.float32)


@pytest.fixture
def frame(factory, head):
    return FrameMessages(
        stamp=5,
        color=color_message(factory, head, COLOR),
        depth=depth_mm_message(factory, head, DEPTH),
        color_info=info_message(factory, head, CAMERA),
        depth_info=info_message(factory, head, CAMERA),
    )


def test_a_good_frame(frame):
    observation, refused = observe(frame)
    np.testing.assert_array_equal(observation.color, COLOR)
    np.testing.assert_allclose(observation.depth, DEPTH)
    assert (observation.camera, observation.detections, refused) == (CAMERA, None, ())
    assert np.shares_memory(observation.color, np.frombuffer(frame.color.data, np.uint8))


def test_nan_infinite_and_negative_depth_is_no_depth(factory, head, frame):
    depth = DEPTH.copy()
    depth[0, :4] = (math.nan, math.inf, -math.inf, -1.0)
    observation, _ = observe(dataclasses.replace(frame, depth=depth_message(factory, head, depth)))
    assert not observation.depth[0, :4].any()
    assert (observation.depth[1:] == 1.5).all()


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, -2.0, 1e6])
def test_a_frame_without_a_valid_depth_pixel_is_refused(factory, head, frame, value):
    empty = depth_message(factory, head, np.full((6, 8), value, np.float32))
    with pytest.raises(DepthError, match="no valid pixel"):
        observe(dataclasses.replace(frame, depth=empty))


@pytest.mark.parametrize("unknown", ["yuv422", "bayer_rggb8", "", "16UC3"])
def test_unknown_encodings_are_refused_with_their_image(frame, unknown):
    frame.color.encoding = unknown
    with pytest.raises(EncodingError, match=f"colour image: image encoding '{unknown}'"):
        observe(frame)


def test_unknown_depth_encodings_are_refused(frame):
    frame.depth.encoding = "64FC1"
    with pytest.raises(EncodingError, match="depth image: image encoding '64FC1'"):
        observe(frame)


@pytest.mark.parametrize("value", [0.0, math.nan, -5.0])
@pytest.mark.parametrize("which", ["color_info", "depth_info"])
def test_intrinsics_that_are_none_are_refused(frame, which, value):
    info = getattr(frame, which)
    info.k = np.array([value, 0, 3.5, 0, value, 2.5, 0, 0, 1.0])
    info.p = np.zeros(12)
    with pytest.raises(CameraError, match=f"{'colour' if which == 'color_info' else 'depth'} camera_info: camera"):
        observe(frame)


def test_an_uncalibrated_camera_is_refused(frame):
    frame.color_info.k, frame.color_info.p = np.zeros(9), np.zeros(12)
    with pytest.raises(CameraError, match="not calibrated"):
        observe(frame)


def test_camera_info_of_another_image_size_is_refused(factory, head, frame):
    other = info_message(factory, head, CAMERA.resized(16, 12))
    with pytest.raises(CameraError, match="colour image is 8x6, its camera_info 16x12"):
        observe(dataclasses.replace(frame, color_info=other))


def test_depth_of_another_size_needs_a_calibration(factory, head, frame):
    small = depth_mm_message(factory, head, DEPTH[:3, :4].copy())
    with pytest.raises(DepthError, match="depth is 4x3, colour 8x6, and no camera_info"):
        observe(dataclasses.replace(frame, depth=small, depth_info=None))
    # With one it is brought to the colour image's pixels.
    half = info_message(factory, head, CAMERA.resized(4, 3))
    observation, _ = observe(dataclasses.replace(frame, depth=small, depth_info=half))
    np.testing.assert_allclose(observation.depth[2:4, 2:6], 1.5, atol=1e-5)


def test_depth_of_another_frame_needs_a_camera(frame):
    with pytest.raises(DepthError, match="another frame than colour and has no camera_info"):
        observe(dataclasses.replace(frame, depth_info=None, color_from_depth=np.eye(4)))


def test_depth_that_never_meets_the_colour_image_is_refused(frame):
    away = np.eye(4)
    away[0, 3] = 50.0
    with pytest.raises(DepthError, match="no depth pixel falls into the colour image"):
        observe(dataclasses.replace(frame, color_from_depth=away))


def test_detections_of_another_camera_are_refused(factory, frame):
    other = header(factory, 5, "another_camera")
    boxes = detections_2d_message(factory, other, [Detection("a", "mug", (1, 1, 4, 4))])
    observation, refused = observe(dataclasses.replace(frame, detections_2d=boxes))
    assert observation.detections == ()
    assert "they are of frame 'another_camera'" in refused[0]


def test_boxes_that_no_lens_bends_are_refused(factory, head, frame):
    lens = dataclasses.replace(CAMERA, distortion=Distortion.PLUMB_BOB, coefficients=(-0.1, 0.01, 0.0, 0.0, 0.0))
    boxes = [Detection("good", "mug", (1, 1, 4, 4)), Detection("bad", "mug", (math.nan, 1, 4, 4))]
    found = dataclasses.replace(
        frame,
        color_info=info_message(factory, head, lens),
        depth_info=info_message(factory, head, lens),
        detections_2d=detections_2d_message(factory, head, boxes),
    )
    observation, refused = observe(found)
    assert [d.id for d in observation.detections] == ["good"]
    assert refused[0].startswith("bad: ")

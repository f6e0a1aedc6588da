"""Requests to a generating model: the authors' words, to the letter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import BoxError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion, orbit
from joyai_ros.imagination.requests import (
    Angles,
    Edit,
    Generate,
    MoveCamera,
    MoveObject,
    RequestError,
    RotateObject,
    Side,
    references,
    split,
    towards,
)

IMAGE = np.full((48, 64, 3), 90, np.uint8)


@pytest.mark.parametrize(
    ("motion", "yaw", "pitch", "zoom"),
    [
        (CameraMotion(45, -10, 1.5), "45", "-10", "in"),
        (CameraMotion(-22.5, 0, 0.8), "-22.5", "0", "out"),
        (CameraMotion(0.01, -0.01, 1.0), "0", "0", "unchanged"),
        (CameraMotion(90, 60, 1.01), "90", "60", "unchanged"),
    ],
)
def test_the_prompt_of_a_camera_motion(motion, yaw, pitch, zoom):
    assert MoveCamera(motion).prompt == (
        f"Move the camera.\n- Camera rotation: Yaw {yaw}°, Pitch {pitch}°.\n- Camera zoom: {zoom}.\n"
        "- Keep the 3D scene static; only change the viewpoint."
    )


def test_a_card_may_count_angles_the_other_way_round():
    prompt = MoveCamera(CameraMotion(30, 10), Angles(yaw_sign=-1, pitch_sign=-1)).prompt
    assert "Yaw -30°, Pitch -10°" in prompt


def test_objects_and_words():
    assert (
        MoveObject("red  mug", (1, 1, 9, 9)).prompt
        == "Move the red mug into the red box and finally remove the red box."
    )
    assert RotateObject("chair", Side.REAR_LEFT).prompt == "Rotate the chair to show the rear left side view."
    assert Edit("make it\nnight").prompt == "make it night"


@pytest.mark.parametrize("text", ["", "  \n", "x" * 3000])
def test_no_words_and_too_many_are_refused(text):
    for request in (Edit(text), Generate(text), RotateObject(text, Side.FRONT), MoveObject(text, (1, 1, 9, 9))):
        with pytest.raises(RequestError):
            _ = request.prompt


@given(st.floats(-360, 360), st.floats(-179, 179), st.floats(0.2, 5.0))
def test_motions_beyond_what_a_model_knows_are_split(yaw, pitch, zoom):
    angles = Angles(most_yaw=45, most_pitch=30)
    motion = CameraMotion(yaw, pitch, zoom)
    steps = split(motion, angles)
    for step in steps:
        assert MoveCamera(step, angles).prompt
    assert sum(step.yaw_deg for step in steps) == pytest.approx(yaw)
    assert sum(step.pitch_deg for step in steps) == pytest.approx(pitch)
    assert np.prod([step.zoom for step in steps]) == pytest.approx(zoom)
    if abs(yaw) > 45 or abs(pitch) > 30:
        assert len(steps) > 1
        with pytest.raises(RequestError, match="split"):
            _ = MoveCamera(motion, angles).prompt


def test_the_red_box_is_drawn_on_a_copy():
    (shown,) = references(MoveObject("mug", (10, 10, 30, 20)), [IMAGE])
    assert (IMAGE == 90).all()
    assert shown[10, 20].tolist() == [255, 0, 0]
    assert shown[15, 20].tolist() == [90, 90, 90]
    with pytest.raises(BoxError):
        references(MoveObject("mug", (70, 10, 90, 20)), [IMAGE])


def test_how_many_images_a_request_takes():
    assert references(Generate("a table"), []) == []
    assert len(references(Edit("both"), [IMAGE, IMAGE], most=5)) == 2
    for request, images, most in ((Generate("x"), [IMAGE], 1), (Edit("x"), [], 1), (Edit("x"), [IMAGE] * 2, 1)):
        with pytest.raises(RequestError):
            references(request, images, most)


PIVOT, UP = np.array([0.0, 0.0, 2.0]), np.array([0.0, -1.0, 0.0])


@pytest.mark.parametrize(("roll", "aside"), [(0.0, 0.0), (4.0, 0.0), (0.0, 0.15), (-3.0, -0.1)])
def test_a_pose_becomes_the_nearest_motion_and_says_what_that_misses(roll, aside):
    moved = orbit(CameraMotion(25, 10, 1.2), PIVOT, UP)
    rolled = rigid.make_transform(rigid.axis_angle(np.array([0.0, 0.0, 1.0]), np.radians(roll)), np.zeros(3))
    pose = moved @ rolled
    pose[:3, 3] += aside * moved[:3, 0]
    found = towards(pose, PIVOT, UP)
    assert (found.motion.yaw_deg, found.motion.pitch_deg) == pytest.approx((25, 10), abs=2.5)
    assert found.motion.zoom == pytest.approx(1.2, abs=0.01)
    off = rigid.inverse(orbit(found.motion, PIVOT, UP)) @ pose
    assert found.turned == pytest.approx(rigid.rotation_angle(off[:3, :3]), abs=1e-6)
    assert found.moved == pytest.approx(np.linalg.norm(off[:3, 3]))
    assert np.degrees(found.turned) == pytest.approx(abs(roll), abs=2.0) and found.moved == pytest.approx(
        abs(aside), abs=0.02
    )


@pytest.mark.parametrize(
    ("turn", "place"),
    [
        (rigid.axis_angle(np.array([0.0, 0.0, 1.0]), 0.2), (0.0, 0.0, 0.0)),  # a roll
        (np.eye(3), (0.4, 0.0, 0.0)),  # aside, and looking past the pivot
        (rigid.axis_angle(np.array([0.0, 1.0, 0.0]), 0.3), (0.0, 0.0, 0.0)),  # a turn on the spot
    ],
)
def test_a_pose_that_no_motion_leads_near_is_refused(turn, place):
    with pytest.raises(RequestError, match=r"miss it by .* degrees and .* m; draw it from depth"):
        towards(rigid.make_transform(turn, np.array(place)), PIVOT, UP)

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.errors import CameraError
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.messages.cameras import camera_from_info, info_message

ROSBAGS = RosbagsFactory()
HEAD = ROSBAGS("std_msgs/msg/Header")(frame_id="optical")
COEFFICIENT = st.floats(-0.5, 0.5).filter(lambda c: abs(c) > 1e-9)


@st.composite
def cameras(draw):
    model = draw(st.sampled_from(list(Distortion)))
    count = {"none": [0], "plumb_bob": [4, 5], "rational_polynomial": [8, 12, 14], "equidistant": [4]}[model.value]
    size = draw(st.sampled_from(count))
    focal, center = st.floats(10, 5000), st.floats(-100, 2000)
    return Camera(
        draw(st.integers(1, 4000)),
        draw(st.integers(1, 4000)),
        *(draw(focal), draw(focal), draw(center), draw(center)),
        model,
        tuple(draw(st.lists(COEFFICIENT, min_size=size, max_size=size))),
    )


def info(factory=ROSBAGS, **changes):
    message = info_message(factory, factory("std_msgs/msg/Header")(frame_id="optical"), Camera(64, 48, 50, 51, 31, 23))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cameras())
def test_round_trip(factory, camera):
    head = factory("std_msgs/msg/Header")(frame_id="f")
    assert camera_from_info(info_message(factory, head, camera)) == camera


def test_a_pinhole_camera_is_written_as_every_tool_takes_it(factory, head):
    message = info_message(factory, head, Camera(64, 48, 50, 51, 31, 23))
    assert message.distortion_model == "plumb_bob"
    np.testing.assert_array_equal(message.d, np.zeros(5))
    np.testing.assert_array_equal(message.r, np.eye(3).reshape(-1))
    np.testing.assert_array_equal(np.reshape(message.p, (3, 4)), [[50, 0, 31, 0], [0, 51, 23, 0], [0, 0, 1, 0]])


@pytest.mark.parametrize("name", ["equidistant", "fisheye", "kannala_brandt4", "Equidistant"])
def test_names_of_the_fisheye_model(name):
    camera = camera_from_info(info(distortion_model=name, d=np.array([0.1, 0.01, 0.0, 0.0])))
    assert camera.distortion is Distortion.EQUIDISTANT
    assert camera.coefficients == (0.1, 0.01, 0.0, 0.0)


@pytest.mark.parametrize("name", ["", "plumb_bob", "rational_polynomial", "somebody's model"])
def test_zero_coefficients_are_no_distortion_whatever_the_model(name):
    assert camera_from_info(info(distortion_model=name, d=np.zeros(8))).distortion is Distortion.NONE


def test_rectified_images_follow_p():
    p = np.array([40.0, 0, 30, 0, 0, 41, 22, 0, 0, 0, 1, 0])
    message = info(p=p, d=np.array([0.1, 0, 0, 0, 0]))
    assert camera_from_info(message).fx == 50
    rectified = camera_from_info(message, rectified=True)
    assert (rectified.fx, rectified.fy, rectified.cx, rectified.cy) == (40, 41, 30, 22)
    assert rectified.is_pinhole
    assert camera_from_info(info(p=np.zeros(12)), rectified=True).fx == 50


def test_p_stands_in_for_an_empty_k():
    message = info(k=np.zeros(9))
    assert camera_from_info(message) == Camera(64, 48, 50, 51, 31, 23)


def test_region_of_interest_and_binning():
    """A point keeps its place in the scene when the image is cut out and binned."""
    whole = Camera(640, 480, 500, 500, 319.5, 239.5)
    message = info_message(ROSBAGS, HEAD, whole)
    message.roi = ROSBAGS("sensor_msgs/msg/RegionOfInterest")(x_offset=100, y_offset=40, width=400, height=200)
    message.binning_x, message.binning_y = 2, 4
    part = camera_from_info(message)
    assert part.size == (200, 50)
    point = np.array([[0.1, -0.05, 1.0]])
    u, v = whole.project(point)[0]
    np.testing.assert_allclose(part.project(point)[0], [(u - 100 + 0.5) / 2 - 0.5, (v - 40 + 0.5) / 4 - 0.5])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": np.zeros(9), "p": np.zeros(12)}, "camera_info of optical is all zero: the camera is not calibrated"),
        ({"k": np.full(9, np.nan)}, "not a camera"),
        ({"k": np.array([0.0, 0, 3, 0, 50, 3, 0, 0, 1])}, "focal lengths must be positive"),
        ({"k": np.array([-5.0, 0, 3, 0, 50, 3, 0, 0, 1])}, "focal lengths must be positive"),
        ({"width": 0}, "0x48 is not an image"),
        ({"distortion_model": "mine", "d": np.ones(4)}, "'mine' is not known; publish plumb_bob"),
        ({"d": np.ones(3)}, "takes .* coefficients, got 3"),
        ({"d": np.array([np.nan, 0, 0, 0, 0])}, "not a camera"),
        ({"roi": ROSBAGS("sensor_msgs/msg/RegionOfInterest")(x_offset=60, width=9, height=9)}, "reaches over"),
    ],
)
def test_what_is_no_camera_is_refused(changes, words):
    with pytest.raises(CameraError, match=words):
        camera_from_info(info(**changes))

import array

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from joyai_ros.bags.typestore import RosbagsFactory, typestore
from joyai_ros.errors import EncodingError
from joyai_ros.messages import images

ROSBAGS = RosbagsFactory()
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def image(pixels, encoding, *, big=False, padding=0, factory=ROSBAGS):
    """Return an Image as a driver writes it: rows with padding, in either byte order."""
    pixels = np.ascontiguousarray(pixels)
    ordered = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = ordered.reshape(pixels.shape[0], -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    return factory("sensor_msgs/msg/Image")(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=padded.shape[1],
        data=factory.sequence(padded.reshape(-1)),
    )


def rgb(height=4, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "8UC3", "rgba8", "bgra8"])
def test_colour_encodings_say_the_same_picture(factory, encoding, padding):
    picture = rgb()
    stored = picture if encoding.startswith("rgb") else picture[..., ::-1]
    if encoding.endswith("a8"):
        stored = np.dstack([stored, np.full(picture.shape[:2], 17, np.uint8)])
    message = image(stored, encoding, padding=padding, factory=factory)
    np.testing.assert_array_equal(images.decode_color(message), picture)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_images_become_rgb(encoding):
    grey = rgb()[..., 0]
    np.testing.assert_array_equal(images.decode_color(image(grey, encoding, padding=3)), np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
def test_whole_depth_counts_are_millimetres(factory, encoding, big):
    counts = np.array([[0, 1, 1500], [65535, 256, 2]], dtype=np.uint16)
    decoded = images.decode_depth(image(counts, encoding, big=big, padding=4, factory=factory))
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, counts / 1000.0, rtol=1e-6)


@pytest.mark.parametrize("big", [False, True])
def test_float_depth_is_metres(factory, big):
    metres = np.array([[0.0, 1.25, np.nan], [np.inf, 3.5, 0.001]], dtype=np.float32)
    np.testing.assert_array_equal(images.decode_depth(image(metres, "32FC1", big=big, factory=factory)), metres)


def test_another_depth_unit():
    counts = np.array([[10000]], dtype=np.uint16)
    assert images.decode_depth(image(counts, "16UC1"), unit=1e-4)[0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize("padding", [0, 8])
def test_no_copy_where_the_encoding_allows_a_view(factory, padding):
    for message, decode in (
        (image(rgb(), "rgb8", padding=padding, factory=factory), images.decode_color),
        (image(np.ones((4, 6), np.float32), "32FC1", padding=padding, factory=factory), images.decode_depth),
        (image(rgb(), "bgr8", padding=padding, factory=factory), images.image_array),
        (image(np.ones((4, 6), np.uint16), "16UC1", padding=padding, factory=factory), images.image_array),
    ):
        assert np.shares_memory(decode(message), np.frombuffer(message.data, np.uint8))


def test_no_copy_from_a_recorded_message_and_into_one():
    picture = rgb()
    message = images.color_message(ROSBAGS, ROSBAGS("std_msgs/msg/Header")(), picture)
    assert np.shares_memory(message.data, picture)
    recorded = bytes(typestore().serialize_cdr(message, "sensor_msgs/msg/Image"))
    decoded = images.decode_color(typestore().deserialize_cdr(memoryview(recorded), "sensor_msgs/msg/Image"))
    np.testing.assert_array_equal(decoded, picture)
    assert np.shares_memory(decoded, np.frombuffer(recorded, np.uint8))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_round_trips(factory, data):
    height, width = data.draw(SIZES)
    head = factory("std_msgs/msg/Header")(frame_id="f")
    picture = data.draw(hnp.arrays(np.uint8, (height, width, 3)))
    np.testing.assert_array_equal(images.decode_color(images.color_message(factory, head, picture)), picture)
    grey = data.draw(hnp.arrays(np.uint8, (height, width)))
    np.testing.assert_array_equal(images.image_array(images.mono_message(factory, head, grey)), grey)
    depth = data.draw(hnp.arrays(np.float32, (height, width), elements=st.floats(0, 60, width=32)))
    np.testing.assert_array_equal(images.decode_depth(images.depth_message(factory, head, depth)), depth)
    rounded = images.decode_depth(images.depth_mm_message(factory, head, depth))
    np.testing.assert_allclose(rounded, depth, atol=0.000501)


def test_what_has_no_millimetres_is_unmeasured():
    depth = np.array([[np.nan, np.inf, -1.0, 65.6, 65.535]], dtype=np.float32)
    np.testing.assert_array_equal(images.millimetres(depth), [[0, 0, 0, 0, 65535]])


def test_data_may_be_an_array_of_any_library():
    pixels = rgb()
    message = image(pixels, "rgb8")
    for data in (pixels.tobytes(), bytearray(pixels.tobytes()), array.array("B", pixels.tobytes())):
        message.data = data
        np.testing.assert_array_equal(images.decode_color(message), pixels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "yuv422_yuy2"}, "'yuv422_yuy2' is not supported; publish one of rgb8"),
        ({"encoding": ""}, "'' is not supported"),
        ({"width": 0}, "size of zero"),
        ({"height": 0}, "size of zero"),
        ({"step": 5}, "step 5 is less than a row of 6 rgb8 pixels"),
        ({"height": 5}, "72 bytes, but 6x5 rgb8 with step 18 takes 90"),
        ({"height": 3}, "72 bytes, but 6x3 rgb8 with step 18 takes 54"),
        ({"encoding": "rgba8", "step": 24}, "takes 96"),
        ({"data": np.zeros(0, np.uint8)}, "0 bytes"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_with_its_numbers(change, words):
    message = image(rgb(), "rgb8")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(EncodingError, match=words):
        images.decode_color(message)


def test_colour_is_not_depth_and_depth_not_colour():
    with pytest.raises(EncodingError, match="not a depth image; name the depth topic"):
        images.decode_depth(image(rgb(), "rgb8"))
    with pytest.raises(EncodingError, match="not a colour image; name the colour topic"):
        images.decode_color(image(np.ones((2, 2), np.uint16), "16UC1"))


def test_only_arrays_of_the_encoding_are_written():
    head = ROSBAGS("std_msgs/msg/Header")()
    with pytest.raises(EncodingError, match="not a rgb8 image"):
        images.color_message(ROSBAGS, head, np.zeros((3, 3), np.uint8))
    with pytest.raises(EncodingError, match="not a mono8 image"):
        images.mono_message(ROSBAGS, head, np.zeros((3, 3), np.float32))

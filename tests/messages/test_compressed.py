import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.errors import EncodingError
from joyai_ros.messages import compressed

ROSBAGS = RosbagsFactory()
HEAD = ROSBAGS("std_msgs/msg/Header")(frame_id="f")


def smooth():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    return np.dstack([np.tile(ramp, (48, 1)), np.full((48, 64), 90, np.uint8), np.tile(ramp[:48, None], (1, 64))])


def test_png_is_lossless(factory, head):
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    message = compressed.png_message(factory, head, picture)
    np.testing.assert_array_equal(compressed.decode_compressed_color(message), picture)


def test_jpeg_keeps_red_red(factory, head):
    picture = smooth()
    decoded = compressed.decode_compressed_color(compressed.jpeg_message(factory, head, picture, 95))
    assert np.abs(decoded.astype(int) - picture).max() < 12


def test_the_rotation_tag_of_a_jpeg_is_not_followed():
    """A phone's EXIF rotation would turn the image away from its CameraInfo."""
    jpeg = cv2.imencode(".jpg", smooth())[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: turn right
    tagged = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (64, 48, 3)
    message = ROSBAGS("sensor_msgs/msg/CompressedImage")(format="jpeg", data=np.frombuffer(tagged, np.uint8))
    assert compressed.decode_compressed_color(message).shape == (48, 64, 3)


@settings(max_examples=40)
@given(hnp.arrays(np.float32, (7, 5), elements=st.floats(0, 60, width=32)))
def test_whole_millimetres_round_trip(depth):
    message = compressed.compressed_depth_message(ROSBAGS, HEAD, depth)
    assert message.format == "16UC1; compressedDepth png"
    np.testing.assert_allclose(compressed.decode_compressed_depth(message), depth, atol=0.000501)


@settings(max_examples=40)
@given(hnp.arrays(np.float32, (7, 5), elements=st.just(0.0) | st.floats(0.1875, 9.875, width=32)))
def test_quantised_depth_is_as_fine_as_the_transport_promises(depth):
    message = compressed.compressed_depth_message(ROSBAGS, HEAD, depth, quantised=True)
    assert message.format == "32FC1; compressedDepth png"
    decoded = compressed.decode_compressed_depth(message)
    np.testing.assert_array_equal(decoded == 0, depth == 0)
    assert (np.abs(decoded - depth) <= depth**2 / (100 * 101) * 0.51 + 1e-6).all()  # half a step of inverse depth


def test_quantised_depth_as_image_transport_writes_it():
    """Bytes made by hand after compressed_depth_image_transport/src/codec.cpp."""
    quant_a, quant_b = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    metres = np.array([[0.5, 2.0], [8.0, np.nan]])
    inverse = np.where(np.isnan(metres), 0, quant_a / metres + quant_b).astype(np.uint16)
    data = struct.pack("<iff", 1, quant_a, quant_b) + cv2.imencode(".png", inverse)[1].tobytes()
    message = ROSBAGS("sensor_msgs/msg/CompressedImage")(
        format="32FC1; compressedDepth png", data=np.frombuffer(data, np.uint8)
    )
    np.testing.assert_allclose(
        compressed.decode_compressed_depth(message), [[0.5, 2.0], [8.0, 0.0]], rtol=0, atol=0.007
    )


def test_a_plain_16_bit_png_is_depth_too():
    png = cv2.imencode(".png", np.full((2, 3), 1500, np.uint16))[1]
    message = ROSBAGS("sensor_msgs/msg/CompressedImage")(format="16UC1; png compressed 16UC1", data=png.reshape(-1))
    np.testing.assert_allclose(compressed.decode_compressed_depth(message), 1.5)


def test_masks_round_trip(factory, head):
    mask = np.random.default_rng(2).random((11, 7)) > 0.5
    np.testing.assert_array_equal(compressed.mask_from_message(compressed.mask_message(factory, head, mask)), mask)
    assert compressed.mask_from_message(compressed.mask_message(factory, head, None)) is None
    assert compressed.mask_from_message(compressed.mask_message(factory, head, np.zeros((0, 3), bool))) is None


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff no jpeg", b"\x89PNG\r\n\x1a\n" + b"\xff" * 60])
def test_data_that_does_not_decode_is_refused(data):
    octets = np.frombuffer(data, np.uint8)
    with pytest.raises(EncodingError, match="does not decode"):
        compressed.decode_compressed_color(ROSBAGS("sensor_msgs/msg/CompressedImage")(format="jpeg", data=octets))
    with pytest.raises(EncodingError, match=r"does not decode|holds no png"):
        compressed.decode_compressed_depth(
            ROSBAGS("sensor_msgs/msg/CompressedImage")(format="16UC1; compressedDepth png", data=octets)
        )


def test_what_is_not_supported_says_what_to_do():
    make = ROSBAGS("sensor_msgs/msg/CompressedImage")
    with pytest.raises(EncodingError, match="set the transport's format to png"):
        compressed.decode_compressed_depth(make(format="16UC1; compressedDepth rvl", data=np.ones(40, np.uint8)))
    with pytest.raises(EncodingError, match="name the colour topic"):
        compressed.decode_compressed_color(make(format="16UC1; compressedDepth png", data=np.ones(40, np.uint8)))
    grey = cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].reshape(-1)
    with pytest.raises(EncodingError, match="must be one 16 bit channel"):
        compressed.decode_compressed_depth(make(format="16UC1; compressedDepth png", data=grey))

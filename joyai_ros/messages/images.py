"""sensor_msgs/Image: pixels in and out, without a copy where the encoding allows a view."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import EncodingError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, GrayImage
from joyai_ros.messages.factory import Message, MessageFactory

MILLIMETRES = 0.001  # what a 16 bit depth image counts in (REP-118)

# Element type and channels of each encoding; names as in sensor_msgs/image_encodings.hpp.
_LAYOUT: dict[str, tuple[str, int]] = {
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "mono8": ("u1", 1),
    "8UC1": ("u1", 1),
    "8UC3": ("u1", 3),
    "mono16": ("u2", 1),
    "16UC1": ("u2", 1),
    "32FC1": ("f4", 1),
}
# 8UC3 names no colours; by OpenCV's habit, which cv_bridge follows, they are blue, green, red.
_TO_RGB: dict[str, int | None] = {
    "rgb8": None,
    "bgr8": cv2.COLOR_BGR2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
}
COLOR_ENCODINGS = frozenset(_TO_RGB)
DEPTH_ENCODINGS = frozenset({"16UC1", "mono16", "32FC1"})


def image_array(message: Message) -> NDArray[Any]:
    """Return the pixels of a sensor_msgs/Image as a view on its data: (H, W) or (H, W, C), row padding left out.

    The element type has the byte order that the message states; the array is read-only where the data is.

    Raises:
        EncodingError: an encoding that is not supported, a size of zero, rows shorter than their pixels, or data that
            is shorter or longer than its rows.
    """
    encoding, width, height, step = message.encoding, int(message.width), int(message.height), int(message.step)
    if encoding not in _LAYOUT:
        raise EncodingError(f"image encoding {encoding!r} is not supported; publish one of {', '.join(_LAYOUT)}")
    element, channels = _LAYOUT[encoding]
    dtype = np.dtype((">" if message.is_bigendian else "<") + element)
    row = width * channels * dtype.itemsize
    data = np.frombuffer(message.data, dtype=np.uint8)
    if width < 1 or height < 1:
        raise EncodingError(f"image is {width}x{height}; a size of zero is not an image")
    if step < row:
        raise EncodingError(f"image step {step} is less than a row of {width} {encoding} pixels ({row} bytes)")
    if not (height - 1) * step + row <= data.size <= height * step:
        raise EncodingError(
            f"image data has {data.size} bytes, but {width}x{height} {encoding} with step {step} takes {height * step}"
        )
    shape = (height, width) if channels == 1 else (height, width, channels)
    strides = (step, channels * dtype.itemsize, dtype.itemsize)[: len(shape)]
    pixels: NDArray[Any] = np.ndarray(shape, dtype, buffer=data.data, strides=strides)
    return pixels


def decode_color(message: Message) -> ColorImage:
    """Return a colour or grey Image as (H, W, 3) uint8 RGB; a view for ``rgb8``.

    Raises:
        EncodingError: it is not a colour encoding, or the data does not fit (see :func:`image_array`).
    """
    if message.encoding in _LAYOUT and message.encoding not in COLOR_ENCODINGS:
        raise EncodingError(f"image encoding {message.encoding!r} is not a colour image; name the colour topic")
    pixels = image_array(message)
    conversion = _TO_RGB[message.encoding]
    return pixels if conversion is None else np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), conversion))


def decode_depth(message: Message, unit: float = MILLIMETRES) -> DepthImage:
    """Return a depth Image as (H, W) float32 metres; a view for 32FC1 in this machine's byte order.

    Args:
        message: a sensor_msgs/Image, 16UC1 or mono16 (whole units) or 32FC1 (metres), see REP-118.
        unit: metres per count of a 16 bit image.

    Raises:
        EncodingError: it is not a depth encoding, or the data does not fit (see :func:`image_array`).
    """
    if message.encoding in _LAYOUT and message.encoding not in DEPTH_ENCODINGS:
        raise EncodingError(f"image encoding {message.encoding!r} is not a depth image; name the depth topic")
    pixels = image_array(message)
    if message.encoding == "32FC1":
        return np.asarray(pixels.astype(np.float32, copy=False))
    return metres(pixels, unit)


def metres(counts: NDArray[Any], unit: float) -> DepthImage:
    """Return whole depth counts (H, W) as float32 metres; zero stays zero."""
    return np.asarray(np.multiply(counts, np.float32(unit), dtype=np.float32))


def color_message(factory: MessageFactory, header: Message, image: ColorImage) -> Message:
    """Return an ``rgb8`` Image from (H, W, 3) uint8 RGB."""
    return _image(factory, header, image, "rgb8")


def mono_message(factory: MessageFactory, header: Message, image: GrayImage) -> Message:
    """Return a ``mono8`` Image from (H, W) uint8."""
    return _image(factory, header, image, "mono8")


def depth_message(factory: MessageFactory, header: Message, depth: DepthImage) -> Message:
    """Return a ``32FC1`` Image from (H, W) float32 metres."""
    return _image(factory, header, depth.astype(np.float32, copy=False), "32FC1")


def depth_mm_message(factory: MessageFactory, header: Message, depth: DepthImage) -> Message:
    """Return a ``16UC1`` Image of whole millimetres from (H, W) metres; beyond 65.535 m it is 0, as unmeasured."""
    return _image(factory, header, millimetres(depth), "16UC1")


def millimetres(depth: DepthImage) -> NDArray[np.uint16]:
    """Return (H, W) metres as whole millimetres; 0 for what is not finite, negative or beyond 65.535 m."""
    counts = np.rint(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) / MILLIMETRES)
    return np.where((counts > 0) & (counts <= 65535), counts, 0).astype(np.uint16)


def _image(factory: MessageFactory, header: Message, pixels: NDArray[Any], encoding: str) -> Message:
    element, channels = _LAYOUT[encoding]
    expected = 2 if channels == 1 else 3
    if pixels.ndim != expected or pixels.dtype != np.dtype(element) or (channels > 1 and pixels.shape[2] != channels):
        raise EncodingError(f"an array of shape {pixels.shape} and type {pixels.dtype} is not a {encoding} image")
    contiguous = np.ascontiguousarray(pixels)
    return factory("sensor_msgs/msg/Image")(
        header=header,
        height=contiguous.shape[0],
        width=contiguous.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=contiguous.strides[0],
        data=factory.sequence(contiguous.reshape(-1).view(np.uint8)),
    )

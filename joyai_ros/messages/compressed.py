"""sensor_msgs/CompressedImage: jpeg, png and image_transport's compressedDepth."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import EncodingError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.images import MILLIMETRES, metres, millimetres

# The header that compressed_depth_image_transport puts before the png: an int32 for the kind of compression and the two
# parameters of the inverse depth quantisation (compression_common.h).
_DEPTH_HEADER = struct.Struct("<iff")
_INVERSE_DEPTH = 1
_PNG_MAGIC = b"\x89PNG"
_QUANTIZATION = 100.0  # the transport's defaults for its parameters depth_quantization and depth_max
_DEPTH_MAX = 10.0


def is_compressed_depth(message: Message) -> bool:
    """Whether a CompressedImage says that it holds depth."""
    return "compressedDepth" in message.format or message.format.split(";")[0].strip() in ("16UC1", "mono16", "32FC1")


def decode_compressed_color(message: Message) -> ColorImage:
    """Return a jpeg or png CompressedImage as (H, W, 3) uint8 RGB.

    Raises:
        EncodingError: it holds depth, no data, or data that does not decode.
    """
    if is_compressed_depth(message):
        raise EncodingError(f"compressed image format {message.format!r} is depth; name the colour topic")
    # A camera's image is as the sensor saw it and as CameraInfo says, whatever an EXIF tag wants for display.
    bgr = _decoded(message.data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, message.format)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def decode_compressed_depth(message: Message, unit: float = MILLIMETRES) -> DepthImage:
    """Return a compressed depth image as (H, W) float32 metres, 0 where there is none.

    Understood are the compressedDepth transport with png (16UC1, and 32FC1 quantised as inverse depth) and a plain
    16 bit png.

    Args:
        message: a sensor_msgs/CompressedImage.
        unit: metres per count of a 16 bit image.

    Raises:
        EncodingError: another format, or data that does not decode to one 16 bit channel.
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if "rvl" in message.format.lower():
        raise EncodingError(
            f"compressed depth format {message.format!r} is not supported; set the transport's format to png"
        )
    prefix = 0 if data[:4].tobytes() == _PNG_MAGIC else _DEPTH_HEADER.size
    if data.size <= prefix:
        raise EncodingError(f"compressed depth image of {data.size} bytes holds no png")
    counts = _decoded(data[prefix:], cv2.IMREAD_UNCHANGED, message.format)
    if counts.ndim != 2 or counts.dtype != np.uint16:
        raise EncodingError(
            f"compressed depth decodes to {counts.dtype} of shape {counts.shape}; it must be one 16 bit channel"
        )
    if not (prefix and message.format.startswith("32FC1")):
        return metres(counts, unit)
    _, quant_a, quant_b = _DEPTH_HEADER.unpack(data[:prefix].tobytes())
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.float32(quant_a) / (counts.astype(np.float32) - np.float32(quant_b))
    return np.asarray(np.where((counts > 0) & np.isfinite(depth) & (depth > 0), depth, np.float32(0)))


def jpeg_message(factory: MessageFactory, header: Message, image: ColorImage, quality: int = 90) -> Message:
    """Return a jpeg CompressedImage from (H, W, 3) uint8 RGB; ``quality`` 1 to 100."""
    data = _encoded(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _compressed(factory, header, "rgb8; jpeg compressed bgr8", data)


def png_message(factory: MessageFactory, header: Message, image: ColorImage) -> Message:
    """Return a png CompressedImage from (H, W, 3) uint8 RGB; lossless."""
    data = _encoded(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [])
    return _compressed(factory, header, "rgb8; png compressed bgr8", data)


def compressed_depth_message(
    factory: MessageFactory, header: Message, depth: DepthImage, *, quantised: bool = False
) -> Message:
    """Return a compressedDepth CompressedImage from (H, W) float32 metres, 0 where there is none.

    Args:
        factory: makes the message.
        header: of the depth image.
        depth: metres.
        quantised: False stores whole millimetres (16UC1). True stores inverse depth as the transport does for 32FC1:
            steps of 0.1 mm at 1 m and 1 cm at 10 m, nothing beyond that or nearer than 0.16 m.
    """
    if not quantised:
        counts, kind, parameters = millimetres(depth), "16UC1", (0.0, 0.0)
    else:
        quant_a = _QUANTIZATION * (_QUANTIZATION + 1.0)
        quant_b = 1.0 - quant_a / _DEPTH_MAX
        valid = np.isfinite(depth) & (depth > 0) & (depth < _DEPTH_MAX)
        inverse = np.where(valid, quant_a / np.where(valid, depth, 1.0) + quant_b, 0.0)
        counts = np.where(inverse <= 65535, np.rint(inverse), 0).astype(np.uint16)
        kind, parameters = "32FC1", (quant_a, quant_b)
    prefix = np.frombuffer(_DEPTH_HEADER.pack(_INVERSE_DEPTH if quantised else 0, *parameters), np.uint8)
    data = np.concatenate([prefix, _encoded(".png", counts, [cv2.IMWRITE_PNG_COMPRESSION, 1])])
    return _compressed(factory, header, f"{kind}; compressedDepth png", data)


def mask_message(factory: MessageFactory, header: Message, mask: Mask | None) -> Message:
    """Return a ``mono8`` png from a (h, w) bool mask, 255 where true; empty data for None or an empty mask."""
    if mask is None or mask.size == 0:
        return factory("sensor_msgs/msg/CompressedImage")(header=header, format="mono8; png compressed mono8")
    # One bit a pixel in the file takes a third of the time; every decoder gives 0 and 255 for it.
    options = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1]
    data = _encoded(".png", mask.astype(np.uint8) * np.uint8(255), options)
    return _compressed(factory, header, "mono8; png compressed mono8", data)


def mask_from_message(message: Message) -> Mask | None:
    """Return the (h, w) bool mask of a ``mono8`` png; None where it is empty.

    Raises:
        EncodingError: the data does not decode.
    """
    if len(message.data) == 0:
        return None
    return _decoded(message.data, cv2.IMREAD_GRAYSCALE, message.format) > 127


def _decoded(data: Any, flags: int, kind: str) -> NDArray[Any]:
    octets = np.frombuffer(data, dtype=np.uint8)
    try:
        pixels = cv2.imdecode(octets, flags) if octets.size else None
    except cv2.error:  # OpenCV throws for some damaged headers and returns None for others
        pixels = None
    if pixels is None:
        raise EncodingError(f"compressed image ({kind!r}, {octets.size} bytes) does not decode; publish jpeg or png")
    return np.asarray(pixels)


def _encoded(suffix: str, pixels: NDArray[Any], options: list[int]) -> NDArray[np.uint8]:
    done, data = cv2.imencode(suffix, pixels, options)
    if not done:
        raise EncodingError(f"an array of shape {pixels.shape} and type {pixels.dtype} does not encode as {suffix[1:]}")
    return np.asarray(data).reshape(-1)


def _compressed(factory: MessageFactory, header: Message, kind: str, data: NDArray[np.uint8]) -> Message:
    return factory("sensor_msgs/msg/CompressedImage")(header=header, format=kind, data=factory.sequence(data))

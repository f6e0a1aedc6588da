"""The messages of one RGB-D frame, and the Observation that they make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from joyai_ros.errors import CameraError, DepthError, InputError
from joyai_ros.geometry.arrays import DepthImage, Mat4, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.rectify import rectify_box, rectify_color, rectify_depth
from joyai_ros.geometry.registration import register_depth
from joyai_ros.messages.cameras import camera_from_info
from joyai_ros.messages.compressed import decode_compressed_color, decode_compressed_depth
from joyai_ros.messages.detections import DetectionBatch, detections_from_2d, detections_from_3d, merged_batches
from joyai_ros.messages.factory import Message
from joyai_ros.messages.images import MILLIMETRES, decode_color, decode_depth
from joyai_ros.scene.observation import Detection, Observation, clean_depth


@dataclass(frozen=True)
class FrameMessages:
    """The messages of one frame, not decoded yet, with what the transform tree says at its stamp.

    Attributes:
        stamp: nanoseconds, of the colour image.
        color: sensor_msgs/Image or CompressedImage.
        depth: the same; None without a depth camera.
        color_info, depth_info: sensor_msgs/CameraInfo of each; None where the depth image has none.
        detections_2d, detections_3d: vision_msgs arrays of this image; None where nobody looked.
        world_from_camera, world_frame: pose of the colour optical frame; None and "" without one.
        up: (3,) against gravity in the colour optical frame, where another frame than the world's tells.
        color_from_depth: (4, 4); None where both images are in one frame.
        camera_from_detections: (4, 4) from the frame of ``detections_3d``; None where it is the camera's own.
        rectified: the colour image is the rectified one of its camera_info.
    """

    stamp: int
    color: Message
    depth: Message | None
    color_info: Message
    depth_info: Message | None = None
    detections_2d: Message | None = None
    detections_3d: Message | None = None
    world_from_camera: Mat4 | None = None
    world_frame: str = ""
    up: Vec3 | None = None
    color_from_depth: Mat4 | None = None
    camera_from_detections: Mat4 | None = None
    rectified: bool = False


def observe(
    frame: FrameMessages, *, depth_unit: float = MILLIMETRES, registered: bool = False
) -> tuple[Observation, tuple[str, ...]]:
    """Decode a frame: undistort, register depth to colour, read the detections.

    Args:
        frame: the messages.
        depth_unit: metres per count of a 16 bit depth image.
        registered: depth is registered to colour, whatever its frame and camera_info say.

    Returns:
        The observation, and "id: reason" of each detection that could not be read.

    Raises:
        EncodingError: an image does not decode.
        CameraError: a camera_info is not a camera, or not of its image.
        DepthError: no valid depth, or depth of another size without a calibration.
    """
    with _about("colour camera_info"):
        camera = camera_from_info(frame.color_info, rectified=frame.rectified)
    with _about("colour image"):
        raw = frame.color
        color = decode_color(raw) if hasattr(raw, "encoding") else decode_compressed_color(raw)
    if color.shape[:2] != camera.shape:
        raise CameraError(
            f"colour image is {color.shape[1]}x{color.shape[0]}, its camera_info {camera.width}x{camera.height}; "
            "publish the camera_info of this image size"
        )
    batch = _detections(frame, camera)
    observation = Observation(
        color=rectify_color(color, camera),
        camera=camera.pinhole(),
        depth=None if frame.depth is None else _registered_depth(frame, camera, depth_unit, registered),
        stamp=frame.stamp,
        frame_id=str(frame.color.header.frame_id),
        world_from_camera=frame.world_from_camera,
        world_frame=frame.world_frame,
        up=frame.up,
        detections=None if batch is None else batch.detections,
    )
    return observation, () if batch is None else batch.rejected


def _registered_depth(frame: FrameMessages, camera: Camera, unit: float, registered: bool) -> DepthImage:
    """Return the depth of the undistorted colour camera, (H, W) float32 metres."""
    raw = frame.depth
    assert raw is not None
    with _about("depth image"):
        decoded = decode_depth(raw, unit) if hasattr(raw, "encoding") else decode_compressed_depth(raw, unit)
        depth = clean_depth(decoded)
    if not depth.any():
        raise DepthError("depth image has no valid pixel (all zero, NaN or out of range); is the sensor covered?")
    own = None
    if frame.depth_info is not None and not registered:
        with _about("depth camera_info"):
            own = camera_from_info(frame.depth_info)
    apart = frame.color_from_depth is not None and not registered
    if not apart and (own is None or own == camera or own == camera.pinhole()):
        if depth.shape != camera.shape:
            raise DepthError(
                f"depth is {depth.shape[1]}x{depth.shape[0]}, colour {camera.width}x{camera.height}, and no camera_info of "
                "the depth image tells how they fit; record it, or name it as topics.depth_info"
            )
        return depth if own == camera.pinhole() != camera else rectify_depth(depth, camera)
    if own is None:
        raise DepthError(
            "depth is in another frame than colour and has no camera_info; record it, or set depth.registered=true"
        )
    color_from_depth = np.eye(4) if frame.color_from_depth is None else frame.color_from_depth
    result = register_depth(rectify_depth(depth, own), own.pinhole(), camera.pinhole(), color_from_depth)
    if not result.any():
        raise DepthError("no depth pixel falls into the colour image; check the transform between the two cameras")
    return result


def _detections(frame: FrameMessages, camera: Camera) -> DetectionBatch | None:
    """Return what was pointed at in the undistorted image; None where nobody looked."""
    batches = []
    if frame.detections_2d is not None:
        there, here = str(frame.detections_2d.header.frame_id), str(frame.color.header.frame_id)
        if there and here and there.lstrip("/") != here.lstrip("/"):
            count = len(frame.detections_2d.detections)
            return DetectionBatch(rejected=(f"{count} detections: they are of frame {there!r}, the image of {here!r}",))
        batches.append(_rectified(detections_from_2d(frame.detections_2d), camera))
    if frame.detections_3d is not None:
        batches.append(detections_from_3d(frame.detections_3d, frame.camera_from_detections))
    if len(batches) == 2:
        return merged_batches(*batches)
    return batches[0] if batches else None


def _rectified(batch: DetectionBatch, camera: Camera) -> DetectionBatch:
    if camera.is_pinhole:
        return batch
    kept: list[Detection] = []
    refused = list(batch.rejected)
    for detection in batch.detections:
        assert detection.box is not None
        try:
            if not np.isfinite(detection.box).all():
                raise CameraError("box holds NaN or infinity")
            kept.append(replace(detection, box=rectify_box(detection.box, camera)))
        except CameraError as error:
            refused.append(f"{detection.id}: {error}")
    return DetectionBatch(tuple(kept), tuple(refused))


@contextmanager
def _about(what: str) -> Iterator[None]:
    """Say in an error which message it is about."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{what}: {error}") from None

"""Observation: one synchronised frame, checked and in canonical form."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.errors import CameraError, DepthError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Float, Mask, Mat4, Vec3, check_image
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera

MIN_DEPTH = 0.001  # metres; no depth camera reads nearer
_SHORTEST = 0.01  # focal length by the image's longer side: a field of view of 179 degrees
MAX_DEPTH = 100.0  # metres; what an RGB-D driver reports beyond this is its way of saying nothing


@dataclass(frozen=True)
class Detection:
    """One object that a detector, a tracker or a user points at in one image.

    Attributes:
        id: unique within the observation.
        label: class name; empty where unknown.
        box: (x0, y0, x1, y1) pixels in the colour image; None where only a 3D box is known.
        score: 0 to 1.
        mask: (H, W) bool instance mask in the colour image, where the detector gives one.
        box3d: the box in the colour optical frame, from a 3D detector.
        front: (3,) direction of the object's front in the colour optical frame, where the detector knows one.
    """

    id: str
    label: str = ""
    box: Box2D | None = None
    score: float = 1.0
    mask: Mask | None = None
    box3d: OrientedBox | None = None
    front: Vec3 | None = None


@dataclass(frozen=True)
class Observation:
    """One synchronised frame of an RGB-D camera.

    Attributes:
        color: (H, W, 3) uint8 RGB.
        camera: the undistorted colour camera.
        depth: (H, W) float32 metres registered to ``color``, 0 where there is none; None without a depth sensor.
        stamp: nanoseconds, from the message.
        frame_id: the colour camera's optical frame.
        world_from_camera: (4, 4) pose of the optical frame in the world; None where TF has none.
        world_frame: that world's frame id.
        up: (3,) unit direction against gravity in the optical frame, where it is known.
        detections: what was pointed at; None where nobody looked (then objects are found from depth alone).

    Raises:
        ImageError, DepthError, CameraError, PoseError: on construction, where a part is not what is said above.
    """

    color: ColorImage
    camera: Camera
    depth: DepthImage | None = None
    stamp: int = 0
    frame_id: str = "camera_color_optical_frame"
    world_from_camera: Mat4 | None = None
    world_frame: str = "world"
    up: Vec3 | None = None
    detections: tuple[Detection, ...] | None = None

    def __post_init__(self) -> None:
        color = np.asarray(self.color)
        check_image(color, "colour image")
        if color.shape[:2] != self.camera.shape:
            raise CameraError(
                f"colour image is {color.shape[1]}x{color.shape[0]}, its camera {self.camera.width}x{self.camera.height}; "
                "a resized image needs a resized camera"
            )
        if not self.camera.is_pinhole:
            raise CameraError("an observation holds undistorted images; rectify them first")
        focal, side = min(self.camera.fx, self.camera.fy), max(self.camera.size)
        if focal < _SHORTEST * side:
            raise CameraError(
                f"a focal length of {focal:g} pixels is that of no camera whose image is {side} pixels wide or high; "
                "is it given in pixels?"
            )
        if self.depth is not None:
            if self.depth.shape != self.camera.shape:
                raise DepthError(
                    f"depth is {self.depth.shape[1]}x{self.depth.shape[0]}, colour {self.camera.width}x{self.camera.height}; "
                    "register depth to colour first (it needs both cameras and the offset between them)"
                )
            object.__setattr__(self, "depth", clean_depth(self.depth))
        if self.world_from_camera is not None:
            object.__setattr__(
                self, "world_from_camera", rigid.checked_transform(self.world_from_camera, "camera pose")
            )
        if self.up is not None:
            object.__setattr__(self, "up", rigid.unit(self.up, "up"))


def clean_depth(depth: Float) -> DepthImage:
    """Return a depth image in metres as float32 with 0 for NaN, infinity, negative, nearer than :data:`MIN_DEPTH` and
    beyond :data:`MAX_DEPTH`.

    Raises:
        DepthError: it is not a 2D float array.
    """
    depth = np.asarray(depth)
    if depth.ndim != 2 or not np.issubdtype(depth.dtype, np.floating):
        raise DepthError(f"depth has shape {depth.shape} and type {depth.dtype}; give (H, W) float32 metres")
    with np.errstate(over="ignore"):  # what float32 cannot hold is beyond the range anyway
        depth = depth.astype(np.float32, copy=False)
    valid = cv2.inRange(depth, MIN_DEPTH, MAX_DEPTH)  # NaN is in no range
    if cv2.countNonZero(valid) == cv2.countNonZero(depth):  # what is not valid is zero already
        return depth
    return np.asarray(cv2.copyTo(depth, valid))

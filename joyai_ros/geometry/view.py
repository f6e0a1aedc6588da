"""View: an imagined image that is a camera."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np

from joyai_ros.geometry.arrays import ColorImage, DepthImage, Float, GrayImage, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion

SEEN = 255  # measured by the sensor from where it was
FILLED = 128  # a small gap between seen pixels, filled from the background beside it
UNKNOWN = 0  # no measurement near: what stands there is invented


class Consistency(enum.IntEnum):
    """What geometry says of a view."""

    UNCHECKED = 0
    CONSISTENT = 1
    INCONSISTENT = 2


@dataclass(frozen=True)
class View:
    """An imagined view.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        camera: the camera that this image would come from.
        validity: (H, W) uint8, :data:`SEEN`, :data:`FILLED` or :data:`UNKNOWN`.
        source_from_view: (4, 4) commanded pose of the new camera in the source camera's optical frame.
        stamp: nanoseconds, the source observation's.
        source_frame: the source camera's optical frame id.
        depth: (H, W) float32 metres of the new view, 0 where there is none; None where no depth is known.
        world_from_view: (4, 4) pose of the new camera in the world; None where the source has no pose.
        world_frame: that world's frame id.
        motion: the motion that was asked for; None for a target pose.
        estimated_source_from_view: (4, 4) pose found by alignment with the seen surface; None where that failed.
        pose_covariance: (6, 6) of the estimate, x y z then rotation about x y z (metres, radians); None without one.
        verified: whether the pose is known: exact for a depth warp, found by alignment for a model.
        consistency: what the geometric check says.
        confidence: 0 to 1; NaN where uncalibrated.
        method: ``depth`` or ``model``.
        model: card name, empty for the depth warp.
        seed: of the generator; 0 for the depth warp.
    """

    image: ColorImage
    camera: Camera
    validity: GrayImage
    source_from_view: Mat4
    stamp: int
    source_frame: str
    depth: DepthImage | None = None
    world_from_view: Mat4 | None = None
    world_frame: str = ""
    motion: CameraMotion | None = None
    estimated_source_from_view: Mat4 | None = None
    pose_covariance: Float | None = None
    verified: bool = False
    consistency: Consistency = Consistency.UNCHECKED
    confidence: float = float("nan")
    method: str = "depth"
    model: str = ""
    seed: int = 0
    synthetic: bool = field(default=True, init=False)

    @property
    def seen_fraction(self) -> float:
        """The share of pixels that the sensor saw."""
        return float(np.mean(self.validity == SEEN))

"""The camera model: intrinsics, lens distortion, projection and rays."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import CameraError
from joyai_ros.geometry.arrays import DepthImage, Mat3, Pixels, Points


class Distortion(str, enum.Enum):
    """Lens distortion models, named as in sensor_msgs/CameraInfo."""

    NONE = "none"
    PLUMB_BOB = "plumb_bob"
    RATIONAL = "rational_polynomial"
    EQUIDISTANT = "equidistant"


_COEFFICIENTS = {
    Distortion.NONE: (0,),
    Distortion.PLUMB_BOB: (4, 5),
    Distortion.RATIONAL: (8, 12, 14),
    Distortion.EQUIDISTANT: (4,),
}


_LEAST_FOCAL = 1e-4  # pixels; no lens is near these limits, and between them float32 neither over- nor underflows
_MOST_PIXELS = 1e7


@dataclass(frozen=True)
class Camera:
    """A camera with pinhole intrinsics and an optional lens distortion.

    Attributes:
        width, height: image size in pixels.
        fx, fy, cx, cy: focal lengths and principal point in pixels; (0, 0) is the centre of the top left pixel.
        distortion: the lens model.
        coefficients: its coefficients in OpenCV's order (k1, k2, p1, p2, k3, ... or k1..k4 for equidistant).

    Raises:
        CameraError: on construction, for a size below one pixel, focal lengths outside 0.0001 to ten million pixels, a
            principal point farther off than that, a value that is not finite, or a number of coefficients that the
            model does not have.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion = Distortion.NONE
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise CameraError(
                f"camera size {self.width}x{self.height} is not an image; give width and height in pixels"
            )
        values = (self.fx, self.fy, self.cx, self.cy, *self.coefficients)
        plausible = min(self.fx, self.fy) >= _LEAST_FOCAL and max(map(abs, values[:4])) <= _MOST_PIXELS
        if not all(np.isfinite(values)) or not plausible:
            raise CameraError(
                f"camera intrinsics fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy} are not a camera: "
                f"focal lengths must be positive and all values finite, in pixels and at most {_MOST_PIXELS:g}; is the "
                "driver calibrated?"
            )
        if len(self.coefficients) not in _COEFFICIENTS[self.distortion]:
            raise CameraError(
                f"distortion model {self.distortion.value} takes {_COEFFICIENTS[self.distortion]} coefficients, "
                f"got {len(self.coefficients)}"
            )

    @property
    def matrix(self) -> Mat3:
        """The (3, 3) float64 intrinsic matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, OpenCV's order."""
        return self.width, self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels, NumPy's order."""
        return self.height, self.width

    @property
    def is_pinhole(self) -> bool:
        """Whether straight lines stay straight: no distortion, or only zero coefficients."""
        return self.distortion is Distortion.NONE or not any(self.coefficients)

    def pinhole(self) -> Camera:
        """The same intrinsics without lens distortion."""
        return replace(self, distortion=Distortion.NONE, coefficients=())

    def rays(self) -> NDArray[np.float32]:
        """Return (H, W, 3) float32 directions with z = 1 through each pixel centre; depth times ray is the point.

        The array is cached and read-only.

        Raises:
            CameraError: the camera is distorted; undistort first (:func:`joyai_ros.geometry.rectify.rectify`).
        """
        if not self.is_pinhole:
            raise CameraError("rays need an undistorted camera; rectify the images first")
        return _rays(self.pinhole())

    def project(self, points: Points) -> Pixels:
        """Project points (N, 3) in the optical frame, z > 0, to pixels (N, 2), lens distortion included."""
        p = np.asarray(points)
        if not self.is_pinhole:
            return self._project_distorted(p)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = p[..., 0] / p[..., 2] * self.fx + self.cx
            v = p[..., 1] / p[..., 2] * self.fy + self.cy
        return np.stack([u, v], axis=-1)

    def _project_distorted(self, points: Points) -> Pixels:
        flat = np.ascontiguousarray(points.reshape(-1, 1, 3), dtype=np.float64)
        zero = np.zeros(3)
        coefficients = np.array(self.coefficients)
        if self.distortion is Distortion.EQUIDISTANT:
            pixels, _ = cv2.fisheye.projectPoints(flat, zero, zero, self.matrix, coefficients)
        else:
            pixels, _ = cv2.projectPoints(flat, zero, zero, self.matrix, coefficients)
        return pixels.reshape(*points.shape[:-1], 2)

    def unproject(self, pixels: Pixels, depth: NDArray[np.floating[Any]]) -> Points:
        """Return points (N, 3) for pixels (N, 2) of an undistorted camera with depth (N,) in metres along z."""
        x = (pixels[..., 0] - self.cx) / self.fx * depth
        y = (pixels[..., 1] - self.cy) / self.fy * depth
        return np.stack([x, y, depth], axis=-1)

    def cloud(self, depth: DepthImage) -> NDArray[np.float32]:
        """Return (H, W, 3) float32 points for a depth image (H, W) in metres; zeros where there is no depth.

        Raises:
            CameraError: the depth image's size is not the camera's.
        """
        if depth.shape != self.shape:
            raise CameraError(f"depth is {depth.shape[1]}x{depth.shape[0]}, its camera {self.width}x{self.height}")
        return self.rays() * depth[..., None]

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the image after resizing to ``width`` x ``height`` (pixel areas map onto pixel areas)."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """The camera of the image part that starts at (left, top) with this size; it may reach over the border."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)


def assumed_camera(width: int, height: int) -> Camera:
    """Return a camera for an image whose calibration nobody gave: 53 degrees along its longer side.

    What is told from directions with it is rough; nothing metric may be.
    """
    focal = float(max(width, height))
    return Camera(width, height, focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)


@lru_cache(maxsize=8)
def _rays(camera: Camera) -> NDArray[np.float32]:
    u = (np.arange(camera.width, dtype=np.float64) - camera.cx) / camera.fx
    v = (np.arange(camera.height, dtype=np.float64) - camera.cy) / camera.fy
    rays = np.empty((camera.height, camera.width, 3), dtype=np.float32)
    rays[..., 0] = u
    rays[..., 1] = v[:, None]
    rays[..., 2] = 1.0
    rays.flags.writeable = False
    return rays

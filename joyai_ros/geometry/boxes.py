"""Oriented 3D boxes and axis-aligned 2D boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import BoxError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat3, Mat4, Points, Vec3

Box2D = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels, x1 > x0, y1 > y0

_CORNER_SIGNS = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=np.float64) / 2.0


@dataclass(frozen=True)
class OrientedBox:
    """A box with its own axes, in metres in some frame that the owner names.

    A gravity-aligned box has its z axis along *up*; x is the longer horizontal axis, y the shorter, so that ``size`` reads
    (length, width, height).

    Attributes:
        center: (3,) float64 centre.
        rotation: (3, 3) float64; columns are the box axes, so it maps box to frame.
        size: (3,) float64 extents along the box axes.

    Raises:
        BoxError: on construction, where a value is not finite, a size is negative, or the axes are not a rotation.
    """

    center: Vec3
    rotation: Mat3
    size: Vec3

    def __post_init__(self) -> None:
        center, rotation, size = (np.array(a, dtype=np.float64) for a in (self.center, self.rotation, self.size))
        if center.shape != (3,) or size.shape != (3,) or rotation.shape != (3, 3):
            raise BoxError(
                f"a 3D box needs shapes (3,), (3, 3), (3,), got {center.shape}, {rotation.shape}, {size.shape}"
            )
        if not all(map(math.isfinite, (*center.tolist(), *rotation.ravel().tolist(), *size.tolist()))):
            raise BoxError("a 3D box holds NaN or infinity")
        if min(size.tolist()) < 0:
            raise BoxError(f"a 3D box has a negative size {size.tolist()}")
        if not _is_rotation(rotation):
            raise BoxError("the axes of a 3D box are not a rotation")
        for name, value in (("center", center), ("rotation", rotation), ("size", size)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @property
    def volume(self) -> float:
        """Volume in cubic metres."""
        length, width, height = self.size.tolist()
        return float(length * width * height)

    def corners(self) -> Points:
        """The (8, 3) corners."""
        return self.center + (_CORNER_SIGNS * self.size) @ self.rotation.T

    def transformed(self, target_from_frame: Mat4) -> OrientedBox:
        """The same box in another frame."""
        return OrientedBox(
            rigid.apply(target_from_frame, self.center), target_from_frame[:3, :3] @ self.rotation, self.size
        )

    def local(self, points: Points) -> Points:
        """Map points (N, 3) of the frame into the box's own axes, origin at its centre."""
        return (points - self.center) @ self.rotation

    def contains(self, points: Points, margin: float = 0.0) -> NDArray[np.bool_]:
        """Return a (N,) bool array: which points (N, 3) lie inside the box grown by ``margin`` metres a side."""
        return np.asarray((np.abs(self.local(points)) <= self.size / 2.0 + margin).all(axis=-1))

    def extent_along(self, direction: Vec3) -> float:
        """Return the box's extent in metres along a unit direction (3,)."""
        return float(np.abs(np.asarray(direction) @ self.rotation) @ self.size)


def _is_rotation(matrix: Mat3) -> bool:
    """Whether a (3, 3) matrix is a rotation to within 1e-4.

    Dozens of boxes are made in a frame: in plain numbers, which for nine of them is several times quicker than in arrays.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    lengths = (a * a + b * b + c * c, d * d + e * e + f * f, g * g + h * h + i * i)
    angles = (a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i)
    handed = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return handed > 0 and all(abs(n - 1) <= 1e-4 for n in lengths) and all(abs(n) <= 1e-4 for n in angles)


def checked_box2d(box: object, width: int, height: int, name: str = "box") -> Box2D:
    """Return a 2D box clipped to a ``width`` x ``height`` image.

    Raises:
        BoxError: not four finite numbers, inverted or empty, or entirely outside the image.
    """
    try:
        x0, y0, x1, y1 = (float(v) for v in box)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise BoxError(f"{name} {box!r} is not four numbers; give [x_min, y_min, x_max, y_max] in pixels") from None
    if not np.isfinite((x0, y0, x1, y1)).all():
        raise BoxError(f"{name} {box!r} holds NaN or infinity")
    if x1 <= x0 or y1 <= y0:
        raise BoxError(f"{name} {[x0, y0, x1, y1]} is inverted or empty; give [x_min, y_min, x_max, y_max]")
    clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        raise BoxError(f"{name} {[x0, y0, x1, y1]} lies outside the {width}x{height} image")
    return clipped


def box2d_area(box: Box2D) -> float:
    """Return the area of a 2D box in square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def box2d_shared(a: Box2D, b: Box2D) -> float:
    """Return the area in square pixels that two 2D boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def box2d_iou(a: Box2D, b: Box2D) -> float:
    """Return the intersection over union of two 2D boxes."""
    shared = box2d_shared(a, b)
    union = box2d_area(a) + box2d_area(b) - shared
    return shared / union if union > 0 else 0.0

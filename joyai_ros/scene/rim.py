"""The upper rim of an object and the surface beside its foot: what its height is measured between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mat3, Vec3
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.order import median, quantile
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.segment import plane_heights
from joyai_ros.scene.types import SupportPlane

_WINDOW = 5  # pixels: the top is the highest mean over a window, not the highest pixel
_EXCESS = 0.7  # noise sigmas by which the highest of many window means lies above the surface
_LEVEL_BAND = 0.01  # metres: spread of a level top
_LEVEL_SHARE = 0.4  # of an object's pixels that make its top a level one
_RIM_STEPS = (3, 6)  # pixels over which a rim is looked for: its edge may have lost some
_RIM_BACK = 0.008  # metres, and three noise sigmas, that the surface behind a rim lies farther
_RIM_DOWN = 0.003  # metres, and two noise sigmas, that it lies lower
_RIM_COLUMNS = 0.35  # share of the object's columns that show a rim
_FILLED = 0.6  # share of such a window that must be on the object
_NEAR_TOP = 0.008  # metres below the top within which a column of the image counts as reaching it
_MAX_BAND = 6.0  # pixels: a wider gap is not the sensor's edge
_BESIDE = 25  # pixels around an object's foot within which its support surface is measured again
_FOOT_BAND = 0.012  # metres off the plane that still count as that surface
_MIN_FOOT_PIXELS = 100


@dataclass(frozen=True)
class Surface:
    """A level surface that an object may stand on, in the optical frame: a support plane, or a plane through up alone.

    Attributes:
        normal, offset: ``normal @ p + offset`` is the height in metres above it.
        sigma: metres, of that height.
        is_support: whether it is a measured plane; else ``offset`` is arbitrary.
    """

    normal: Vec3
    offset: float
    sigma: float
    is_support: bool

    @cached_property
    def basis(self) -> Mat3:
        """(3, 3) level from optical: rows are right, forward and up over this surface."""
        return level_basis(self.normal)

    @classmethod
    def of(cls, plane: SupportPlane) -> Surface:
        """The surface of a support plane."""
        return cls(plane.normal, plane.offset, plane.sigma, True)


@dataclass(frozen=True)
class Rim:
    """Heights in metres above the fitted support plane.

    Attributes:
        top: of the object's highest part.
        top_sigma: what the lost band at its upper edge leaves open (one standard deviation).
        foot: of the surface beside it: depth cameras bend planes by some millimetres, which cancels between the two.
        hollow: a near rim hides lower surface of the object behind it, as only the rim of a container does.
    """

    top: float
    top_sigma: float
    foot: float
    hollow: bool = False


def measure_rim(
    depth: DepthImage, camera: Camera, surface: Surface, pixels: NDArray[np.int64], box: Box2D | None, noise: float
) -> Rim:
    """Measure an object's top and foot.

    Depth cameras lose a band of pixels along the upper edge of an object. Where a box says that the object reaches over
    that band, the band is either more of its level top (no height) or more of its upright front (full height): the
    middle is taken, and the spread of that uniform distribution is the sigma.

    Args:
        depth: (H, W) float32 metres.
        camera: its camera.
        surface: what the object stands on.
        pixels: (N,) flat indices of the object's pixels.
        box: the object's 2D box, where somebody drew one.
        noise: metres, depth noise at the object (one standard deviation).
    """
    rows, columns = np.divmod(pixels, camera.width)
    r0, c0 = max(int(rows.min()) - _BESIDE, 0), max(int(columns.min()) - _BESIDE, 0)
    r1, c1 = (
        min(int(rows.max()) + _BESIDE, camera.height - 1) + 1,
        min(int(columns.max()) + _BESIDE, camera.width - 1) + 1,
    )
    part = np.s_[r0:r1, c0:c1]
    height = plane_heights(depth[part], camera.cropped(c0, r0, c1 - c0, r1 - r0), surface.normal, surface.offset)
    mask = np.zeros(height.shape, dtype=np.float32)
    mask[rows - r0, columns - c0] = 1.0
    share = cv2.blur(mask, (_WINDOW, _WINDOW), borderType=cv2.BORDER_CONSTANT)
    mean = cv2.blur(height * mask, (_WINDOW, _WINDOW), borderType=cv2.BORDER_CONSTANT)
    solid = (share > _FILLED) & (mask > 0)
    smooth = mean[solid] / share[solid] if solid.any() else height[mask > 0]
    top = _top(smooth, noise) - _EXCESS * noise
    gain = _lost_band(depth[part], height, mask, top, surface, camera, (box[1] - r0) if box is not None else None)
    foot = _foot(depth[part], height, mask, rows, r0) if surface.is_support else 0.0
    return Rim(top + gain / 2.0, gain / np.sqrt(12.0), foot, _is_hollow(depth[part], height, mask > 0, noise))


def _top(smooth: NDArray[np.float32], noise: float) -> float:
    """Return the highest of the window means, unless a few stick out of a level top: those are of what stands on it."""
    level, nearly = quantile(smooth, 0.90), quantile(smooth, 0.97)
    top = float(smooth.max())
    flat = np.abs(smooth - level) < _LEVEL_BAND + 2.0 * noise
    return nearly if top - nearly > _LEVEL_BAND + 3.0 * noise and flat.mean() > _LEVEL_SHARE else top


def _lost_band(
    depth: DepthImage,
    height: NDArray[np.float32],
    mask: NDArray[np.float32],
    top: float,
    surface: Surface,
    camera: Camera,
    box_top: float | None,
) -> float:
    """Return the height in metres of the band without depth between the measured rim and the box's upper side."""
    if box_top is None:
        return 0.0
    first = np.argmax(mask > 0, axis=0)
    columns = np.flatnonzero((mask > 0).any(axis=0))
    first = first[columns]
    reaching = height[first, columns] > top - _NEAR_TOP
    if not reaching.any():
        return 0.0
    columns, first = columns[reaching], first[reaching]
    # The run of pixels without depth above each column's first one, as far as the band may reach.
    above = first[:, None] - 1 - np.arange(int(_MAX_BAND))
    measured = (above < 0) | (depth[np.maximum(above, 0), columns[:, None]] > 0)
    run = np.where(measured.any(axis=1), np.argmax(measured, axis=1), int(_MAX_BAND))
    runs = np.minimum(run, np.maximum(first - box_top, 0.0))
    z = median(depth[first, columns])
    level = max(float(np.hypot(surface.normal[0], surface.normal[1])), 0.3)
    return median(runs) * z / camera.fy / level


def _is_hollow(depth: DepthImage, height: NDArray[np.float32], mask: NDArray[np.bool_], noise: float) -> bool:
    """Whether, going up the image, the object's own surface jumps back and down in a good part of its columns."""
    jumps = np.zeros(mask.shape[1], dtype=bool)
    for step in _RIM_STEPS:
        both = mask[step:] & mask[:-step]
        back = depth[:-step] - depth[step:] > _RIM_BACK + 3.0 * noise
        down = height[step:] - height[:-step] > _RIM_DOWN + 2.0 * noise
        jumps |= (both & back & down).any(axis=0)
    return float(jumps.sum()) > _RIM_COLUMNS * float(mask.any(axis=0).sum())


def _foot(
    depth: DepthImage, height: NDArray[np.float32], mask: NDArray[np.float32], rows: NDArray[np.int64], r0: int
) -> float:
    """Return the median height of the support surface beside the lower half of the object."""
    beside = (mask == 0) & (depth > 0) & (np.abs(height) < _FOOT_BAND)
    beside[: int(median(rows)) - r0] = False
    return median(height[beside]) if beside.sum() >= _MIN_FOOT_PIXELS else 0.0

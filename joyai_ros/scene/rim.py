"""The upper rim of an object and the surface beside its foot: what its height is measured between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mask, Mat3, Vec3
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.order import median, quantiles
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.patch import Patch
from joyai_ros.scene.plane_view import plane_heights
from joyai_ros.scene.types import SupportPlane

_WINDOW = 5  # pixels: the top is the highest mean over a window, not the highest pixel
_EXCESS = 0.7  # noise sigmas by which the highest of some window means lies above the surface
_TOP_LAYER = 2.0  # noise sigmas below the highest: most window means on a level top lie in this layer
_LEVEL, _SLANTED = 0.3, 0.8  # of that layer's windows, in the next one below it: a level top, and none
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
_COLUMNS = 60  # of an object are enough to know how many show a rim
_BESIDE_PIXELS = 4000  # that are looked at for a foot, about
_SAMPLE = 1000  # values are enough for a rank among them


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
    depth: DepthImage, camera: Camera, surface: Surface, patch: Patch, box: Box2D | None, noise: float
) -> Rim:
    """Measure an object's top and foot.

    Depth cameras lose a band of pixels along the upper edge of an object. Where a box says that the object reaches over
    that band, the band is either more of its level top (no height) or more of its upright front (full height): the
    middle is taken, and the spread of that uniform distribution is the sigma.

    Args:
        depth: (H, W) float32 metres.
        camera: its camera.
        surface: what the object stands on.
        patch: the object's pixels.
        box: the object's 2D box, where somebody drew one.
        noise: metres, depth noise at the object (one standard deviation).
    """
    top, left, mask = patch.top, patch.left, patch.mask
    window = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
    z, height = depth[window], plane_heights(depth, camera, surface.normal, surface.offset, window)
    around, border = (_WINDOW, _WINDOW), cv2.BORDER_CONSTANT
    count = cv2.boxFilter(mask.view(np.uint8), -1, around, normalize=False, borderType=border)
    total = cv2.boxFilter(height * mask, -1, around, normalize=False, borderType=border)
    solid = (count > _FILLED * _WINDOW**2) & mask
    smooth = total[solid] / count[solid]
    if len(smooth) == 0:
        smooth = height[mask]
    highest = _without_excess(_top(smooth, noise), smooth, noise)
    gain = _lost_band(depth, height, patch, highest, surface, camera, box[1]) if box is not None else 0.0
    foot = _foot(depth, camera, surface, patch) if surface.is_support else 0.0
    return Rim(highest + gain / 2.0, gain / np.sqrt(12.0), foot, _is_hollow(z, height, mask, noise))


def _top(smooth: NDArray[np.float32], noise: float) -> float:
    """Return the highest of the window means, unless a few stick out of a level top: those are of what stands on it."""
    some = smooth[:: max(len(smooth) // _SAMPLE, 1)]
    level, nearly = quantiles(some, (0.90, 0.97))
    top = float(smooth.max())
    if top - nearly <= _LEVEL_BAND + 3.0 * noise:
        return top
    flat = np.abs(some - level) < _LEVEL_BAND + 2.0 * noise
    return nearly if flat.mean() > _LEVEL_SHARE else top


def _without_excess(top: float, smooth: NDArray[np.float32], noise: float) -> float:
    """Return the height of the surface whose highest window mean is given.

    The highest of thousands of means on a level top lies higher above it than the highest of a few on a rim. A level
    top is where their median is.
    """
    some = smooth[:: max(len(smooth) // _SAMPLE, 1)]
    layer = _TOP_LAYER * noise
    upper = some[(some > top - layer) & (some <= top)]
    if len(upper) == 0:
        return top - _EXCESS * noise
    below = float(np.count_nonzero((some > top - 2.0 * layer) & (some <= top - layer))) / len(upper)
    level = min(max((_SLANTED - below) / (_SLANTED - _LEVEL), 0.0), 1.0)
    return level * median(upper) + (1.0 - level) * (top - _EXCESS * noise)


def _lost_band(
    depth: DepthImage,
    height: NDArray[np.float32],
    patch: Patch,
    top: float,
    surface: Surface,
    camera: Camera,
    box_top: float,
) -> float:
    """Return the height in metres of the band without depth between the measured rim and the box's upper side."""
    columns, first, _ = patch.by_column
    reaching = height[first - patch.top, columns - patch.left] > top - _NEAR_TOP
    columns, first = columns[reaching], first[reaching]
    if len(columns) == 0:
        return 0.0
    # The run of pixels without depth above each column's first one, as far as the band may reach.
    above = first - 1 - np.arange(int(_MAX_BAND))[:, None]
    measured = (above < 0) | (depth[np.maximum(above, 0), columns] > 0)
    run = np.where(measured.any(axis=0), np.argmax(measured, axis=0), int(_MAX_BAND))
    runs = np.minimum(run, np.maximum(first - box_top, 0.0))
    z = median(depth[first, columns])
    level = max(float(np.hypot(surface.normal[0], surface.normal[1])), 0.3)
    return median(runs) * z / camera.fy / level


def _is_hollow(depth: DepthImage, height: NDArray[np.float32], mask: Mask, noise: float) -> bool:
    """Whether, going up the image, the object's own surface jumps back and down in a good part of its columns."""
    some = np.s_[:, :: max(mask.shape[1] // _COLUMNS, 2)]
    depth, height = np.ascontiguousarray(depth[some]), np.ascontiguousarray(height[some])
    mask = np.ascontiguousarray(mask[some])
    jumps = np.zeros(mask.shape[1], dtype=bool)
    for step in _RIM_STEPS:
        jump = depth[:-step] - depth[step:] > _RIM_BACK + 3.0 * noise
        jump &= height[step:] - height[:-step] > _RIM_DOWN + 2.0 * noise
        jump &= mask[step:]
        jump &= mask[:-step]
        jumps |= jump.any(axis=0)
    return int(np.count_nonzero(jumps)) > _RIM_COLUMNS * int(np.count_nonzero(mask.any(axis=0)))


def _foot(depth: DepthImage, camera: Camera, surface: Surface, patch: Patch) -> float:
    """Return the median height of the support surface beside the lower half of the object."""
    half = int(median(patch.pixels[:: max(len(patch.pixels) // _SAMPLE, 1)])) // depth.shape[1]
    bottom, right = patch.top + patch.mask.shape[0], patch.left + patch.mask.shape[1]
    left = max(patch.left - _BESIDE, 0)
    window = np.s_[half : bottom + _BESIDE, left : right + _BESIDE]
    own = np.zeros(depth[window].shape, dtype=bool)
    own[: bottom - half, patch.left - left : right - left] = patch.mask[half - patch.top :]
    stride = max(int(math.sqrt(own.size / _BESIDE_PIXELS)), 1)
    some = np.s_[half : bottom + _BESIDE : stride, left : right + _BESIDE : stride]
    height = plane_heights(depth, camera, surface.normal, surface.offset, some)
    found = height[(np.abs(height) < _FOOT_BAND) & (depth[some] > 0) & ~own[::stride, ::stride]]
    if len(found) * stride**2 < _MIN_FOOT_PIXELS:
        return 0.0
    return median(found[:: max(len(found) // _SAMPLE, 1)])

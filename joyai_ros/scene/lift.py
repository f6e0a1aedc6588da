"""From an object's pixels to its extent over the surface it stands on, and to its gravity-aligned box."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mat3, Points, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.order import quantile
from joyai_ros.scene.footprint import Footprint, fit_footprint
from joyai_ros.scene.lying import fit_lying
from joyai_ros.scene.occlusion import Occlusion
from joyai_ros.scene.rim import Rim, Surface
from joyai_ros.scene.stick import Stick, fit_stick

MIN_POINTS = 20
_STANDS = 0.025  # metres: a lowest visible point this close above a surface means that the object stands on it
# What errors really are, over simulated scenes, per metre of the estimates across the view, along it and upward.
_ACROSS, _ALONG, _UPWARD = 1.35, 1.4, 0.75
_SIDES = (1.7, 1.1)  # sigmas of length and width in sigmas of the middle in that direction
_SIDE_SHARE = (0.008, 0.013)  # of the side itself, as well
_LENGTH_PLAY = 0.6  # sigma per metre between the lengths of rectangles that fit about as well
_CUT = (0.0165, 0.0045)  # metres that a fully cut side may hide, across the view and along it
_ROUND_CUT = (0.01, 0.03)  # the same of round things, per metre of width
_PLAY = 0.8  # sigma per metre between rectangles that fit about as well
_UNFILLED = 0.5  # sigma per metre of a 2D box that an object's pixels leave empty
_MISFIT = 0.4  # sigma along the view per metre of the footprint, where its pixels and its 2D box have nothing in common
_CUP = (0.75, 2.0)  # height over width of what is hollow and drunk from
# Of its width: how far a handle out of sight moves its middle, and what it adds to its length.
_HANDLE, _HANDLE_LENGTH = 0.1, 0.3
_LEAN = 0.03  # metres that the middle may lie aside per metre of hidden height
_DEEP = 0.22  # of the width within the footprint's sides
_TOP_BAND = 0.006  # metres, and at least a tenth of the height, below the top that still count as top
_TOP_SHARE = 0.06  # share of an object's points that make a level top


@dataclass(frozen=True)
class Lifted:
    """An object's measured extent over its surface; metres.

    Attributes:
        footprint: its rectangle in the level plane of ``surface``.
        surface: what heights are measured from.
        top, bottom: heights above ``surface``.
        low: height of the lowest part that was seen.
        bottom_seen: the bottom is where the object meets what carries it; else its lower part is hidden.
        hollow: a cavity was seen inside it.
        closed: a level top was seen across it.
        noise: depth noise at the object, one standard deviation.
        pitch: metres between neighbouring depth pixels on it.
        top_sigma, bottom_sigma: one standard deviation of the heights.
        occlusion: how much of its outline is cut.
        unfilled: metres by which its pixels fail to fill the 2D box drawn for it: others' pixels, or parts missed.
        misfit: share by which they fail to fill it, from where depth at edges and hand-drawn boxes no longer explain it.
        hidden: metres of its height whose sides were not seen: they may lean or be wider.
        stick: its axis, where it is long and thin and does not lie.
        extended: its footprint reaches to where that axis leads, out of sight.
    """

    footprint: Footprint
    surface: Surface
    top: float
    bottom: float
    low: float
    bottom_seen: bool
    hollow: bool
    closed: bool
    noise: float
    pitch: float
    top_sigma: float
    bottom_sigma: float
    occlusion: Occlusion
    hidden: float = 0.0
    unfilled: float = 0.0
    misfit: float = 0.0
    stick: Stick | None = None
    extended: bool = False

    @property
    def completed(self) -> bool:
        """Whether the box holds more than was seen, because the shape says where the rest is."""
        return self.footprint.round or self.footprint.lying or self.extended

    @property
    def height(self) -> float:
        """Vertical extent in metres."""
        return max(self.top - self.bottom, 1e-3)

    @property
    def height_sigma(self) -> float:
        """One standard deviation of :attr:`height` in metres."""
        return _UPWARD * math.hypot(self.top_sigma, self.bottom_sigma) + _UNFILLED * self.unfilled

    def obb(self) -> OrientedBox:
        """The box in the optical frame: length, width, height; z axis along the surface's normal."""
        basis = self.surface.basis
        center = np.array([*self.footprint.center, (self.top + self.bottom) / 2.0 - self.surface.offset])
        size = np.array([self.footprint.length, self.footprint.width, self.height])
        return OrientedBox(basis.T @ center, _box_axes(self.footprint.axis, basis), size)

    def center_sigma(self) -> Vec3:
        """One standard deviation of the box centre along the optical axes, (3,) metres."""
        lateral, along = self._spread()
        basis = self.surface.basis
        level = np.array([lateral, along, self.height_sigma / 2.0 + self.surface.sigma])
        return np.asarray(np.sqrt(np.square(level) @ np.square(basis)))

    def size_sigma(self) -> Vec3:
        """One standard deviation of length, width and height, (3,) metres."""
        lateral, along = self._spread()
        x, y = self.footprint.axis.tolist()  # how much of the length lies across the view and along it
        length = math.hypot(x * lateral, y * along) * _SIDES[0] + _SIDE_SHARE[0] * self.footprint.length
        width = math.hypot(y * lateral, x * along) * _SIDES[1] + _SIDE_SHARE[1] * self.footprint.width
        return np.array([math.hypot(length, _LENGTH_PLAY * self.footprint.length_play), width, self.height_sigma])

    def _spread(self) -> tuple[float, float]:
        """One standard deviation of the footprint's middle across the view and along it, metres."""
        across, along_cut = self.occlusion.across, max(self.occlusion.along, 0.5 * self.occlusion.across)
        lateral = math.hypot(0.3 * self.pitch, 0.22 * self.noise)
        along = math.hypot(0.15 * self.pitch, 0.47 * self.noise)
        if self.footprint.round:
            lateral += _ROUND_CUT[0] * across * self.footprint.width
            along += _ROUND_CUT[1] * along_cut * self.footprint.width
        else:
            lateral += _CUT[0] * across**2  # little is missing until most of a side is cut
            along += _CUT[1] * along_cut
        lean = _LEAN * self.hidden + _UNFILLED * self.unfilled
        along += _MISFIT * self.misfit * self.footprint.depth
        beside, beyond = self.footprint.play
        return math.hypot(_ACROSS * (lateral + lean), _PLAY * beside), math.hypot(
            _ALONG * (along + lean), _PLAY * beyond
        )


def lift(
    points: Points,
    surface: Surface,
    rim: Rim,
    occlusion: Occlusion,
    noise: float,
    pitch: float,
    unfilled: float = 0.0,
    misfit: float = 0.0,
) -> Lifted:
    """Measure an object's extent from its visible points.

    Args:
        points: (N, 3) optical frame, N >= MIN_POINTS.
        surface: what it stands on.
        rim: its top and foot.
        occlusion: how much of its outline is cut.
        noise: metres, depth noise at the object (one standard deviation).
        pitch: metres between neighbouring depth pixels on the object.
        unfilled: metres by which its pixels fail to fill the 2D box drawn for it.
        misfit: share by which they do so, from where depth at edges and hand-drawn boxes no longer explain it.
    """
    level = np.asarray(points, dtype=np.float64) @ surface.basis.T
    level[:, 2] += surface.offset
    height = np.ascontiguousarray(level[:, 2])
    footprint = fit_footprint(level[:, :2], pitch, noise)
    low = quantile(height, 0.01)
    stands = surface.is_support and low < _STANDS + 2.0 * noise
    bottom = rim.foot if stands else low
    if stands and not footprint.round:
        footprint = fit_lying(level, footprint, bottom, rim.top, surface.offset, noise, pitch) or footprint
    if footprint.round and rim.hollow and _CUP[0] < (rim.top - bottom) / footprint.width < _CUP[1]:
        aside = _HANDLE * footprint.width  # a cup: there may be a handle out of sight
        footprint = replace(footprint, play=(aside, aside), length_play=_HANDLE_LENGTH * footprint.width)
    vertical = 0.4 * noise
    closed = _is_closed(level[:, :2], height, footprint, rim.top)
    edge = (0.5 if closed else 0.8) * pitch  # a thin rim loses more of its pixels than a level top
    return Lifted(
        footprint=footprint,
        surface=surface,
        top=max(rim.top, bottom + 1e-3),
        bottom=bottom,
        low=low,
        bottom_seen=stands,
        hollow=rim.hollow,
        closed=closed,
        noise=noise,
        pitch=pitch,
        top_sigma=math.hypot(vertical, rim.top_sigma) + edge + 0.1 * occlusion.upper * max(rim.top, 0.0),
        bottom_sigma=surface.sigma + 0.2 * noise if stands else vertical,
        occlusion=occlusion,
        unfilled=unfilled,
        misfit=misfit,
        stick=fit_stick(level),
    )


def _is_closed(level: NDArray[np.float64], height: NDArray[np.float64], footprint: Footprint, top: float) -> bool:
    """Whether surface at the height of the top shows deep within the footprint."""
    upper = level[height > top - max(_TOP_BAND, 0.1 * top)]
    if len(upper) <= _TOP_SHARE * len(level):
        return False
    (x, y), deep = footprint.axis.tolist(), _DEEP * footprint.width
    along, across = np.abs((upper - footprint.center) @ np.array([[x, -y], [y, x]])).T
    on_top = (along < footprint.length / 2.0 - deep) & (across < footprint.width / 2.0 - deep)
    return int(np.count_nonzero(on_top)) > _TOP_SHARE * len(level)


def _box_axes(axis: NDArray[np.float64], basis: Mat3) -> Mat3:
    """Return (3, 3) columns length, width, up in the optical frame from the unit length axis (2,) in the level plane."""
    x, y = float(axis[0]), float(axis[1])
    return np.asarray(basis.T @ np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]]))

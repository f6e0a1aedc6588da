"""Clusters: connected pieces of surface that are not a support plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Mask
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.order import at_least, median
from joyai_ros.scene.config import SegmentationConfig
from joyai_ros.scene.plane_view import WHOLE, PlaneView, Window

_BELOW = 0.02  # metres: deeper than this under every plane is not standing on any of them
_SLOPE_WINDOW = 7  # pixels over which the slope of a surface is averaged
_SLOPE_SHARE = 0.5  # times the mean slope that a pair on one surface may differ
_CREASE = np.ones((4, 4), dtype=np.uint8)  # two pixels for one that holds a crease, and one beyond on every side
_NEIGHBOURS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)

_SPARSE: Window = slice(None, None, 4), slice(None, None, 4)


@dataclass(frozen=True)
class Clusters:
    """Connected surface pieces of one depth image.

    Attributes:
        labels: (H, W) int32, 0 for background, 1..count for the pieces, largest pixel count not first.
        foreground: (H, W) bool, measured and not on a support plane.
        stats: (count + 1, 5) int32 rows of left, top, width, height, pixels before the pixels at edges were given back;
            zeros for the background (row 0) and for numbers that no piece has.
        grown: how many pixels deep they were given back.
    """

    labels: NDArray[np.int32]
    foreground: Mask
    stats: NDArray[np.int32]
    grown: int = 0

    def pixels(self, piece: int) -> NDArray[np.int64]:
        """Return the flat indices (N,) of a piece's pixels, ascending."""
        left, top, across, down = self.stats[piece, :4].tolist()
        left, top = max(left - self.grown, 0), max(top - self.grown, 0)
        window = self.labels[top : top + down + 2 * self.grown, left : left + across + 2 * self.grown]
        inside = np.flatnonzero(window == piece)
        row = inside // window.shape[1]
        return inside + row * (self.labels.shape[1] - window.shape[1]) + (top * self.labels.shape[1] + left)

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return len(self.stats) - 1


def find_clusters(
    depth: DepthImage,
    camera: Camera,
    planes: list[PlaneView],
    sigma_z: NDArray[np.float32],
    config: SegmentationConfig,
    window: Window = WHOLE,
) -> Clusters:
    """Remove the support planes and split what is left at depth edges.

    Args:
        depth: (H, W) float32 metres, 0 where there is none.
        camera: its camera.
        planes: the support planes; what lies on one, within its outline, is background, and so is what lies under all.
        sigma_z: (H, W) float32 metres, depth noise.
        config: thresholds.
        window: the part of the image in which pieces are looked for; all else is background.
    """
    z, noise = np.ascontiguousarray(depth[window]), sigma_z[window]
    foreground = _foreground(depth, planes, sigma_z, config, window)
    if not foreground.any():
        nothing = np.zeros(depth.shape, dtype=np.int32)
        return Clusters(nothing, nothing.astype(bool), np.zeros((1, 5), dtype=np.int32))
    step = edge_step(noise, config)
    solid = foreground & ~_edges(foreground, z, step)
    sparse = foreground[_SPARSE] if window == WHOLE else _foreground(depth, planes, sigma_z, config, _SPARSE)
    some = depth[_SPARSE][sparse]
    span = int(np.clip(round(config.crease_span * camera.fx / median(some) / 2.0), 2, 8)) if len(some) else 2
    _cut_creases(solid, z, span, noise, config)
    reach = 2 * span
    count, labels = cv2.connectedComponents(solid.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    runs = _Runs.of(labels, solid)
    stats = runs.statistics(count, labels.shape[1])
    stats[stats[:, cv2.CC_STAT_AREA] < config.min_pixels // 3] = 0
    labels.reshape(-1)[runs.pixels(stats[runs.label, cv2.CC_STAT_AREA] == 0)] = 0
    _grow(labels, foreground & (labels == 0), z, step, reach)
    if labels.shape == depth.shape:
        return Clusters(labels, foreground, stats, reach)
    found = stats[:, cv2.CC_STAT_AREA] > 0
    stats[found, cv2.CC_STAT_LEFT] += window[1].start
    stats[found, cv2.CC_STAT_TOP] += window[0].start
    return Clusters(_placed(labels, window, depth.shape), _placed(foreground, window, depth.shape), stats, reach)


def _placed(part: NDArray[Any], window: Window, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an image of this shape that is zero but for a part of it."""
    whole = np.zeros(shape, dtype=part.dtype)
    whole[window] = part
    return whole


@dataclass(frozen=True)
class _Runs:
    """The runs of pixels that make up components, ordered by component and then by place: far fewer than the pixels.

    Attributes:
        first, last: (N,) flat index of the first and the last pixel of each.
        label: (N,) the component.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    label: NDArray[np.int32]

    @classmethod
    def of(cls, labels: NDArray[np.int32], solid: Mask) -> _Runs:
        """The runs in the rows of a mask (H, W) with its labels (H, W)."""
        first, last = solid.copy(), solid.copy()
        first[:, 1:] &= ~solid[:, :-1]
        last[:, :-1] &= ~solid[:, 1:]
        starts, ends = np.flatnonzero(first), np.flatnonzero(last)
        label = labels.reshape(-1)[starts]
        order = np.argsort(label.astype(np.uint16) if int(label.max(initial=0)) < 65536 else label, kind="stable")
        return cls(starts[order], ends[order], label[order])

    def statistics(self, count: int, width: int) -> NDArray[np.int32]:
        """Return (count, 5) int32 rows of left, top, width, height, pixels of each component, zeros for the background."""
        stats = np.zeros((count, 5), dtype=np.int32)
        if len(self.first) == 0:
            return stats
        heads = np.append(0, np.flatnonzero(np.diff(self.label)) + 1)  # every label has a run
        rows = self.first // width
        left, length = self.first - rows * width, self.last - self.first + 1
        stats[1:, 0] = np.minimum.reduceat(left, heads)
        stats[1:, 1] = rows[heads]  # rows ascend within a label
        stats[1:, 2] = np.maximum.reduceat(left + length, heads) - stats[1:, 0]
        stats[1:, 3] = rows[np.append(heads[1:], len(rows)) - 1] + 1 - stats[1:, 1]
        stats[1:, 4] = np.add.reduceat(length, heads)
        return stats

    def pixels(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the flat indices of the pixels in some of the runs."""
        first, length = self.first[chosen], (self.last - self.first + 1)[chosen]
        return np.arange(int(length.sum())) + np.repeat(first - np.cumsum(length) + length, length)


def edge_step(sigma_z: NDArray[np.float32], config: SegmentationConfig) -> NDArray[np.float32]:
    """Return float32 metres, shaped as the noise: neighbouring pixels further apart in depth lie on different surfaces."""
    return at_least(config.edge_step, np.float32(config.edge_noise_factor) * sigma_z)


def _foreground(
    depth: DepthImage,
    planes: list[PlaneView],
    sigma_z: NDArray[np.float32],
    config: SegmentationConfig,
    window: Window,
) -> Mask:
    """Return which pixels of a part of the image are near enough, over some plane and on none."""
    z = depth[window]
    near = (z > 0) & (z < config.max_distance)
    if not planes:
        return near
    tolerance = at_least(config.plane_tolerance, np.float32(config.plane_noise_factor) * sigma_z[window])
    on_plane = np.zeros(z.shape, dtype=bool)
    over_any = np.zeros(z.shape, dtype=bool)
    for view in planes:
        height = view.heights(window)
        over_any |= height > -_BELOW
        on_plane |= (np.abs(height) < tolerance) & view.outline[window]
    return near & over_any & ~on_plane


def _edges(foreground: Mask, depth: DepthImage, step: NDArray[np.float32]) -> Mask:
    """Mark one pixel of every neighbouring pair that lies on two surfaces: enough to cut 4-connectivity.

    A pair is apart where its difference exceeds ``step`` beyond what the slope around it explains: a surface seen at a
    grazing angle changes by centimetres from pixel to pixel and is still one surface. Slopes are looked at where the
    difference alone is large enough, which is seldom.
    """
    edges = np.zeros(depth.shape, dtype=bool)
    marked, z, limit = edges.reshape(-1), depth.reshape(-1), step.reshape(-1)
    reach = np.arange(-(_SLOPE_WINDOW // 2), _SLOPE_WINDOW // 2 + 2)[:, None]
    for axis in (0, 1):
        apart = np.zeros(depth.shape, dtype=bool)
        first, second = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        np.greater(cv2.absdiff(depth[first], depth[second]), step[first], out=apart[first])
        pixels = np.flatnonzero(apart & foreground)
        stride = depth.shape[1] if axis == 0 else 1
        pixels = pixels[z[pixels + stride] > 0]
        place = np.divmod(pixels, depth.shape[1])[axis] + reach
        around = z[pixels + stride * (np.clip(place, 0, depth.shape[axis] - 1) - place + reach)]
        there = around > 0
        change = np.diff(around, axis=0) * (there[1:] & there[:-1])
        slope = np.abs(change.sum(axis=0)) / _SLOPE_WINDOW
        marked[pixels[np.abs(change[_SLOPE_WINDOW // 2]) > limit[pixels] + np.float32(_SLOPE_SHARE) * slope]] = True
    return edges


def _cut_creases(
    solid: Mask, depth: DepthImage, span: int, sigma_z: NDArray[np.float32], config: SegmentationConfig
) -> None:
    """Clear, in place, the pixels of ``solid`` in sharp concave creases.

    Where one object touches another the surface folds inwards. Inverse depth is linear over a plane in the image, so
    its second difference over a window, ``span`` pairs of pixels either way, vanishes on planes at any slant, and is
    positive in a concave fold. Every second pixel tells: the window is wider than that.
    """
    z = cv2.blur(depth, (3, 3))[::2, ::2]
    seen = cv2.boxFilter((depth > 0).view(np.uint8), -1, (3, 3), normalize=False)[::2, ::2]  # of nine pixels
    there = seen > 2
    inverse = seen / (np.float32(9.0) * z + np.float32(1e-9))
    inverse *= there
    per_metre = np.square(inverse)
    threshold = at_least(config.crease_depth, np.float32(config.crease_noise_factor) * sigma_z[::2, ::2])
    threshold *= np.float32(2.0) * per_metre
    # The limit that keeps a depth step from reading as a fold, in inverse depth like the fold itself.
    limit = np.float32(3.0 * config.crease_span) * per_metre
    folds = np.zeros(z.shape, dtype=bool)
    for axis in (0, 1):
        middle, before, after = (_window(inverse, axis, span, k) for k in (1, 0, 2))
        first, second = before - middle, after - middle
        most = _window(limit, axis, span, 1)
        folded = first + second > _window(threshold, axis, span, 1)
        folded &= _window(there, axis, span, 0) & _window(there, axis, span, 2)
        folded &= (np.abs(first) < most) & (np.abs(second) < most)
        _window(folds, axis, span, 1)[...] |= folded
    # Noise leaves gaps of a pixel or two in the line where two objects meet.
    whole = np.zeros(solid.shape, dtype=np.uint8)
    whole[::2, ::2] = folds
    solid &= cv2.dilate(whole, _CREASE, anchor=(2, 2)) == 0


def _window(image: NDArray[Any], axis: int, span: int, part: int) -> NDArray[Any]:
    """A view of the image shifted by 0, 1 or 2 spans along an axis, so that three of them line up."""
    length = image.shape[axis] - 2 * span
    cut = slice(part * span, part * span + max(length, 0))
    return image[cut] if axis == 0 else image[:, cut]


def _grow(labels: NDArray[np.int32], missing: Mask, depth: DepthImage, step: NDArray[np.float32], reach: int) -> None:
    """Give unlabelled pixels back to the neighbour piece whose surface they continue, in place, ``reach`` pixels deep.

    The image's outermost pixels have no neighbours all around and stay as they are.
    """
    missing[[0, -1]] = missing[:, [0, -1]] = False
    flat_labels, flat_depth, flat_step = labels.reshape(-1), depth.reshape(-1), step.reshape(-1)
    left = missing.reshape(-1)
    pixels = np.flatnonzero(missing & cv2.dilate((labels > 0).view(np.uint8), _NEIGHBOURS).view(np.bool_))
    written = np.empty(labels.size, dtype=np.int32)
    around = np.array([1, -1, labels.shape[1], -labels.shape[1]])[:, None]
    for _ in range(reach):
        neighbours = pixels + around
        owner, gap = flat_labels[neighbours], np.abs(flat_depth[neighbours] - flat_depth[pixels])
        gap[owner == 0] = np.inf
        best = gap.argmin(axis=0) * len(pixels) + np.arange(len(pixels))
        found = gap.reshape(-1)[best] < flat_step[pixels]
        pixels, best = pixels[found], best[found]
        if len(pixels) == 0:
            break
        flat_labels[pixels] = owner.reshape(-1)[best]
        left[pixels] = False
        pixels = (pixels + around).reshape(-1)  # what else can have a labelled neighbour now
        pixels = pixels[left[pixels]]
        number = np.arange(len(pixels), dtype=np.int32)
        written[pixels] = number
        pixels = pixels[written[pixels] == number]  # each once

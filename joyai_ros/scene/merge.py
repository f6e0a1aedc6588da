"""Pieces into objects, where nobody points at them: what hangs in the air belongs to what holds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.order import quantile
from joyai_ros.scene.config import SegmentationConfig
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.segment import edge_step

_HANGING = 0.03  # metres between a piece's lower rim and its support from which it hangs
_TOP_BAND = 0.012  # metres around that rim within which the other piece may offer a level top
_TOP_SHARE = 0.15  # of the hanging piece's pixels: so much level top means it stands there, a separate object
_MIN_BORDER = 4  # pixels
_RIM = 0.03  # share of a piece's pixels that lie lower than its lower rim
_SAMPLE = 1000  # pixels of a piece, at least, whose heights are looked at


@dataclass(frozen=True)
class _Border:
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    length: NDArray[np.int64]


def merge_hanging(frame: FrameGeometry, config: SegmentationConfig, min_pixels: int) -> NDArray[np.int64]:
    """Return (count + 1,) the object number of each piece, 0 for the background.

    A piece whose lower rim is in the air is joined to the neighbour with which it shares the longest border, unless that
    neighbour has a level surface at the rim's height: then it stands on it and stays an object of its own.

    Args:
        frame: the pieces and the planes under them.
        config: thresholds; neighbouring pixels further apart than its steps do not touch.
        min_pixels: smaller pieces are joined whatever their height.
    """
    clusters = frame.clusters
    owner = np.arange(clusters.count + 1)
    if clusters.count < 2:
        return owner
    borders = _borders(frame, config)
    order = np.argsort(clusters.stats[:, 4])
    for piece in order[clusters.stats[order, 4] > 0].tolist():
        touching = (borders.first == piece) | (borders.second == piece)
        if not touching.any():
            continue
        own, stride = _heights(frame, piece)
        own = own[np.isfinite(own)]
        rim = quantile(own, _RIM) if len(own) else 0.0
        small = clusters.stats[piece, 4] < min_pixels
        if rim < _HANGING and not small:
            continue
        others = np.where(borders.first == piece, borders.second, borders.first)[touching]
        longest = int(np.argmax(borders.length[touching]))
        neighbour = int(others[longest])
        if borders.length[touching][longest] < _MIN_BORDER:
            continue
        if not small:
            below, sparse = _heights(frame, neighbour)
            level = np.count_nonzero(np.abs(below - rim) < _TOP_BAND) * sparse
        if small or level < _TOP_SHARE * len(own) * stride:
            owner[owner == owner[piece]] = owner[neighbour]
    return owner


def _heights(frame: FrameGeometry, piece: int) -> tuple[NDArray[np.float32], int]:
    """Return heights in metres over the support planes of some of a piece's pixels, and how many each stands for."""
    pixels = frame.clusters.pixels(piece)
    stride = max(len(pixels) // _SAMPLE, 1)
    return frame.heights(pixels[::stride]), stride


def _borders(frame: FrameGeometry, config: SegmentationConfig) -> _Border:
    """Count the neighbouring pixel pairs in which two pieces touch."""
    flat, width = frame.clusters.labels.reshape(-1), frame.camera.width
    depth, sigma = frame.depth.reshape(-1), frame.sigma_z.reshape(-1)
    keys = []
    for stride in (1, width):
        first = np.flatnonzero(flat[:-stride] != flat[stride:])
        if stride == 1:
            first = first[first % width != width - 1]  # its right neighbour would be the next row's first
        first = first[(flat[first] > 0) & (flat[first + stride] > 0)]
        gap = np.abs(depth[first] - depth[first + stride])
        first = first[gap < edge_step(sigma[first], config)]
        low, high = np.minimum(flat[first], flat[first + stride]), np.maximum(flat[first], flat[first + stride])
        keys.append(low.astype(np.int64) * len(frame.clusters.stats) + high)
    key, length = np.unique(np.concatenate(keys), return_counts=True)
    first, second = np.divmod(key, len(frame.clusters.stats))
    return _Border(first, second, length)

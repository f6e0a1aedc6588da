"""Pieces into objects, where nobody points at them: what hangs in the air belongs to what holds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage
from joyai_ros.scene.segment import Clusters

_HANGING = 0.03  # metres between a piece's lower rim and its support from which it hangs
_TOP_BAND = 0.012  # metres around that rim within which the other piece may offer a level top
_TOP_SHARE = 0.15  # of the hanging piece's pixels: so much level top means it stands there, a separate object
_MIN_BORDER = 4  # pixels


@dataclass(frozen=True)
class _Border:
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    length: NDArray[np.int64]


def merge_hanging(
    clusters: Clusters, depth: DepthImage, height: NDArray[np.float32], step: NDArray[np.float32], min_pixels: int
) -> NDArray[np.int64]:
    """Return (count + 1,) the object number of each piece, 0 for the background.

    A piece whose lower rim is in the air is joined to the neighbour with which it shares the longest border, unless that
    neighbour has a level surface at the rim's height: then it stands on it and stays an object of its own.

    Args:
        clusters: the pieces.
        depth: (H, W) float32 metres.
        height: (H, W) float32 metres above the support plane under each pixel.
        step: (H, W) float32 metres; neighbouring pixels further apart do not touch.
        min_pixels: smaller pieces are joined whatever their height.
    """
    owner = np.arange(clusters.count + 1)
    if clusters.count < 2:
        return owner
    borders = _borders(clusters.labels, depth, step)
    pixels, starts, order = _pixels_by_label(clusters)
    heights = height.reshape(-1)
    for piece in np.argsort(clusters.stats[:, 4]):
        if starts[piece + 1] == starts[piece] or piece == 0:
            continue
        touching = (borders.first == piece) | (borders.second == piece)
        if not touching.any():
            continue
        own = heights[pixels[order][starts[piece] : starts[piece + 1]]]
        own = own[np.isfinite(own)]
        rim = float(np.percentile(own, 3)) if len(own) else 0.0
        small = clusters.stats[piece, 4] < min_pixels
        if rim < _HANGING and not small:
            continue
        others = np.where(borders.first == piece, borders.second, borders.first)[touching]
        longest = int(np.argmax(borders.length[touching]))
        neighbour = int(others[longest])
        if borders.length[touching][longest] < _MIN_BORDER:
            continue
        below = heights[pixels[order][starts[neighbour] : starts[neighbour + 1]]]
        level = int((np.abs(below - rim) < _TOP_BAND).sum())
        if small or level < _TOP_SHARE * len(own):
            owner[owner == owner[piece]] = owner[neighbour]
    return owner


def _pixels_by_label(clusters: Clusters) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return flat pixel indices, the start of each label's run in the sorted order (count + 2,), and that order."""
    flat = clusters.labels.reshape(-1)
    pixels = np.flatnonzero(flat)
    order = np.argsort(flat[pixels], kind="stable")
    starts = np.searchsorted(flat[pixels][order], np.arange(clusters.count + 2))
    return pixels, starts, order


def _borders(labels: NDArray[np.int32], depth: DepthImage, step: NDArray[np.float32]) -> _Border:
    """Count the neighbouring pixel pairs in which two pieces touch."""
    keys = []
    base = int(labels.max()) + 1
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        la, lb = labels[a], labels[b]
        pair = (la != lb) & (la > 0) & (lb > 0)
        pair[pair] = np.abs(depth[a][pair] - depth[b][pair]) < step[a][pair]
        low, high = np.minimum(la[pair], lb[pair]), np.maximum(la[pair], lb[pair])
        keys.append(low.astype(np.int64) * base + high)
    key, length = np.unique(np.concatenate(keys), return_counts=True)
    return _Border(key // base, key % base, length)

"""Which pixels belong to which 2D box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from joyai_ros.geometry.arrays import ColorImage, DepthImage
from joyai_ros.geometry.boxes import Box2D, box2d_area, box2d_iou
from joyai_ros.geometry.order import median, quantiles
from joyai_ros.scene.divide import divide
from joyai_ros.scene.plane_view import Window
from joyai_ros.scene.segment import Clusters

_INSIDE = 0.6  # share of a piece's pixels within a box from which it may belong to it
_MAIN_IOU = 0.15  # least overlap of a box with the piece that is its main one
_FRAGMENT = 60  # pixels, and
_FRAGMENT_SHARE = 0.08  # of the box, that a fragment must have to stand for an object that is mostly hidden
_GOOD_IOU = 0.45  # overlap from which a box's main piece is its whole object
_WHOLE = 0.985  # share of a piece in its box from which it is not divided for a box that has one of its own
_ALONE = 0.1  # by so much more overlap with one box than with the rectangle around two, a piece is of that one
_GROWTH = 0.06  # of a box's size, by which it is grown: boxes are drawn by hand or jitter
_SHARED = 0.10  # of a box without a piece of its own: so much of it lies on another's piece, which is then divided
_COMPLETES = 0.08  # overlap that a fragment must win for a box to be its far wall
_WALL_GAP = 0.25  # metres in depth between a container's walls
_SAMPLE = 500  # depths from which their percentiles are taken
_FRAGMENT_GAP = 0.06  # metres in depth between a fragment and the main piece of its object


def assign_pixels(
    clusters: Clusters, color: ColorImage, depth: DepthImage, boxes: list[Box2D]
) -> list[NDArray[np.int64]]:
    """Return per box the flat pixel indices of its object; empty where nothing measured fits.

    Every box gets the piece that it frames best (one to one), then the fragments inside it that continue that piece in
    depth. A piece that several boxes claim because their objects touch without an edge is divided by colour and place.

    Args:
        clusters: the pieces of the frame.
        color: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres.
        boxes: pixels, within the image.
    """
    width = clusters.labels.shape[1]
    grown = [_grown(box, clusters.labels.shape) for box in boxes]
    counts = [_count_inside(clusters, window) for window in grown]
    inside = np.stack(counts) if counts else np.zeros((0, 1), dtype=np.int64)
    main = _main_pieces(clusters, boxes, inside)
    owner = _divided(clusters, color, boxes, grown, main, inside)
    spans = {b: _depth_span(clusters, depth, piece, grown[b]) for b, piece in enumerate(main) if piece > 0}
    claims = _fragment_claims(clusters, depth, boxes, grown, main, inside, spans)
    result = []
    for b, window in enumerate(grown):
        labels = clusters.labels[window]
        mine = owner[b] if b in owner else labels == main[b] if main[b] > 0 else np.zeros(labels.shape, dtype=bool)
        for piece in claims[b]:
            mine = mine | (labels == piece)
        inside_window = np.flatnonzero(mine)
        row = inside_window // labels.shape[1]
        result.append(inside_window + row * (width - labels.shape[1]) + (window[0].start * width + window[1].start))
    return result


def _grown(box: Box2D, shape: tuple[int, ...]) -> Window:
    x0, y0, x1, y1 = box
    dx, dy = _GROWTH * (x1 - x0) + 1.0, _GROWTH * (y1 - y0) + 1.0
    return (
        slice(max(int(y0 - dy), 0), min(int(np.ceil(y1 + dy)), shape[0])),
        slice(max(int(x0 - dx), 0), min(int(np.ceil(x1 + dx)), shape[1])),
    )


def _count_inside(clusters: Clusters, window: Window) -> NDArray[np.int64]:
    counts = np.bincount(clusters.labels[window].reshape(-1), minlength=clusters.count + 1)
    counts[0] = 0
    return counts


def _main_pieces(clusters: Clusters, boxes: list[Box2D], inside: NDArray[np.int64]) -> list[int]:
    """Return per box the label of its main piece, 0 where it has none."""
    if not boxes or clusters.count == 0:
        return [0] * len(boxes)
    candidates = np.flatnonzero(inside.max(axis=0) > 0)
    share = inside[:, candidates] / np.maximum(clusters.stats[candidates, 4], 1)
    score = np.zeros(share.shape)
    for b, j in np.argwhere(share >= _INSIDE).tolist():
        score[b, j] = box2d_iou(boxes[b], _bounds(clusters, int(candidates[j]))) * share[b, j]
    rows, columns = linear_sum_assignment(-score)
    main = [0] * len(boxes)
    for b, j in zip(rows, columns, strict=True):
        if score[b, j] >= _MAIN_IOU:
            main[b] = int(candidates[j])
    own = inside >= _INSIDE * np.maximum(clusters.stats[:, 4], 1)
    alone = np.where(own & (own.sum(axis=0) == 1), inside, 0)  # what no other box could mean
    for b, box in enumerate(boxes):
        if main[b] == 0:
            main[b] = _largest_fragment(box, alone[b], main)
    return main


def _largest_fragment(box: Box2D, alone: NDArray[np.int64], main: list[int]) -> int:
    """Return the largest piece that only this box frames and that is nobody's main one, 0 where none is worth it."""
    free = alone.copy()
    free[[0, *(piece for piece in main if piece > 0)]] = 0
    best = int(np.argmax(free))
    return best if free[best] >= max(_FRAGMENT, _FRAGMENT_SHARE * box2d_area(box)) else 0


def _bounds(clusters: Clusters, piece: int) -> Box2D:
    left, top, width, height = (float(v) for v in clusters.stats[piece, :4])
    return left, top, left + width, top + height


def _frames_alone(piece: Box2D, owner: Box2D, box: Box2D) -> bool:
    """Whether a piece fills its owner's box rather than both boxes: it then only hides what the other box is around."""
    return box2d_iou(piece, owner) > box2d_iou(piece, _joined(owner, box)) + _ALONE


def _divided(
    clusters: Clusters,
    color: ColorImage,
    boxes: list[Box2D],
    grown: list[Window],
    main: list[int],
    inside: NDArray[np.int64],
) -> dict[int, NDArray[np.bool_]]:
    """Return masks, within their grown windows, of the boxes whose object shares a piece with another's."""
    sharers: dict[int, set[int]] = {}
    for b, box in enumerate(boxes):
        if main[b] > 0 and box2d_iou(box, _bounds(clusters, main[b])) >= _GOOD_IOU:
            continue
        own = float(inside[b, main[b]]) if main[b] > 0 else 0.0
        inside_others = inside[b].copy()
        inside_others[main[b]] = 0
        for other, label in enumerate(main):
            if other != b and label > 0 and inside_others[label] > 0:
                # What lies whole in another box is that box's, whatever else lies in this one.
                whole = main[b] > 0 and inside[other, label] >= _WHOLE * clusters.stats[label, 4]
                whole = whole and inside[other, label] >= _WHOLE * len(clusters.pixels(label))  # with those given back
                if whole or _frames_alone(_bounds(clusters, label), boxes[other], box):
                    inside_others[label] = 0
        piece = int(np.argmax(inside_others))
        least = max(_SHARED * box2d_area(box), own)
        if inside_others[piece] >= least:
            sharers.setdefault(piece, set()).add(b)
    masks: dict[int, NDArray[np.bool_]] = {}
    for piece, late in sharers.items():
        members = sorted(late | {b for b, label in enumerate(main) if label == piece})
        window = _union([grown[b] for b in members])
        owner = divide(
            clusters.labels[window] == piece,
            color[window],
            [boxes[b] for b in members],
            window,
        )
        for index, b in enumerate(members):
            rows = slice(grown[b][0].start - window[0].start, grown[b][0].stop - window[0].start)
            columns = slice(grown[b][1].start - window[1].start, grown[b][1].stop - window[1].start)
            masks[b] = owner[rows, columns] == index
    return masks


def _union(windows: list[Window]) -> Window:
    return (
        slice(min(w[0].start for w in windows), max(w[0].stop for w in windows)),
        slice(min(w[1].start for w in windows), max(w[1].stop for w in windows)),
    )


def _depth_span(clusters: Clusters, depth: DepthImage, piece: int, window: Window) -> tuple[float, float]:
    """Return the 5th and 95th percentile of a piece's depth inside a window."""
    inside = np.flatnonzero(clusters.labels[window] == piece)
    low, high = quantiles(depth[window].reshape(-1).take(inside[:: max(len(inside) // _SAMPLE, 1)]), (0.05, 0.95))
    return low, high


def _fragment_claims(
    clusters: Clusters,
    depth: DepthImage,
    boxes: list[Box2D],
    grown: list[Window],
    main: list[int],
    inside: NDArray[np.int64],
    spans: dict[int, tuple[float, float]],
) -> list[list[int]]:
    """Give each piece that is nobody's main one to a box whose main piece it continues in depth.

    Among several, it goes to the box that it completes: whose outline the main piece fills better with it than without.
    """
    claims: list[list[int]] = [[] for _ in grown]
    taken = set(main)
    if len(inside) == 0:
        return claims
    for piece in np.flatnonzero(inside.max(axis=0) > 0).tolist():
        if piece in taken:
            continue
        best, best_score = -1, -np.inf
        for b, (low, high) in spans.items():
            if inside[b, piece] < _INSIDE * clusters.stats[piece, 4]:
                continue
            z = median(depth[grown[b]].reshape(-1).take(np.flatnonzero(clusters.labels[grown[b]] == piece)))
            gap = max(low - z, z - high, 0.0)
            own = _bounds(clusters, main[b])
            gain = box2d_iou(boxes[b], _joined(own, _bounds(clusters, piece))) - box2d_iou(boxes[b], own)
            score = gain - gap
            reach = _FRAGMENT_GAP if gain < _COMPLETES else _WALL_GAP
            if gap < reach and score > best_score:
                best, best_score = b, score
        if best >= 0:
            claims[best].append(piece)
    return claims


def _joined(a: Box2D, b: Box2D) -> Box2D:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])

"""Objects that depth does not tell from what they stand in or lean on are told by colour, where they have one of their own."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask
from joyai_ros.geometry.boxes import Box2D, box2d_area, box2d_iou, box2d_shared
from joyai_ros.geometry.order import quantile
from joyai_ros.scene.palette import color_bins, color_shares

_COVERED = 0.25  # share of a box that a larger one must cover for its object to be in, on or before that one's
_HELD = 0.4  # the same share, from which that one may hold it
_LARGER = 1.2  # times the area of a box, from which another one is larger
_AROUND = 0.5  # of a box's longer side: how far around it the colours of others are learnt
_CLEAR = 0.05  # of a box's size beyond it, where its own object may still show
_SELDOM = 0.004  # share of a colour around, below which it is the object's own
_FRAMED = 0.6  # overlap of the box with what is found: else that is not its object
_PART = 0.15  # of the largest patch of that colour, from which another patch is a part of it
_LEAST = 40  # pixels, and
_DENSE = 0.06  # share of the box that they must make up
_ERODED = 200  # pixels, from which the outermost ones, of mixed colour and depth, are left out, if half as many remain
_AGREED = 0.7  # share of what colour finds that depth has found as well, from which depth is believed
_FOREIGN = 0.2  # the same share, below which depth has found another object in its box
_LEFT = 0.6  # share of its pixels that another object must keep
_NEEDED = 0.06  # of the overlap of another box with its pixels: what would cost it more is its own
_FLOOR = 1e-3
_SMOOTHING = 3
_SPARSE, _LEARNT = 2, 6000  # pixels, at least, between those from which the colours around are learnt; about so many
_SAMPLE = 300  # pixels through which the plane is laid
_DEPTH_PLAY = 0.05  # metres off the plane through them, beyond which pixels of a patch show something behind it


def tell_by_color(
    color: ColorImage, depth: DepthImage, boxes: list[Box2D], assigned: list[NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """Return the flat pixel indices of each box, those of boxes within larger ones looked for by colour.

    A marker in a mug touches the rim, so that depth alone gives either the other's pixels. What shows in the marker's
    box and nowhere around it is the marker.

    Args:
        color: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres.
        boxes: pixels, within the image.
        assigned: per box what depth gave it.
    """
    result = list(assigned)
    width = depth.shape[1]
    taken = np.zeros(depth.size, dtype=bool)
    for b in sorted(range(len(boxes)), key=lambda k: box2d_area(boxes[k])):
        larger = [k for k, box in enumerate(boxes) if box2d_area(box) > _LARGER * box2d_area(boxes[b])]
        covered = any(_covered(boxes[b], boxes[k]) > _COVERED for k in larger)
        if not covered and len(result[b]) >= _LEAST:
            continue
        within = [box for k, box in enumerate(boxes) if k != b and k not in larger]
        found = _patch(color, depth, boxes[b], within)
        found = found[~taken[found]]
        if len(found) < _LEAST:
            continue
        known = np.zeros(depth.size, dtype=bool)
        known[result[b]] = True
        if np.count_nonzero(known[found]) > _AGREED * len(found):
            continue
        found = _on_one_plane(found, depth)
        if len(found) < _LEAST or np.count_nonzero(known[found]) > _AGREED * len(found):
            continue
        others = [k for k in larger if _covered(boxes[b], boxes[k]) > 0]
        around = np.zeros(depth.size, dtype=bool)
        around[_spread(found, width, depth.size)] = True
        rest = {k: result[k][~around[result[k]]] for k in others}
        holders = [k for k in others if _covered(boxes[b], boxes[k]) > _HELD]
        if holders and np.count_nonzero(known[found]) < _FOREIGN * len(found):
            # What it was given instead of itself is the object's that it is in.
            holder = min(holders, key=lambda k: box2d_area(boxes[k]))
            rest[holder] = np.union1d(rest[holder], result[b][~around[result[b]]])
        if any(_filled(boxes[k], rest[k], width) < _filled(boxes[k], result[k], width) - _NEEDED for k in others):
            continue  # another box no longer fills its own without them
        if any(len(rest[k]) < _LEFT * len(result[k]) for k in others):
            continue  # or the other object is mostly made of them
        result[b] = found
        taken |= around
        for k in others:
            result[k] = rest[k]
    return result


def _filled(box: Box2D, pixels: NDArray[np.int64], width: int) -> float:
    """Overlap of a box with what pixels reach over."""
    if len(pixels) == 0:
        return 0.0
    rows, columns = np.divmod(pixels, width)
    reached = float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
    return box2d_iou(box, reached)


def _patch(color: ColorImage, depth: DepthImage, box: Box2D, smaller: list[Box2D]) -> NDArray[np.int64]:
    """Return the flat indices of the measured pixels in a box whose colour is rare around it; none where none fill it."""
    nothing = np.zeros(0, dtype=np.int64)
    x0, y0, x1, y1 = box
    reach = _AROUND * max(x1 - x0, y1 - y0)
    window, top, left = _part(depth.shape, box, reach)
    stride = max(int(math.sqrt(depth[window].size / _LEARNT)), _SPARSE)
    others = ~_rectangle(depth[window].shape, box, _CLEAR, top, left)[::stride, ::stride]
    outside = color_shares(color_bins(color[window], stride), others)
    window, top, left = _part(depth.shape, box, float(_SMOOTHING))
    bins = color_bins(color[window])
    inside = _rectangle(bins.shape, box, 0.0, top, left)
    own = (outside < _SELDOM).take(bins) & inside
    if np.count_nonzero(own) < _LEAST:
        return nothing
    ratio = (np.log(color_shares(bins, own) + _FLOOR) - np.log(outside + _FLOOR)).astype(np.float32)
    likely = (cv2.blur(ratio.take(bins), (_SMOOTHING, _SMOOTHING)) > 0) & inside
    mask = _parts(likely)
    for other in smaller:
        if _covered(other, box) > 0.5:
            mask &= ~_rectangle(bins.shape, other, 0.0, top, left)
    size = np.count_nonzero(mask)
    if size < _LEAST or box2d_iou(box, _tight(mask, top, left)) < _FRAMED:
        return nothing
    if size > _ERODED:
        inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0
        mask = inner if np.count_nonzero(inner) > _ERODED / 2 else mask
    rows, columns = np.nonzero(mask & (depth[window] > 0))
    return (rows + top) * depth.shape[1] + columns + left


def _part(shape: tuple[int, ...], box: Box2D, margin: float) -> tuple[tuple[slice, slice], int, int]:
    """Return the part of an image within some pixels of a box, and its first row and column."""
    top, left = max(int(box[1] - margin), 0), max(int(box[0] - margin), 0)
    bottom, right = min(int(box[3] + margin) + 1, shape[0]), min(int(box[2] + margin) + 1, shape[1])
    return (slice(top, bottom), slice(left, right)), top, left


def _parts(likely: Mask) -> Mask:
    """Return the largest connected patch and the others of a good part of its size."""
    opened = cv2.morphologyEx(likely.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), dtype=np.uint8))
    _, labels = cv2.connectedComponents(opened, connectivity=8)
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    kept = sizes >= max(_PART * sizes.max(), 1)
    return np.asarray(kept.take(labels))


def _on_one_plane(pixels: NDArray[np.int64], depth: DepthImage) -> NDArray[np.int64]:
    """Return the pixels whose depth lies near one plane in the image: at its edges a patch shows what is behind it."""
    if len(pixels) < _LEAST:
        return pixels
    rows = pixels // depth.shape[1]
    z = depth.reshape(-1)[pixels].astype(np.float64)
    design = np.stack([rows - rows[0], pixels - rows * depth.shape[1], np.ones(len(z))])
    some = np.s_[:: max(len(z) // _SAMPLE, 1)]
    few, z_few = np.ascontiguousarray(design[:, some]), z[some]
    kept = z_few <= quantile(z_few, 0.5) + _DEPTH_PLAY
    for _ in range(3):
        weighted = few * kept
        found = np.linalg.lstsq(weighted @ few.T, weighted @ z_few, rcond=None)[0]
        kept = np.abs(z_few - found @ few) < _DEPTH_PLAY
        if np.count_nonzero(kept) < _LEAST:
            break
    return pixels[np.abs(z - found @ design) < _DEPTH_PLAY]


def _spread(pixels: NDArray[np.int64], width: int, size: int) -> NDArray[np.int64]:
    """Return pixels with their eight neighbours, some of them several times."""
    around = np.array([-width - 1, -width, 1 - width, -1, 0, 1, width - 1, width, width + 1])
    return np.clip(pixels[:, None] + around, 0, size - 1).reshape(-1)


def _rectangle(shape: tuple[int, ...], box: Box2D, margin: float, top: int, left: int) -> Mask:
    dx, dy = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    mask = np.zeros(shape, dtype=bool)
    rows = slice(max(int(box[1] - dy) - top, 0), max(int(np.ceil(box[3] + dy)) - top, 0))
    columns = slice(max(int(box[0] - dx) - left, 0), max(int(np.ceil(box[2] + dx)) - left, 0))
    mask[rows, columns] = True
    return mask


def _tight(mask: Mask, top: int, left: int) -> Box2D:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0] + left), float(rows[0] + top), float(columns[-1] + left + 1), float(rows[-1] + top + 1)


def _covered(box: Box2D, other: Box2D) -> float:
    """Share of a box that another one covers."""
    return box2d_shared(box, other) / max(box2d_area(box), 1e-9)

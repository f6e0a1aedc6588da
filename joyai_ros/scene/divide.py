"""Objects that touch without an edge in depth are told apart by colour and by where their boxes lie."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.palette import color_bins, color_shares
from joyai_ros.scene.plane_view import Window

_FAR = np.float32(np.inf)
_FLOOR = 1e-3  # probability of a colour that an object has not shown
_PLACE_WEIGHT = 1.5  # of the squared distance to a box's centre, against log-likelihood of colour
_SMOOTHING = 5  # pixels over which the evidence is averaged
_CORE = 0.5  # a box's inner part, in which its object is most likely
_REACH = 1.1  # of a box's half size: what lies further out is not its object
_ENOUGH = 0.1  # share of a box's part of the piece that it alone reaches, from which its colours are learnt there only
_ROUNDS = 2
_SEAM = 5  # pixels, width of the seam that nobody gets


def divide(piece: NDArray[np.bool_], color: ColorImage, boxes: list[Box2D], window: Window) -> NDArray[np.int32]:
    """Return (h, w) int32: the index of the box that each pixel of a shared piece belongs to, -1 for none.

    Each box's colours are learnt where it alone reaches and in its core, then each pixel goes to the box for which
    colour (log-likelihood, averaged over a few pixels) and place (squared normalised distance) speak loudest.

    Args:
        piece: (h, w) bool, the piece in a rectangle of the image.
        color: (h, w, 3) uint8 of the same rectangle.
        boxes: whole-image pixels.
        window: the rectangle.
    """
    distance = [_distance(box, window) for box in boxes]
    reached = [(to <= _REACH) & piece for to in distance]
    parts = [_part(box, window) for box in boxes]  # beyond them nothing is the box's
    place = [
        np.where(near[part], np.float32(_PLACE_WEIGHT) * np.square(to[part]), _FAR)
        for near, to, part in zip(reached, distance, parts, strict=True)
    ]
    bins = color_bins(color)
    # Evidence is averaged over the piece's own pixels.
    weight = np.maximum(_averaged(piece.astype(np.float32)), np.float32(1e-6))
    owner = np.full(piece.shape, -1, dtype=np.int32)
    seeds = _seeds(reached, distance)
    for _ in range(_ROUNDS):
        least = np.full(piece.shape, _FAR)
        for index, (seed, part) in enumerate(zip(seeds, parts, strict=True)):
            unlikely = -np.log(color_shares(bins[part], seed[part]) + _FLOOR).astype(np.float32)
            cost = _averaged(unlikely.take(bins[part]) * piece[part]) / weight[part] + place[index]
            nearer = cost < least[part]
            owner[part][nearer] = index
            least[part][nearer] = cost[nearer]
        seeds = [owner == index for index in range(len(boxes))]
    return _without_seam(owner)


def _part(box: Box2D, window: Window) -> Window:
    """Return the part of a rectangle, counted from its corner, that a box reaches, and so much more as is averaged over."""
    x0, y0, x1, y1 = box
    beyond_x, beyond_y = ((_REACH - 1.0) / 2.0 * side + _SMOOTHING for side in (x1 - x0, y1 - y0))
    rows, columns = window
    return (
        slice(max(int(y0 - beyond_y) - rows.start, 0), max(int(y1 + beyond_y) + 1 - rows.start, 0)),
        slice(max(int(x0 - beyond_x) - columns.start, 0), max(int(x1 + beyond_x) + 1 - columns.start, 0)),
    )


def _averaged(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(image, (_SMOOTHING, _SMOOTHING)))


def _without_seam(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the owners with -1 along the seams between two of them, where a pixel may be either's."""
    seam = np.zeros(owner.shape, dtype=np.uint8)
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        seam[a] |= (owner[a] != owner[b]) & (owner[a] >= 0) & (owner[b] >= 0)
    return np.where(cv2.dilate(seam, np.ones((_SEAM, _SEAM), dtype=np.uint8)) > 0, np.int32(-1), owner)


def _distance(box: Box2D, window: Window) -> NDArray[np.float32]:
    """Distance of a rectangle's pixels to a box's centre, 1 on its sides (maximum norm)."""
    x0, y0, x1, y1 = box
    rows, columns = window
    across = np.abs(np.arange(columns.start, columns.stop) - (x0 + x1 - 1) / 2) / ((x1 - x0) / 2)
    down = np.abs(np.arange(rows.start, rows.stop) - (y0 + y1 - 1) / 2) / ((y1 - y0) / 2)
    return np.maximum(across.astype(np.float32), down.astype(np.float32)[:, None])


def _seeds(reached: list[NDArray[np.bool_]], distance: list[NDArray[np.float32]]) -> list[NDArray[np.bool_]]:
    """Pixels that are each box's almost surely: it alone reaches them, or they lie in its core and in no other's."""
    cores = [(to <= _CORE) & near for to, near in zip(distance, reached, strict=True)]
    alone = [within & ~_several(reached) for within in reached]
    found = []
    for index, within in enumerate(reached):
        if np.count_nonzero(alone[index]) > _ENOUGH * np.count_nonzero(within):
            found.append(alone[index])
            continue
        seed = alone[index] | (cores[index] & ~_several(cores))
        found.append(seed if seed.any() else within)
    return found


def _several(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where more than one mask is set."""
    any_yet, more = masks[0].copy(), np.zeros_like(masks[0])
    for mask in masks[1:]:
        more |= any_yet & mask
        any_yet |= mask
    return more

"""Objects that touch without an edge in depth are told apart by colour and by where their boxes lie."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.palette import color_bins, color_shares

_FLOOR = 1e-3  # probability of a colour that an object has not shown
_PLACE_WEIGHT = 1.5  # of the squared distance to a box's centre, against log-likelihood of colour
_SMOOTHING = 5  # pixels over which the evidence is averaged
_CORE = 0.5  # a box's inner part, in which its object is most likely
_REACH = 1.1  # of a box's half size: what lies further out is not its object
_ENOUGH = 0.1  # share of a box's part of the piece that it alone reaches, from which its colours are learnt there only
_ROUNDS = 2
_SEAM = 5  # pixels, width of the seam that nobody gets


@dataclass(frozen=True)
class Part:
    """A rectangle of the image: first row and column."""

    top: int
    left: int


def divide(piece: NDArray[np.bool_], color: ColorImage, boxes: list[Box2D], part: Part) -> NDArray[np.int32]:
    """Return (h, w) int32: the index of the box that each pixel of a shared piece belongs to, -1 for none.

    Each box's colours are learnt where it alone reaches and in its core, then each pixel goes to the box for which
    colour (log-likelihood, averaged over a few pixels) and place (squared normalised distance) speak loudest.

    Args:
        piece: (h, w) bool, the piece in a rectangle of the image.
        color: (h, w, 3) uint8 of the same rectangle.
        boxes: whole-image pixels.
        part: where the rectangle starts.
    """
    rows, columns = np.mgrid[: piece.shape[0], : piece.shape[1]]
    distance = np.stack([_distance(box, rows + part.top, columns + part.left) for box in boxes])
    reached = (distance <= _REACH) & piece
    bins = color_bins(color)
    cost = np.where(reached, _PLACE_WEIGHT * np.square(distance), np.inf)
    owner = np.where(reached.any(axis=0), np.argmin(cost, axis=0), -1).astype(np.int32)
    seeds = [_seeds(index, reached, distance) for index in range(len(boxes))]
    for _ in range(_ROUNDS):
        total = np.stack([_color_cost(bins, seed, piece) for seed in seeds])
        total += _PLACE_WEIGHT * np.square(distance)
        owner = np.where(reached.any(axis=0), np.argmin(np.where(reached, total, np.inf), axis=0), -1).astype(np.int32)
        seeds = [owner == index for index in range(len(boxes))]
    return _without_seam(owner)


def _without_seam(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the owners with -1 along the seams between two of them, where a pixel may be either's."""
    seam = np.zeros(owner.shape, dtype=np.uint8)
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        seam[a] |= (owner[a] != owner[b]) & (owner[a] >= 0) & (owner[b] >= 0)
    return np.where(cv2.dilate(seam, np.ones((_SEAM, _SEAM), dtype=np.uint8)) > 0, np.int32(-1), owner)


def _distance(box: Box2D, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance to a box's centre, 1 on its sides (maximum norm)."""
    x0, y0, x1, y1 = box
    across = np.abs(columns - (x0 + x1 - 1) / 2) / ((x1 - x0) / 2)
    down = np.abs(rows - (y0 + y1 - 1) / 2) / ((y1 - y0) / 2)
    return np.maximum(across, down)


def _seeds(index: int, reached: NDArray[np.bool_], distance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels that are this box's almost surely: it alone reaches them, or they lie in its core and in no other's."""
    alone = reached[index] & (reached.sum(axis=0) == 1)
    if alone.sum() > _ENOUGH * reached[index].sum():
        return alone
    cores = (distance <= _CORE) & reached
    core = cores[index] & (cores.sum(axis=0) == 1)
    return alone | core if alone.any() or core.any() else reached[index]


def _color_cost(bins: NDArray[np.int32], seed: NDArray[np.bool_], piece: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (h, w) negative log-likelihood of each pixel's colour under the seed's, averaged over neighbours."""
    cost = -np.log(color_shares(bins, seed) + _FLOOR)[bins] * piece
    weight = cv2.blur(piece.astype(np.float64), (_SMOOTHING, _SMOOTHING))
    return np.asarray(cv2.blur(cost, (_SMOOTHING, _SMOOTHING)) / np.maximum(weight, 1e-6))

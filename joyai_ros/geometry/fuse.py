"""Several frames merged into one view, so that what the newest frame cannot see is seen from an earlier one.

The frames are rendered into the view one by one (:func:`joyai_ros.geometry.warp.layer`) and merged pixel by pixel: the
nearest surface wins, and where frames agree on the surface their colours are averaged. The newest frame is the judge:

- a surface that it looks *through* is gone, whatever an earlier frame says;
- an earlier frame's exposure is scaled to its own, channel by channel, on the surfaces that both see.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.splat import Homography
from joyai_ros.geometry.surface import EDGE, Plane
from joyai_ros.geometry.warp import Layer

AGREE = 2 * EDGE  # relative difference of depth below which two frames show the same surface
_EARLIER_WEIGHT = np.float32(0.5)  # of an earlier frame's colour against the newest one's
_ENOUGH_PIXELS = 500  # overlap below which exposures cannot be compared
GAIN_RANGE = (0.5, 2.0)  # of one exposure to another
_SAMPLE = 4  # every fourth pixel in each direction is enough to compare exposures


def looked_through(nearness: Plane, view: Camera, judge: Camera, judge_from_view: Mat4, measured: Plane) -> Mask:
    """Return where another camera measured something clearly behind a surface, so that the surface cannot be there.

    Args:
        nearness: (H, W) float32 inverse depth of the surface in ``view``, 1/m, 0 where there is none.
        view: undistorted camera of ``nearness``.
        judge: undistorted camera that looks again.
        judge_from_view: (4, 4) rigid transform between their optical frames.
        measured: inverse depth that ``judge`` measured, 0 where nothing.
    """
    columns = np.arange(view.width, dtype=np.float32)
    rows = np.arange(view.height, dtype=np.float32)[:, None]
    move = Homography(view, judge, judge_from_view)
    u, v, ratio = move.move(move.at_infinity(columns, rows), nearness)
    there = cv2.remap(measured, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray((there > 0) & (nearness > 0) & (ratio * nearness > there * np.float32(1 + AGREE)))


def merge(newest: Layer, earlier: Sequence[tuple[Layer, Mask]]) -> Layer:
    """Return one layer that knows what any of the frames knows.

    Args:
        newest: the frame that decides.
        earlier: each earlier frame with the (H, W) mask of what it must not say (:func:`looked_through`), newest first.
    """
    picture = newest.color
    nearness = np.where(newest.seen, newest.nearness, np.float32(0))
    weight = newest.seen.astype(np.float32)
    known, guess_nearness, guess_color = newest.known.copy(), newest.nearness.copy(), newest.color.copy()
    for layer, refused in earlier:
        color = _exposed_as(newest, layer)
        seen = layer.seen & ~refused
        nearer = seen & (layer.nearness > nearness * np.float32(1 + AGREE))
        agrees = seen & ~nearer & (layer.nearness > nearness * np.float32(1 - AGREE))
        np.copyto(nearness, layer.nearness, where=nearer)
        weight *= ~nearer
        added = (nearer | agrees) * _EARLIER_WEIGHT
        picture = cv2.blendLinear(picture, color, weight, added)
        weight += added
        guessed = (layer.known & ~layer.seen & ~known).view(np.uint8)
        cv2.copyTo(color, guessed, guess_color)
        cv2.copyTo(layer.nearness, guessed, guess_nearness)
        known |= guessed.view(np.bool_)
    seen = weight > 0
    picture = cv2.copyTo(picture, seen.view(np.uint8), guess_color)
    return Layer(
        np.asarray(picture, dtype=np.uint8), np.where(seen, nearness, guess_nearness), np.asarray(known | seen), seen
    )


def _exposed_as(reference: Layer, layer: Layer) -> ColorImage:
    """Return a layer's colour (H, W, 3) scaled to the exposure and white balance of the reference."""
    few = (slice(None, None, _SAMPLE), slice(None, None, _SAMPLE))
    near, other = reference.nearness[few], layer.nearness[few]
    both = layer.seen[few] & reference.seen[few] & (np.abs(other - near) < AGREE * near)
    if np.count_nonzero(both) < _ENOUGH_PIXELS:
        return layer.color
    wanted = _middle(reference.color[few], both) + 1.0
    present = _middle(layer.color[few], both) + 1.0
    gains = np.clip(wanted / present, *GAIN_RANGE)
    scaled = cv2.multiply(layer.color, (*gains.tolist(), 0.0))
    return np.asarray(scaled, dtype=np.uint8)


def _middle(color: ColorImage, where: Mask) -> NDArray[np.float64]:
    """Return the median (3,) of a picture (H, W, 3) over a mask (H, W), read off its histograms."""
    color, mask = np.ascontiguousarray(color), where.view(np.uint8)
    ranks = np.array([(np.count_nonzero(where) + 1) // 2, np.count_nonzero(where) // 2 + 1])
    below = [cv2.calcHist([color], [channel], mask, [256], [0, 256]).ravel().cumsum() for channel in range(3)]
    return np.array([np.searchsorted(counts, ranks).mean() for counts in below])

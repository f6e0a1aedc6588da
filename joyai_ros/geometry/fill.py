"""Background-first filling: what an object hid is continued from what lies behind, never from the object.

A hole beside a depth edge was hidden by the nearer side of it, so it belongs to the farther side. The fill is a
pull-push pyramid (Gortler et al. 1996, "The lumigraph", section 3.4): known pixels are averaged into coarser and coarser
images, and each hole takes its value from the finest image that knows enough. Each known pixel weighs as much as it is
background beside its neighbours, so that an object's own pixels do not spread.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage, Mask
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.spans import bridged
from joyai_ros.geometry.surface import Plane, edge_step, edge_threshold

Stack: TypeAlias = NDArray[np.float32]  # (H, W, C)

_REACH = 11  # pixels of a quarter of the image; how far around a hole background and foreground are told apart
_SLOPE_PIXELS = 2.5  # a surface may recede by the steepest slope over this many pixels and still be one
_COARSE_LEVEL = 3  # images coarser than this average over 16 pixels and more
_ENOUGH = 4.0  # a level with a quarter of its pixels' weight known is used alone
_COARSEST = 3  # pixels; below it the mean stands for everything
_TINY = np.float32(1e-9)


def fill_color(color: ColorImage, nearness: Plane, known: Mask, camera: Camera) -> None:
    """Continue colour (H, W, 3) and inverse depth (H, W) from the background into what is not ``known``, in place.

    Args:
        color: uint8; 0 where not known.
        nearness: float32, 1/m; 0 where not known.
        known: (H, W) bool.
        camera: of the image.
    """
    hole = ~known
    if not known.any() or not hole.any():
        return
    total_color, share = halved(color, known)
    total_nearness, _ = halved(nearness[..., None], known)
    mean_nearness = total_nearness[..., 0] / np.maximum(share, _TINY)
    background = _background(mean_nearness, share > 0, edge_step(camera, 4.0))
    spread = _spreading(mean_nearness, background, edge_step(camera, _SLOPE_PIXELS)) * (share > 0)
    total = np.concatenate([total_color, total_nearness], axis=2)
    total *= spread[..., None]
    field = pull_push(total, share * spread, finest=1, nearness_channel=3)
    picture = cv2.convertScaleAbs(np.ascontiguousarray(field[..., :3]))
    size = known.shape[1], known.shape[0]
    cv2.copyTo(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), hole.view(np.uint8), color)
    continued = cv2.resize(np.ascontiguousarray(field[..., 3]), background.shape[::-1], interpolation=cv2.INTER_LINEAR)
    np.copyto(continued, background, where=np.isfinite(background))
    np.copyto(nearness, cv2.resize(continued, size, interpolation=cv2.INTER_NEAREST), where=hole)


def _background(nearness: Plane, known: Mask, step: float) -> Plane:
    """Return the inverse depth of what lies behind each hole between known pixels, at half size; infinite elsewhere."""
    whole = cv2.erode(known.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)  # or thin holes would be missed
    small_nearness, small_known = np.ascontiguousarray(nearness[::2, ::2]), np.ascontiguousarray(whole[::2, ::2])
    holes, bridge, length = bridged(small_nearness, small_known, step)
    background = np.full(small_known.shape, np.inf, dtype=np.float32)
    background.ravel()[holes] = np.where(np.isfinite(length), bridge, np.float32(np.inf))
    return background


def _spreading(nearness: Plane, background: Plane, step: float) -> Plane:
    """Return how much each pixel (H, W) may spread into the holes near it: 1 for background, 0 for what hid it.

    What is clearly nearer than the hole within reach does not spread.
    """
    reference = cv2.erode(background, np.ones((_REACH, _REACH), np.uint8))
    reference = cv2.resize(reference, nearness.shape[::-1], interpolation=cv2.INTER_NEAREST)
    reference = np.minimum(reference, nearness, out=reference)  # far from any hole everything may spread
    nearer = (nearness - reference) / edge_threshold(reference, step)
    return np.clip(2 - nearer, 0, 1)


def pull_push(total: Stack, weight: Plane, finest: int = 0, nearness_channel: int | None = None) -> Stack:
    """Continue weighted values smoothly over the whole image.

    Args:
        total: (H, W, C) values times weight.
        weight: (H, W) in [0, 1], 0 where unknown.
        finest: the result has the size of the image halved this many times.
        nearness_channel: where given, coarse images, which reach into wide holes, prefer what is far in this channel.

    Returns:
        (h, w, C), with the value itself where the weight is 1; 0 everywhere where nothing is known.
    """
    totals, weights = [total], [weight]
    while min(weights[-1].shape) > _COARSEST or len(weights) <= finest:
        level_total, level_weight = _stack(cv2.pyrDown(totals[-1])), cv2.pyrDown(weights[-1])
        if nearness_channel is not None and len(totals) >= _COARSE_LEVEL:
            preference = _preference(level_total[..., nearness_channel], level_weight)
            level_total, level_weight = level_total * preference[..., None], level_weight * preference
        totals.append(level_total)
        weights.append(level_weight)
    mean = totals[-1].sum(axis=(0, 1)) / max(float(weights[-1].sum()), float(_TINY))
    field: Stack = np.broadcast_to(mean.astype(np.float32), totals[-1].shape)
    for level_total, level_weight in zip(reversed(totals[finest:]), reversed(weights[finest:]), strict=True):
        height, width = level_weight.shape
        if field.shape[:2] != level_weight.shape:
            field = _stack(cv2.pyrUp(np.ascontiguousarray(field), dstsize=(width, height)))
        trust = np.minimum(level_weight * _ENOUGH, 1.0)
        field = level_total * (trust / np.maximum(level_weight, _TINY))[..., None] + field * (1 - trust)[..., None]
    return field


def _preference(total: Plane, weight: Plane) -> Plane:
    """Return the squared ratio of each cell's distance to the farthest one around it (h, w)."""
    nearness = np.where(weight > _TINY, total / np.maximum(weight, _TINY), np.float32(np.inf))
    farthest = cv2.erode(nearness, np.ones((5, 5), np.uint8))
    known = np.isfinite(nearness)
    ratio = np.divide(farthest, nearness, out=np.ones_like(nearness), where=known & (nearness > 0))
    return ratio * ratio


def halved(values: NDArray[Any], known: Mask) -> tuple[Stack, Plane]:
    """Return an image (H, W, C), 0 where not known, and its mask (H, W) at half size: means over 2x2 pixels."""
    height, width = known.shape
    size = (width + 1) // 2, (height + 1) // 2
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(_stack(mean), dtype=np.float32), np.asarray(share)


def _stack(image: NDArray[Any]) -> Stack:
    """Give a one-channel image back the axis that OpenCV drops."""
    return image if image.ndim == 3 else image[..., None]

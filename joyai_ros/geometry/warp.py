"""The RGB-D surface rendered from another camera pose.

What the target camera sees is decided by geometry (:mod:`joyai_ros.geometry.splat`); colour is then read once from the
source picture at the exact position, so that it stays sharp. Three things can stand at a pixel of the result:

- SEEN: a measured surface with its measured colour.
- FILLED: a gap between seen pixels. The colour image may still know it (where only the depth is missing, depth is
  continued from the background beside it); otherwise colour is continued from the background too.
- UNKNOWN: the same means, but far from any measurement or outside what the source camera saw: invented.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage, DepthImage, GrayImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.complete import complete_nearness
from joyai_ros.geometry.fill import fill_color
from joyai_ros.geometry.memory import keep_freed_memory
from joyai_ros.geometry.splat import reproject_nearness
from joyai_ros.geometry.surface import Plane, edge_step, edge_threshold, nearness_of
from joyai_ros.geometry.view import FILLED, SEEN, UNKNOWN

EDGE_MARGIN = 3  # pixels beside an object that may show its colour: depth and colour rarely agree better
GAP = 24  # pixels; a hole up to this wide between seen pixels is filled, a wider one is unknown in its middle


@dataclass(frozen=True)
class Layer:
    """One frame seen from another camera, with holes.

    Attributes:
        color: (H, W, 3) uint8 RGB; 0 where not known.
        nearness: (H, W) float32 inverse depth, 1/m; 0 where not known.
        known: (H, W) bool: the frame has a colour for the pixel.
        seen: (H, W) bool: and a measured depth.
    """

    color: ColorImage
    nearness: Plane
    known: Mask
    seen: Mask


@dataclass(frozen=True)
class Warp:
    """What another camera would see, without holes.

    Attributes:
        color: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres; 0 where the validity is UNKNOWN.
        validity: (H, W) uint8, SEEN, FILLED or UNKNOWN.
    """

    color: ColorImage
    depth: DepthImage
    validity: GrayImage


def warp(color: ColorImage, depth: DepthImage, source: Camera, target: Camera, target_from_source: Mat4) -> Warp:
    """Return what the target camera would see of one RGB-D frame.

    Args:
        color: (H, W, 3) uint8 RGB of the source camera.
        depth: (H, W) float32 metres registered to ``color``, 0 where there is none.
        source: undistorted camera of the frame.
        target: undistorted camera to look from; its size may differ.
        target_from_source: (4, 4) rigid transform between their optical frames.

    Raises:
        ImageError, DepthError: an image does not have the source camera's size.
        CameraError, PoseError: as :func:`joyai_ros.geometry.splat.reproject`.
    """
    return completed(layer(color, depth, source, target, target_from_source), target)


def layer(color: ColorImage, depth: DepthImage, source: Camera, target: Camera, target_from_source: Mat4) -> Layer:
    """Return what one frame knows of the target view; arguments and errors as :func:`warp`."""
    if color.shape[:2] != source.shape:
        raise ImageError(
            f"colour image is {color.shape[1]}x{color.shape[0]}, its camera {source.width}x{source.height}; "
            "a resized image needs a resized camera"
        )
    keep_freed_memory()
    measured = nearness_of(depth)
    margin = _margin(measured, source, target_from_source)
    surface = _without_edges(complete_nearness(measured, source), source, margin)
    moved = reproject_nearness(surface, source, target, target_from_source)
    known = moved.seen
    # OpenCV moves four channels in half the time of three.
    padded = cv2.cvtColor(_antialiased(color, moved.spacing), cv2.COLOR_RGB2RGBA)
    padded = cv2.remap(padded, moved.u, moved.v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    picture = cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB)
    picture = cv2.bitwise_and(picture, picture, mask=known.view(np.uint8))
    support = cv2.remap((measured > 0).view(np.uint8), moved.u, moved.v, cv2.INTER_NEAREST)
    return Layer(np.asarray(picture, dtype=np.uint8), moved.nearness, known, known & (support > 0))


def completed(known: Layer, camera: Camera) -> Warp:
    """Fill the holes of a camera's layer from the background; the layer's arrays are used up."""
    fill_color(known.color, known.nearness, known.known, camera)
    validity = _closed(known.seen, GAP).view(np.uint8) * np.uint8(FILLED)
    np.copyto(validity, np.uint8(SEEN), where=known.seen)
    depth = nearness_of(known.nearness)
    depth *= validity != UNKNOWN
    return Warp(known.color, depth, validity)


def _margin(measured: Plane, camera: Camera, target_from_source: Mat4) -> int:
    """Return how many pixels of background beside an object to drop: none where the two do not move apart."""
    parallax = float(np.linalg.norm(target_from_source[:3, 3])) * float(measured.max(initial=0.0)) * camera.fx
    return int(min(np.ceil(parallax - 0.5), EDGE_MARGIN)) if np.isfinite(parallax) else EDGE_MARGIN


def _without_edges(surface: Plane, camera: Camera, margin: int) -> Plane:
    """Drop the background within ``margin`` pixels of a nearer surface: its colour may be that of what is before it."""
    if margin < 1:
        return surface
    size = 2 * margin + 1
    nearest = cv2.dilate(surface, np.ones((size, size), np.uint8))
    nearest -= surface
    return surface * (nearest <= edge_threshold(surface, edge_step(camera, margin)))


def _antialiased(color: ColorImage, spacing: float) -> ColorImage:
    """Blur a picture that is about to shrink, so that fine texture does not turn into noise."""
    if spacing > 0.75:
        return color
    sigma = 0.5 * np.sqrt(1 / max(spacing, 0.05) ** 2 - 1)
    return np.asarray(cv2.GaussianBlur(color, (0, 0), float(sigma)), dtype=np.uint8)


def _closed(mask: Mask, width: int) -> Mask:
    """Close gaps up to ``width`` pixels wide in a mask (H, W), with a disc, at half resolution."""
    height, columns = mask.shape
    small = np.ascontiguousarray(mask[::2, ::2]).view(np.uint8)
    radius = width / 4.0
    grown = (cv2.distanceTransform(1 - small, cv2.DIST_L2, 3) <= radius).view(np.uint8)
    # Outside the image nothing is seen: a strip along the border is no gap between seen pixels.
    grown = cv2.copyMakeBorder(grown, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.distanceTransform(grown, cv2.DIST_L2, 3)[1:-1, 1:-1] > radius
    return np.asarray(cv2.resize(closed.view(np.uint8), (columns, height), interpolation=cv2.INTER_NEAREST) > 0)

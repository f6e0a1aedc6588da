"""The measured surface as inverse depth, and how to read it between pixels.

Inverse depth ("nearness", 1/m) is 0 where nothing was measured, largest where the surface is nearest, and linear in the
image of a plane, so that interpolating it between pixels is exact on planes.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage
from joyai_ros.geometry.cameras import Camera

EDGE = 0.04  # relative difference of depth above which two samples are not of the same place
_LARGEST = 1e4  # metres or 1/m
_STEEPEST = 8.0  # a surface seen flatter than 7 degrees cannot be told from the edge of one before another
_NOISE = 0.012  # 1/m; stereo and structured light are unsure of about so much inverse depth at any distance

Plane: TypeAlias = NDArray[np.float32]


def nearness_of(depth: DepthImage) -> Plane:
    """Return the reciprocal of a depth image (H, W) in metres, float32; 0 where there is no depth.

    What is not positive, not a number, nearer than 0.1 mm or farther than 10 km counts as none. It is its own inverse:
    applied to inverse depth it returns depth.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        nearness = np.reciprocal(depth, dtype=np.float32)
    nearness[~((nearness > 1 / _LARGEST) & (nearness < _LARGEST))] = 0.0
    return nearness


def typical_nearness(nearness: Plane) -> float:
    """Return the median inverse depth of an image (H, W), 1/m; 0 where nothing was measured."""
    sample = nearness[::8, ::8]
    sample = sample[sample > 0]
    return float(np.median(sample)) if len(sample) else 0.0


def edge_step(camera: Camera, pixels: float = 1.0) -> float:
    """Return the relative step of depth over so many pixels above which two samples lie on different surfaces.

    A surface at 83 degrees to the line of sight changes its depth by ``8 / focal length`` from pixel to pixel. (To it
    comes the depth noise, which grows with distance: see :func:`edge_threshold`.)
    """
    return min(_STEEPEST * pixels / min(camera.fx, camera.fy), 2 * EDGE)


def edge_threshold(nearness: Plane, step: float) -> Plane:
    """Return the step of inverse depth (H, W), 1/m, that is an edge: a relative ``step`` and the sensor's noise."""
    threshold = nearness * np.float32(step)
    threshold += np.float32(_NOISE)
    return threshold


def sample_surface(nearness: Plane, u: Plane, v: Plane) -> tuple[Plane, Plane]:
    """Read inverse depth (H, W) at pixel positions u, v (h, w).

    Returns:
        The nearest sample, and the surface there: bilinear where the samples around lie on one surface, else the nearest
        sample; both (h, w) float32, 0 where nothing was measured or outside the image.
    """
    nearest = cv2.remap(nearness, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    smooth = cv2.remap(nearness, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # A product with the mask: selecting by np.where takes four times as long where the mask is ragged.
    surface = np.subtract(smooth, nearest, out=smooth)
    surface *= np.abs(surface) < nearest * np.float32(EDGE / 4)
    surface += nearest
    return nearest, surface

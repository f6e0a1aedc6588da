"""What sensors do to a true image: depth noise of three kinds of sensor, and colour noise.

Standard deviations along the optical axis, z in metres, before the scene's strength factor:

- stereo: ``0.0038 z^2`` (0.08 px of disparity at 424 px focal length and 50 mm baseline, an active stereo camera at
  848 x 480), disparity in steps of 1/32 px;
- structured light: ``0.0012 + 0.0019 (z - 0.4)^2`` (Nguyen, Izadi and Lovell, 3DIMPVT 2012), disparity in steps of 1/8 px at
  580 px and 75 mm;
- time of flight: ``0.0010 + 0.0008 z^2``.

They grow with one over the cosine of the angle of incidence, and neighbouring pixels err alike. Lost are: what the second
eye (or the projector) does not see, a share of the pixels at depth edges, surfaces seen at a grazing angle, patches on
reflective objects, and what is nearer or farther than the sensor's range.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask
from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.description import ColorNoise, DepthNoise

Image = NDArray[np.float32]

_EDGE_STEP = 0.02  # depth edge: a step above this share of the depth
_GRAZING = (75.0, 87.0)  # degrees of incidence at which loss begins and is complete
_MILLIMETRE = 1000.0


@dataclass(frozen=True)
class SensorModel:
    """The constants of one kind of depth sensor.

    Attributes:
        constant, linear_from, quadratic: standard deviation ``constant + quadratic (z - linear_from)^2`` metres.
        near, far: range in metres.
        correlation: Gaussian radius in pixels over which neighbours err alike.
        wobble: pixels by which depth edges are ragged.
        baseline: metres between the two eyes (or eye and projector); 0 for none.
        disparity_step: metres^-1 in which inverse depth is quantised; 0 for none.
        mixing: whether edge pixels that survive lie between the two surfaces.
    """

    constant: float
    linear_from: float
    quadratic: float
    near: float
    far: float
    correlation: float
    wobble: float
    baseline: float
    disparity_step: float
    mixing: bool


MODELS = {
    "stereo": SensorModel(0.0, 0.0, 0.0038, 0.22, 8.0, 1.5, 1.0, 0.050, 1.0 / (32 * 424 * 0.050), False),
    "structured_light": SensorModel(0.0012, 0.4, 0.0019, 0.35, 5.0, 0.8, 0.7, 0.075, 1.0 / (8 * 580 * 0.075), False),
    "time_of_flight": SensorModel(0.0010, 0.0, 0.0008, 0.25, 5.5, 0.5, 0.0, 0.0, 0.0, True),
}


def sigma(noise: DepthNoise, depth: Image) -> Image:
    """Return the standard deviation in metres, of a surface seen head-on, for depths (any shape) in metres."""
    model = MODELS[noise.model]
    return np.asarray(
        noise.strength * (model.constant + model.quadratic * (depth - model.linear_from) ** 2), np.float32
    )


def measured_depth(
    depth: DepthImage, camera: Camera, noise: DepthNoise, reflective: list[Mask], random: np.random.Generator
) -> DepthImage:
    """Return what the sensor reports for a true depth image.

    Args:
        depth: (H, W) float32 metres, 0 where nothing is seen.
        camera: its undistorted camera.
        noise: the scene's noise.
        reflective: (H, W) masks of the visible part of each reflective object.
        random: where the noise comes from.

    Returns:
        (H, W) float32 metres in whole millimetres, 0 where nothing was measured.
    """
    model = MODELS[noise.model]
    edges = _edges(depth)
    lost = edges & (_smooth(random, depth.shape, 1.0, uniform=True) < noise.edge_loss)
    lost |= _shadow(depth, camera, model.baseline)
    cosine = _incidence_cosine(depth, camera, edges)
    lost |= _grazing_loss(cosine, random)
    for mask in reflective:
        lost |= _patches(mask, noise.hole_density, random)
    ragged = _ragged(depth, edges, model, random)
    error = sigma(noise, ragged) / np.maximum(cosine, 0.25) * _smooth(random, depth.shape, model.correlation)
    measured = ragged + error
    if model.disparity_step:
        safe = np.maximum(measured, 0.05)
        measured = 1.0 / np.maximum(np.round(1.0 / safe / model.disparity_step) * model.disparity_step, 1e-3)
    measured = np.round(measured * _MILLIMETRE) / _MILLIMETRE
    lost |= (depth <= 0) | (ragged <= 0) | (measured < model.near) | (measured > model.far)
    return np.where(lost, np.float32(0), measured.astype(np.float32))


def captured_color(color: ColorImage, noise: ColorNoise, random: np.random.Generator) -> ColorImage:
    """Return what the camera reports for a drawn (H, W, 3) image: exposure, blur, grain."""
    image = color.astype(np.float32) * np.float32(noise.exposure)
    if noise.blur > 0.05:
        image = cv2.GaussianBlur(image, (0, 0), noise.blur)
    image += random.standard_normal(image.shape, dtype=np.float32) * np.float32(noise.grain)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _smooth(random: np.random.Generator, shape: tuple[int, ...], radius: float, uniform: bool = False) -> Image:
    """Noise of unit variance whose neighbours are alike over ``radius`` pixels; uniform within [0, 1) where asked."""
    noise = random.standard_normal(shape, dtype=np.float32)
    if radius > 0.3:
        noise = cv2.GaussianBlur(noise, (0, 0), radius)
        noise /= noise.std()
    if not uniform:
        return np.asarray(noise)
    # The logistic curve comes within 0.01 of the normal distribution's.
    return np.asarray(1.0 / (1.0 + np.exp(-1.702 * noise)), np.float32)


def _edges(depth: DepthImage) -> Mask:
    """Pixels next to a depth step, on both sides."""
    far = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    near = cv2.erode(depth, np.ones((3, 3), np.uint8))
    slope = np.minimum(far - depth, depth - near)  # on a smooth slope both sides differ by as much
    return np.asarray((far - near > _EDGE_STEP * depth) & (np.maximum(far - depth, depth - near) > 3.0 * slope + 0.004))


def _shadow(depth: DepthImage, camera: Camera, baseline: float) -> Mask:
    """Pixels that a second eye to the right does not see, because something nearer hides them.

    A pixel lands in the second image at ``u - f b / z``. Along a row, from left to right, it is hidden when one on its
    right lands farther left.
    """
    if baseline <= 0:
        return np.zeros(depth.shape, bool)
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0)
    landed = np.arange(camera.width, dtype=np.float32) - np.float32(camera.fx * baseline) * inverse
    farthest_left = np.minimum.accumulate(landed[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(landed > farthest_left + 1.0)


def _incidence_cosine(depth: DepthImage, camera: Camera, edges: Mask) -> Image:
    """Cosine of the angle between ray and surface normal; 1 at depth edges, where there is no normal."""
    points = camera.cloud(depth)
    px, py, pz = cv2.split(points)
    ax, ay, az = cv2.split(cv2.Sobel(points, cv2.CV_32F, 1, 0, ksize=3))
    dx, dy, dz = cv2.split(cv2.Sobel(points, cv2.CV_32F, 0, 1, ksize=3))
    nx, ny, nz = ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx
    length = np.sqrt((nx * nx + ny * ny + nz * nz) * (px * px + py * py + pz * pz))
    cosine = np.abs(nx * px + ny * py + nz * pz) / np.maximum(length, 1e-12)
    cosine[edges | (depth <= 0)] = 1.0
    cosine[[0, -1]], cosine[:, [0, -1]] = (
        cosine[[1, -2]],
        cosine[:, [1, -2]],
    )  # no neighbours, so no slope, at the border
    return np.asarray(cosine, np.float32)


def _grazing_loss(cosine: Image, random: np.random.Generator) -> Mask:
    start, end = (np.cos(np.radians(v)) for v in _GRAZING)
    chance = np.clip((start - cosine) / (start - end), 0.0, 1.0)
    return np.asarray(random.random(cosine.shape, dtype=np.float32) < chance)


def _patches(mask: Mask, density: float, random: np.random.Generator) -> Mask:
    """Elliptic patches on a mask; their number follows ``density``, their size the mask's."""
    lost = np.zeros(mask.shape, np.uint8)
    rows, columns = np.nonzero(mask)
    if len(rows) < 30:
        return np.zeros(mask.shape, bool)
    size = np.sqrt(len(rows))
    for _ in range(random.poisson(density)):
        k = random.integers(len(rows))
        axes = (int(1 + size * random.uniform(0.03, 0.15)), int(1 + size * random.uniform(0.03, 0.15)))
        center = (int(columns[k]), int(rows[k]))
        cv2.ellipse(lost, center, axes, float(random.uniform(0, 180)), 0.0, 360.0, 1, -1)
    return (lost > 0) & mask


def _ragged(depth: DepthImage, edges: Mask, model: SensorModel, random: np.random.Generator) -> DepthImage:
    """Depth whose edges wander (stereo windows, projected patterns) or lie between both surfaces (time of flight)."""
    if model.mixing:
        share = random.random(depth.shape, dtype=np.float32)
        mixed = share * cv2.blur(depth, (3, 3)) + (1 - share) * depth
        return np.where(edges & (random.random(depth.shape, dtype=np.float32) < 0.5) & (depth > 0), mixed, depth)
    height, width = depth.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += model.wobble * _smooth(random, depth.shape, 2.0)
    rows += model.wobble * _smooth(random, depth.shape, 2.0)
    moved = cv2.remap(depth, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    near_edge = cv2.dilate(edges.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(near_edge, moved, depth)

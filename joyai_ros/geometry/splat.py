"""Forward projection of a depth image into another camera: z-buffered, without cracks or rubber sheets, sub-pixel exact.

A depth pixel is a sample of a surface. Moving the samples one by one leaves cracks where the new view is nearer, lets
the background shine through them, and rounds every position to a pixel. Joining the samples to a mesh draws rubber
sheets from an object to the wall behind it. Here the samples are moved (:func:`splat`), the cracks are closed by
candidates from their neighbours, and then every target pixel looks *back* at the source: its position there is found by
fixed-point iteration on the source surface, and it is kept only where it lands on a surface of the expected depth. So a
wrong candidate cannot survive, and what survives has its exact source position.

All depths are handled as inverse depth (:mod:`joyai_ros.geometry.surface`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import CameraError, DepthError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import DepthImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.surface import EDGE, Plane, edge_threshold, nearness_of, sample_surface, typical_nearness

_MAX_CLOSING = 15  # pixels; a crack between samples wider than this is a hole
_BAND_PIXELS = 32_000  # 128 kB of float32, and fewer than the 32767 rows that OpenCV's remap can take
_NEAREST = 1e4  # 1/m; a surface this close to the target camera's plane is not in front of it
_FARTHEST = 1e20  # pixels times metres
_IN_FRONT = np.float32(1e-8)  # smallest depth ratio; stands for everything behind the camera
_SHORT_BASELINE = 0.15  # of the distance; below it one look back finds the source to 0.1 pixels, above it takes two

# glibc hands freed memory back to the system once there is twice as much of it as the largest block freed so far, and the
# page faults of taking it again cost 3 ms a view. Freeing one large block, never touched, raises that bar; with another
# allocator it does nothing.
np.empty(24 << 20, dtype=np.uint8)

Planes: TypeAlias = tuple[Plane, Plane, Plane]


@dataclass(frozen=True)
class Reprojection:
    """A depth image as seen from another camera.

    Attributes:
        nearness: (H, W) float32 inverse depth in the target camera, 1/m, 0 where nothing is seen.
        u, v: (H, W) float32 pixel position in the source image that each target pixel shows; undefined where
            ``nearness`` is 0.
        spacing: how far apart neighbouring source pixels lie in the target, in pixels (95th percentile).
    """

    nearness: Plane
    u: Plane
    v: Plane
    spacing: float

    @property
    def seen(self) -> Mask:
        """(H, W) bool: where a measured surface is seen."""
        return np.asarray(self.nearness > 0)

    @property
    def depth(self) -> DepthImage:
        """(H, W) float32 metres in the target camera, 0 where nothing is seen."""
        return nearness_of(self.nearness)


def reproject(depth: DepthImage, source: Camera, target: Camera, target_from_source: Mat4) -> Reprojection:
    """Return what of the measured surface the target camera sees, with the exact source position of every pixel.

    Args:
        depth: (H, W) float32 metres along the source camera's z axis, 0 where there is none.
        source: undistorted camera of ``depth``.
        target: undistorted camera to look from; its size may differ.
        target_from_source: (4, 4) rigid transform between their optical frames.

    Raises:
        CameraError: a camera is distorted.
        DepthError: the depth image's size is not the source camera's.
        PoseError: the transform is not one.
    """
    return reproject_nearness(nearness_of(depth), source, target, target_from_source)


def reproject_nearness(measured: Plane, source: Camera, target: Camera, target_from_source: Mat4) -> Reprojection:
    """Do as :func:`reproject`, from inverse depth (H, W) float32 in 1/m."""
    if not (source.is_pinhole and target.is_pinhole):
        raise CameraError("moving depth between cameras needs undistorted cameras; rectify the images first")
    if measured.shape != source.shape:
        raise DepthError(
            f"depth is {measured.shape[1]}x{measured.shape[0]}, its camera {source.width}x{source.height}; "
            "give the camera of the depth image"
        )
    transform = rigid.checked_transform(target_from_source, "target_from_source")
    forward = Homography(source, target, transform)
    backward = Homography(target, source, rigid.inverse(transform))
    splatted = splat(measured, forward, target.shape)
    spacing = _spacing(measured, forward)
    closed = _close(splatted, spacing)
    steps = 1 if np.linalg.norm(transform[:3, 3]) * typical_nearness(measured) < _SHORT_BASELINE else 2
    planes = np.empty((3, *target.shape), dtype=np.float32)
    columns = np.arange(target.width, dtype=np.float32)
    rows = np.arange(target.height, dtype=np.float32)[:, None]
    for band in _bands(target.shape):
        out = planes[0][band], planes[1][band], planes[2][band]
        _look_back(closed[band], backward.at_infinity(columns, rows[band]), measured, forward, backward, steps, out)
    # Where a closing candidate was refused, what was splatted under it may still be right.
    refused = np.flatnonzero((planes[0] == 0) & (splatted > 0))
    for start in range(0, len(refused), _BAND_PIXELS):
        some = refused[start : start + _BAND_PIXELS]
        row, column = np.divmod(some, target.width)
        found = np.empty((3, len(some), 1), dtype=np.float32)
        pixels = backward.at_infinity(columns[column, None], rows[row])
        candidate = splatted.ravel()[some, None]
        _look_back(candidate, pixels, measured, forward, backward, steps, (found[0], found[1], found[2]))
        planes.reshape(3, -1)[:, some] = found[..., 0]
    return Reprojection(planes[0], planes[1], planes[2], spacing)


class Homography:
    """The map of pixels with inverse depth from one camera to another.

    With pixel p = (u, v, 1) and inverse depth n, ``h = K_b R K_a^-1 p + n K_b t`` is the pixel in b (homogeneous), and
    n / h_z its inverse depth there (plane induced parallax: Hartley and Zisserman, Multiple View Geometry, 13.1).
    """

    def __init__(self, a: Camera, b: Camera, b_from_a: Mat4) -> None:
        self.infinite = (b.matrix @ b_from_a[:3, :3] @ np.linalg.inv(a.matrix)).astype(np.float32)
        # Beyond any map of this world float32 would overflow; there nothing is in view anyway.
        self.parallax = np.clip(b.matrix @ b_from_a[:3, 3], -_FARTHEST, _FARTHEST).astype(np.float32)

    def at_infinity(self, u: Plane, v: Plane) -> Planes:
        """Return where pixels u, v of infinitely far points lie in b: homogeneous x, y, z; u (w,), v (h, 1) make a grid."""
        x, y, z = (np.add(m[0] * u, m[1] * v + m[2]) for m in self.infinite)
        return x, y, z

    def move(self, at_infinity: Planes, nearness: Plane, out: tuple[Plane, Plane] | None = None) -> Planes:
        """Map the pixels of :meth:`at_infinity` with inverse depth (h, w).

        Returns:
            u and v (in ``out`` where given) and the ratio of inverse depth in b to that in a, each (h, w). Points behind b
            have a huge ratio.
        """
        x, y, scale = (
            cv2.scaleAdd(nearness, float(parallax), plane)
            for plane, parallax in zip(at_infinity, self.parallax, strict=True)
        )
        np.maximum(scale, _IN_FRONT, out=scale)
        np.reciprocal(scale, out=scale)
        u, v = (x, y) if out is None else out
        return np.multiply(x, scale, out=u), np.multiply(y, scale, out=v), scale


def splat(measured: Plane, forward: Homography, shape: tuple[int, int]) -> Plane:
    """Move every sample to the nearest target pixel, the nearest surface winning; (H, W) inverse depth with cracks."""
    height, width = shape
    cells = np.empty(measured.shape, dtype=np.intp)
    values = np.empty(measured.shape, dtype=np.float32)
    columns = np.arange(measured.shape[1], dtype=np.float32)
    rows = np.arange(measured.shape[0], dtype=np.float32)[:, None]
    for band in _bands(measured.shape):
        u, v, ratio = forward.move(forward.at_infinity(columns, rows[band]), measured[band])
        nearness = np.multiply(ratio, measured[band], out=values[band])
        nearness[nearness > _NEAREST] = 0.0
        # One pixel of border on each side takes what falls outside the image.
        cell = _pixel(v, height)
        cell *= width + 2
        cell += _pixel(u, width)
        cell += width + 3
        cells[band] = cell
    buffer = np.zeros((height + 2) * (width + 2) + 1, dtype=np.float32)
    _keep_nearest(buffer, cells.ravel(), values.ravel())
    return np.ascontiguousarray(buffer[:-1].reshape(height + 2, width + 2)[1:-1, 1:-1])


def _pixel(position: Plane, size: int) -> Plane:
    """Round positions to pixels in place, -1 and ``size`` standing for what lies outside."""
    np.clip(position, -1, size, out=position)
    return np.rint(position, out=position)


def _keep_nearest(buffer: Plane, index: NDArray[np.intp], values: Plane) -> None:
    """Write each value to its cell, the largest winning.

    Where several fall on one cell the last one written stays; only those it should not have beaten are left to
    ``ufunc.at``, which is slow before NumPy 1.25.
    """
    buffer[index] = values
    lost = np.flatnonzero(buffer.take(index) < values)
    np.maximum.at(buffer, index.take(lost), values.take(lost))


def _bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Cut an image into bands of rows whose planes stay in the processor's cache: twice as fast as whole planes."""
    height, width = shape
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _spacing(measured: Plane, forward: Homography) -> float:
    step = 8  # a sparse sample is enough for a kernel size
    height, width = (side - 1 for side in measured.shape)
    offsets = ((0, 0), (0, 1), (1, 0))
    samples = [measured[down : height + down : step, right : width + right : step] for down, right in offsets]
    corner, *neighbours = samples
    if not corner.size:
        return 1.0
    one_surface = corner > 0
    for neighbour in neighbours:
        one_surface &= np.abs(neighbour - corner) < EDGE * corner
    columns = np.arange(0, width, step, dtype=np.float32)
    rows = np.arange(0, height, step, dtype=np.float32)[:, None]
    moved = [
        forward.move(forward.at_infinity(columns + right, rows + down), np.ascontiguousarray(sample))
        for (down, right), sample in zip(offsets, samples, strict=True)
    ]
    one_surface &= moved[0][2] * corner < _NEAREST
    if not one_surface.any():
        return 1.0
    spread = [np.abs(other[axis] - moved[0][axis])[one_surface] for other in moved[1:] for axis in (0, 1)]
    return float(np.percentile(np.maximum.reduce(spread), 95))


def _close(nearness: Plane, spacing: float) -> Plane:
    """Fill cracks, and cover what shines through them, from the nearer surface on both sides (grey closing)."""
    size = 2 * int(np.ceil((min(spacing * 1.5, _MAX_CLOSING) - 1e-3) / 2)) + 1
    closed = cv2.morphologyEx(nearness, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    closed -= nearness
    closed *= closed > nearness * np.float32(EDGE)
    closed += nearness
    return closed


def _look_back(
    candidate: Plane,
    pixels: Planes,
    measured: Plane,
    forward: Homography,
    backward: Homography,
    steps: int,
    out: Planes,
) -> None:
    """Find the source position of each candidate and keep those that land on a measured surface of the same depth.

    ``candidate`` is (h, w) inverse depth at target ``pixels`` (:meth:`Homography.at_infinity` of ``backward``). Each step
    shrinks the error of the position by the baseline over the distance of the surface's plane to the camera. ``out``
    takes inverse depth (0 where refused), and source u and v.
    """
    nearness = candidate
    alive = candidate > 0
    for _ in range(steps):
        u, v, ratio = backward.move(pixels, nearness, (out[1], out[2]))
        expected = ratio * nearness
        nearest, surface = sample_surface(measured, u, v)
        alive &= np.abs(nearest - expected) < edge_threshold(expected, EDGE)
        # The surface found lies at another depth than expected; its own inverse depth seen from the target camera.
        cv2.scaleAdd(surface - expected, float(forward.parallax[2]), ratio, dst=ratio)
        nearness = np.divide(surface, np.maximum(ratio, _IN_FRONT, out=ratio), out=ratio)
    backward.move(pixels, nearness, (out[1], out[2]))
    np.multiply(nearness, alive, out=out[0])

"""Support planes: the level surfaces that things stand on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Mat3, Points, Vec3
from joyai_ros.scene.config import SegmentationConfig
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.oriented import OrientedCloud
from joyai_ros.scene.types import SupportPlane

_LEVEL = np.cos(np.radians(20.0))  # a sample's normal this close to up is on a level surface
# Of a fitted plane against up: tables lean, and gravity itself is known to a few degrees.
_MAX_TILT = np.tan(np.radians(8.0))
_BIN = 0.01  # metres, height histogram
_OBJECT_TOP_MAX_AREA = 0.12  # square metres: a level patch above a larger plane and below this is the top of an object
_OBJECT_TOP_MAX_HEIGHT = 0.4  # metres above that plane
_PATCH_GAP = 0.25  # metres from a surface's largest patch to the middle of another patch of it
_LEAST_PATCH = 0.02  # of the largest patch's area
_FARTHEST = 200.0  # metres above or below the camera: only an absurd calibration puts surfaces farther
_MAX_PLANES = 10
_WIDEST = 0.03  # metres: the first, widest band about a height in which a surface is looked for
_PATCH_CLOSING = np.ones((3, 3), dtype=np.uint8)  # a gap of a few samples (an object's edge, a shadow) ends no patch


@dataclass(frozen=True)
class _Samples:
    """Level samples of the coarse cloud, row by row; one array for each quantity, as all of it is summed up again and again.

    Attributes:
        place: (N,) flat indices in the coarse cloud.
        shape: of the coarse cloud.
        design: (3, N) right and forward in metres, and ones: what heights are fitted by.
        height: (N,) metres over the camera.
        areas: (N,) square metres.
        sigmas: (N,) depth noise in metres.
        weight: (N,) of each in a fit.
    """

    place: NDArray[np.int64]
    shape: tuple[int, int]
    design: NDArray[np.float64]
    height: NDArray[np.float64]
    areas: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, level: Mask, cloud: OrientedCloud, sigma_z: NDArray[np.float32], basis: Mat3) -> _Samples:
        """The samples of a cloud where ``level`` (h, w) is set; ``basis`` is level from optical."""
        place = np.flatnonzero(level)
        right, forward, height = basis @ cloud.points.reshape(-1, 3).take(place, axis=0).T.astype(np.float64)
        areas = cloud.area.reshape(-1).take(place).astype(np.float64)
        sigmas = sigma_z.reshape(-1).take(place).astype(np.float64)
        design = np.stack([right, forward, np.ones(len(place))])
        return cls(place, cloud.area.shape, design, height, areas, sigmas, areas / np.square(sigmas))

    def only(self, chosen: Mask) -> _Samples:
        """Some of the samples."""
        some = np.flatnonzero(chosen)
        design = self.design.take(some, axis=1)
        rest = (values.take(some) for values in (self.height, self.areas, self.sigmas, self.weight))
        return _Samples(self.place.take(some), self.shape, design, *rest)

    def rows(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (K,) the rows in the coarse cloud of samples (K,)."""
        return self.place.take(chosen) // self.shape[1]


def find_support_planes(
    cloud: OrientedCloud, up: Vec3, sigma_z: NDArray[np.float32], config: SegmentationConfig
) -> list[SupportPlane]:
    """Return the support planes of a frame, largest visible area first.

    Peaks of the area-weighted height histogram are fitted by iterated least squares with shrinking inlier bands. Level
    patches that are small and stand above a larger plane are tops of objects and left out.

    Args:
        cloud: the oriented cloud.
        up: (3,) unit, optical frame.
        sigma_z: (h, w) float32 metres, depth noise at the cloud's samples.
        config: thresholds.
    """
    level = cloud.valid & (cloud.normals @ up.astype(np.float32) > _LEVEL)
    basis = level_basis(up)
    samples = _Samples.of(level, cloud, sigma_z, basis)
    near = np.abs(samples.height) < _FARTHEST
    if not near.all():
        samples = samples.only(near)
    found: list[tuple[float, SupportPlane]] = []
    for _ in range(_MAX_PLANES):
        fit = _next_plane(samples, config)
        if fit is None:
            break
        coefficients, inliers, near = fit
        area = float(samples.areas @ inliers)
        if area >= config.support_min_area:
            plane = _plane(coefficients, samples, np.flatnonzero(inliers), basis)
            if len(plane.polygon) >= 3:  # samples on a line have an area each and span none
                found.append((area, plane))
        samples = samples.only(~near)
    found.sort(key=lambda item: -item[0])
    return [plane for area, plane in found if not _is_object_top(area, plane, found)]


def _next_plane(samples: _Samples, config: SegmentationConfig) -> tuple[Vec3, Mask, Mask] | None:
    """Return (a, b, c) of z = a x + b y + c, its inliers and the samples it uses up; None where no surface is left."""
    height = samples.height
    if len(height) < 30:
        return None
    low = float(height.min())
    histogram = np.bincount(((height - low) / _BIN).astype(np.int64), weights=samples.areas)
    smooth = np.convolve(histogram, (0.5, 1.0, 0.5), mode="same")
    if smooth.max() < config.support_min_area / 4:
        return None
    peak = low + (int(np.argmax(smooth)) + 0.5) * _BIN
    coefficients = np.array([0.0, 0.0, peak])
    residual = np.abs(height - peak)
    noise = np.maximum(config.plane_tolerance, 2.0 * samples.sigmas)
    others = np.zeros(len(height), dtype=bool)
    surfaces: list[tuple[Mask, Mask]] = []  # what was asked and found: narrower bands often hold the same samples
    fitted = others
    for band, patch in ((_WIDEST, True), (0.015, False), (0.0, True), (0.0, False)):
        near = residual < np.maximum(band, noise)
        # Which samples are one surface changes little from one fit to the next, and is dear to find.
        inliers = _known_surface(samples, near, surfaces) if patch else near & ~others
        others = near & ~inliers if patch else others
        if band == _WIDEST and float(samples.areas @ inliers) < config.support_min_area:
            return coefficients, inliers, inliers  # nor will any of its parts do
        if np.count_nonzero(inliers) < 20:
            break
        if np.array_equal(inliers, fitted):
            continue
        fitted = inliers
        solution = _fitted(samples, inliers)
        if np.hypot(solution[0], solution[1]) > _MAX_TILT:
            break  # a patch too small to fix its own tilt keeps the last fit
        coefficients = solution
        residual = np.abs(height - coefficients @ samples.design)
    tolerance = np.maximum(config.plane_tolerance, config.plane_noise_factor * samples.sigmas)
    inliers = _known_surface(samples, residual < tolerance, surfaces)
    near = _known_surface(samples, (residual < 2.0 * tolerance) | (np.abs(height - peak) < _BIN), surfaces)
    return coefficients, inliers, near


def _fitted(samples: _Samples, inliers: Mask) -> Vec3:
    """Return the weighted least squares solution (3,); nothing finite where the points lie on a line."""
    weighted = samples.design * (samples.weight * inliers)
    try:
        return np.asarray(np.linalg.solve(weighted @ samples.design.T, weighted @ samples.height))
    except np.linalg.LinAlgError:
        return np.full(3, np.inf)


def _known_surface(samples: _Samples, chosen: Mask, known: list[tuple[Mask, Mask]]) -> Mask:
    """Return :func:`_one_surface`, looked up among and added to what was asked before."""
    for asked, found in known:
        if np.array_equal(asked, chosen):
            return found
    known.append((chosen, _one_surface(samples, chosen)))
    return known[-1][1]


def _one_surface(samples: _Samples, chosen: Mask) -> Mask:
    """Return the part of ``chosen`` that belongs to one surface: its largest connected patch and those beside it.

    Two tables at nearly one height are not one plane; a table cut in pieces by what stands on it is.
    """
    canvas = np.zeros(samples.shape, dtype=np.uint8)
    canvas.reshape(-1)[samples.place] = chosen
    count, labels = cv2.connectedComponents(cv2.dilate(canvas, _PATCH_CLOSING), connectivity=8, ltype=cv2.CV_32S)
    if count <= 2:
        return chosen
    label = labels.reshape(-1).take(samples.place).astype(np.int64) * chosen
    areas = np.bincount(label, weights=samples.areas, minlength=count)
    areas[0] = 0.0
    largest = int(np.argmax(areas))
    keep = np.zeros(count, dtype=bool)
    keep[largest] = True
    beside = np.flatnonzero(areas > _LEAST_PATCH * areas[largest])
    if len(beside) > 1:
        outline = _hull(samples, np.flatnonzero(label == largest))
        total = np.bincount(label, minlength=count)
        x, y = (np.bincount(label, weights=samples.design[axis], minlength=count)[beside] for axis in (0, 1))
        for other, across, along in zip(beside.tolist(), x / total[beside], y / total[beside], strict=True):
            keep[other] |= cv2.pointPolygonTest(outline, (float(across), float(along)), True) > -_PATCH_GAP
    return np.asarray(keep.take(label))


def _hull(samples: _Samples, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (K, 1, 2) the convex hull of samples (N,), ascending, in the level plane.

    A plane's picture is convex where the plane is: no point between the ends of a row of the image is on the hull.
    """
    new = np.flatnonzero(np.diff(samples.rows(chosen)))
    if len(new) > 1:
        chosen = chosen[np.concatenate([[0], new, new + 1, [len(chosen) - 1]])]
    return np.asarray(cv2.convexHull(samples.design[:2].take(chosen, axis=1).T.astype(np.float32)))


def _plane(coefficients: Vec3, samples: _Samples, inliers: NDArray[np.int64], basis: Mat3) -> SupportPlane:
    a, b, c = coefficients
    scale = np.sqrt(a * a + b * b + 1.0)
    normal = rigid.unit(basis.T @ np.array([-a, -b, 1.0]))
    residual = (samples.height - coefficients @ samples.design).take(inliers)
    hull = _hull(samples, inliers).reshape(-1, 2).astype(np.float64)
    outline: Points = np.column_stack([hull, hull @ coefficients[:2] + c]) @ basis
    return SupportPlane(
        normal=normal,
        offset=float(-c / scale),
        polygon=outline,
        sigma=float(np.std(residual) / np.sqrt(max(len(residual) / 10.0, 1.0))),  # neighbours share their noise
        points=len(inliers),
    )


def _is_object_top(area: float, plane: SupportPlane, found: list[tuple[float, SupportPlane]]) -> bool:
    if area >= _OBJECT_TOP_MAX_AREA:
        return False
    centre = plane.polygon.mean(axis=0)
    for other_area, other in found:
        above = float(other.normal @ centre + other.offset)
        if other_area > area and 0.0 < above < _OBJECT_TOP_MAX_HEIGHT and is_over(centre, other):
            return True
    return False


def is_over(point: Vec3, plane: SupportPlane, reach: float = 0.10) -> bool:
    """Whether a point lies above the plane's visible outline, or within ``reach`` metres of it sideways."""
    basis, outline = plane.level_outline
    x, y, _ = (basis @ point).tolist()
    return float(cv2.pointPolygonTest(outline, (x, y), True)) > -reach

"""Support planes: the level surfaces that things stand on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat3, Points, Vec3
from joyai_ros.scene.config import SegmentationConfig
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.oriented import OrientedCloud
from joyai_ros.scene.types import SupportPlane

_LEVEL = np.cos(np.radians(20.0))  # a sample's normal this close to up is on a level surface
_MAX_TILT = np.tan(
    np.radians(8.0)
)  # of a fitted plane against up: tables lean, and gravity itself is known to a few degrees
_BIN = 0.01  # metres, height histogram
_OBJECT_TOP_MAX_AREA = 0.12  # square metres: a level patch above a larger plane and below this is the top of an object
_OBJECT_TOP_MAX_HEIGHT = 0.4  # metres above that plane
_PATCH_GAP = 0.25  # metres from a surface's largest patch to the middle of another patch of it
_LEAST_PATCH = 0.02  # of the largest patch's area
_MAX_PLANES = 10
_WIDEST = 0.03  # metres: the first, widest band about a height in which a surface is looked for


@dataclass(frozen=True)
class _Samples:
    grid: tuple[NDArray[np.int64], NDArray[np.int64]]  # (N,) rows and columns in the coarse cloud
    shape: tuple[int, int]  # of the coarse cloud
    points: NDArray[np.float64]  # (N, 3), levelled: x right, y forward, z up
    areas: NDArray[np.float64]  # (N,)
    sigmas: NDArray[np.float64]  # (N,) depth noise in metres

    def only(self, chosen: NDArray[np.bool_]) -> _Samples:
        """Some of the samples."""
        grid = self.grid[0][chosen], self.grid[1][chosen]
        return _Samples(grid, self.shape, self.points[chosen], self.areas[chosen], self.sigmas[chosen])


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
    rows, columns = np.nonzero(level)
    samples = _Samples(
        (rows, columns),
        level.shape,
        cloud.points[level].astype(np.float64) @ basis.T,
        cloud.area[level].astype(np.float64),
        sigma_z[level].astype(np.float64),
    )
    found: list[tuple[float, SupportPlane]] = []
    for _ in range(_MAX_PLANES):
        fit = _next_plane(samples, config)
        if fit is None:
            break
        coefficients, inliers, near = fit
        area = float(samples.areas[inliers].sum())
        if area >= config.support_min_area:
            found.append((area, _plane(coefficients, samples, inliers, basis)))
        samples = samples.only(~near)
    found.sort(key=lambda item: -item[0])
    return [plane for area, plane in found if not _is_object_top(area, plane, found)]


def _next_plane(
    samples: _Samples, config: SegmentationConfig
) -> tuple[Vec3, NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Return (a, b, c) of z = a x + b y + c, its inliers and the samples it uses up; None where no surface is left."""
    height = samples.points[:, 2]
    if len(height) < 30:
        return None
    low = float(height.min())
    histogram = np.bincount(((height - low) / _BIN).astype(np.int64), weights=samples.areas)
    smooth = np.convolve(histogram, (0.5, 1.0, 0.5), mode="same")
    if smooth.max() < config.support_min_area / 4:
        return None
    peak = low + (int(np.argmax(smooth)) + 0.5) * _BIN
    coefficients = np.array([0.0, 0.0, peak])
    design = np.column_stack([samples.points[:, :2], np.ones(len(height))])
    residual = np.abs(height - peak)
    noise = np.maximum(config.plane_tolerance, 2.0 * samples.sigmas)
    others = np.zeros(len(height), dtype=bool)
    for band, patch in ((_WIDEST, True), (0.015, False), (0.0, True), (0.0, False)):
        near = residual < np.maximum(band, noise)
        # Which samples are one surface changes little from one fit to the next, and is dear to find.
        inliers = _one_surface(samples, near) if patch else near & ~others
        others = near & ~inliers if patch else others
        if band == _WIDEST and float(samples.areas[inliers].sum()) < config.support_min_area:
            return coefficients, inliers, inliers  # nor will any of its parts do
        if np.count_nonzero(inliers) < 20:
            break
        solution = _fitted(design[inliers], height[inliers], samples.areas[inliers] / samples.sigmas[inliers] ** 2)
        if np.hypot(solution[0], solution[1]) > _MAX_TILT:
            break  # a patch too small to fix its own tilt keeps the last fit
        coefficients = solution
        residual = np.abs(height - design @ coefficients)
    tolerance = np.maximum(config.plane_tolerance, config.plane_noise_factor * samples.sigmas)
    inliers = _one_surface(samples, residual < tolerance)
    near = _one_surface(samples, (residual < 2.0 * tolerance) | (np.abs(height - peak) < _BIN))
    return coefficients, inliers, near


def _fitted(design: NDArray[np.float64], height: NDArray[np.float64], weight: NDArray[np.float64]) -> Vec3:
    """Return the weighted least squares solution (3,); nothing finite where the points lie on a line."""
    weighted = design.T * weight
    try:
        return np.asarray(np.linalg.solve(weighted @ design, weighted @ height))
    except np.linalg.LinAlgError:
        return np.full(3, np.inf)


def _one_surface(samples: _Samples, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of ``chosen`` that belongs to one surface: its largest connected patch and those beside it.

    Two tables at nearly one height are not one plane; a table cut in pieces by what stands on it is.
    """
    canvas = np.zeros(samples.shape, dtype=np.uint8)
    index = np.flatnonzero(chosen)
    rows, columns = samples.grid[0][index], samples.grid[1][index]
    canvas[rows, columns] = 1
    # A gap of a few samples (an object's edge, a shadow) does not end a patch.
    joined = cv2.dilate(canvas, np.ones((3, 3), dtype=np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8, ltype=cv2.CV_32S)
    if count <= 2:
        return chosen
    label = labels[rows, columns]
    areas = np.bincount(label, weights=samples.areas[index], minlength=count)
    largest = int(np.argmax(areas))
    keep = np.zeros(count, dtype=bool)
    keep[largest] = True
    level = samples.points[index, :2]
    outline = _hull(level[label == largest], rows[label == largest])
    total = np.bincount(label, minlength=count)
    middle = [np.bincount(label, weights=level[:, axis], minlength=count) / np.maximum(total, 1) for axis in (0, 1)]
    for other in np.flatnonzero(areas > _LEAST_PATCH * areas[largest]).tolist():
        place = float(middle[0][other]), float(middle[1][other])
        keep[other] |= cv2.pointPolygonTest(outline, place, True) > -_PATCH_GAP
    result = np.zeros(len(chosen), dtype=bool)
    result[index[keep[label]]] = True
    return result


def _hull(level: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (K, 1, 2) the convex hull of level points (N, 2) that come row by row of the image.

    A plane's picture is convex where the plane is: no point between the ends of a row is on the hull.
    """
    new = np.flatnonzero(np.diff(rows))
    if len(new) > 1:
        level = level[np.concatenate([[0], new, new + 1, [len(rows) - 1]])]
    return np.asarray(cv2.convexHull(level.astype(np.float32)))


def _plane(coefficients: Vec3, samples: _Samples, inliers: NDArray[np.bool_], basis: Mat3) -> SupportPlane:
    a, b, c = coefficients
    scale = np.sqrt(a * a + b * b + 1.0)
    normal = rigid.unit(basis.T @ np.array([-a, -b, 1.0]))
    points = samples.points[inliers]
    residual = points[:, 2] - (points[:, :2] @ coefficients[:2] + c)
    hull = _hull(points[:, :2], samples.grid[0][inliers]).reshape(-1, 2).astype(np.float64)
    outline: Points = np.column_stack([hull, hull @ coefficients[:2] + c]) @ basis
    return SupportPlane(
        normal=normal,
        offset=float(-c / scale),
        polygon=outline,
        sigma=float(np.std(residual) / np.sqrt(max(len(residual) / 10.0, 1.0))),  # neighbours share their noise
        points=int(inliers.sum()),
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
    basis = level_basis(plane.normal)
    outline = (plane.polygon @ basis.T)[:, :2].astype(np.float32)
    x, y = (basis @ point)[:2]
    return float(cv2.pointPolygonTest(outline, (float(x), float(y)), True)) > -reach

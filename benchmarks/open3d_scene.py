"""Objects of an RGB-D frame the way Open3D's tutorials find them: what the scene engine is compared with.

Depth image to cloud, voxel grid, planes by RANSAC, DBSCAN on what stands on the table, an oriented box of each cluster.
Where the objects' 2D boxes are known, the largest cluster within each box is taken. No relations, no uncertainty.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Points, Vec3
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.observation import Observation

o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)

FARTHEST = 3.0  # metres, as the engine's own limit for clusters


@dataclass(frozen=True)
class Open3dSettings:
    """Settings of the comparison, chosen on other seeds for the best boxes; lengths in metres.

    Attributes:
        voxel: edge of the voxel grid.
        plane_distance: half thickness of a plane.
        plane_iterations: tries of RANSAC.
        plane_share: of all points, the least that a further plane holds.
        planes: most planes taken away.
        reach: of DBSCAN, in voxels.
        neighbours: of DBSCAN.
        least_points: of a cluster.
        minimal: ``get_minimal_oriented_bounding_box``; else ``get_oriented_bounding_box`` (principal axes).
    """

    voxel: float = 0.005
    plane_distance: float = 0.008
    plane_iterations: int = 100
    plane_share: float = 0.05
    planes: int = 4
    reach: float = 2.0
    neighbours: int = 5
    least_points: int = 20
    minimal: bool = True


@dataclass(frozen=True)
class Open3dObject:
    """One object: its id where the frame brought 2D boxes, its 3D box, and the box round it in the image."""

    id: str
    box: OrientedBox
    image_box: Box2D


def find_objects(observation: Observation, settings: Open3dSettings = Open3dSettings()) -> list[Open3dObject]:
    """Return the objects of one frame, in its colour optical frame."""
    with _quiet():
        return _find(observation, settings)


def _find(observation: Observation, settings: Open3dSettings) -> list[Open3dObject]:
    cloud = _cloud(observation).voxel_down_sample(settings.voxel)
    standing = _off_planes(cloud, observation.up, settings)
    if observation.detections is None:
        clusters = [(f"cluster_{n}", points) for n, points in enumerate(_clusters(standing, settings))]
    else:
        boxes = {d.id: d.box for d in observation.detections if d.box is not None}
        clusters = list(_within(standing, observation.camera, boxes, settings))
    return [
        Open3dObject(name, _box(points, settings), _image_box(points, observation.camera)) for name, points in clusters
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nobody see stderr, to which Qhull behind Open3D writes a page about every flat cluster."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _cloud(observation: Observation) -> Any:
    camera = observation.camera
    intrinsics = o3d.camera.PinholeCameraIntrinsic(
        camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy
    )
    depth: Any = np.ascontiguousarray(observation.depth, dtype=np.float32)
    return o3d.geometry.PointCloud.create_from_depth_image(
        o3d.geometry.Image(depth), intrinsics, depth_scale=1.0, depth_trunc=FARTHEST, project_valid_depth_only=True
    )


def _off_planes(cloud: Any, up: Vec3 | None, settings: Open3dSettings) -> Any:
    """Take planes away, the largest first; where up is known keep only what is above the highest level one."""
    o3d.utility.random.seed(0)
    least = max(settings.plane_share * len(cloud.points), 100)
    table: NDArray[np.float64] | None = None
    for _ in range(settings.planes):
        if len(cloud.points) < least:
            break
        plane, inside = cloud.segment_plane(settings.plane_distance, 3, settings.plane_iterations)
        if len(inside) < least:
            break
        cloud = cloud.select_by_index(inside, invert=True)
        plane = np.asarray(plane) * (1.0 if up is None else np.sign(plane[:3] @ up))
        level = up is not None and plane[:3] @ up > 0.97
        if level and (table is None or plane[3] < table[3]):  # a higher plane has a smaller offset
            table = plane
    if table is not None:
        height = np.asarray(cloud.points) @ table[:3] + table[3]
        cloud = cloud.select_by_index(np.flatnonzero(height > settings.plane_distance).tolist())
    return cloud


def _clusters(cloud: Any, settings: Open3dSettings) -> list[Points]:
    """Return the points of each cluster (N, 3), largest first."""
    if len(cloud.points) < settings.least_points:
        return []
    labels = np.asarray(cloud.cluster_dbscan(settings.reach * settings.voxel, settings.neighbours))
    points = np.asarray(cloud.points)
    groups = [points[labels == label] for label in range(labels.max() + 1)]
    return sorted((g for g in groups if len(g) >= settings.least_points), key=len, reverse=True)


def _within(cloud: Any, camera: Camera, boxes: dict[str, Box2D], settings: Open3dSettings) -> list[tuple[str, Points]]:
    """Return the largest cluster in each 2D box."""
    if not len(cloud.points):
        return []
    u, v = camera.project(np.asarray(cloud.points)).T + 0.5
    found = []
    for name, (x0, y0, x1, y1) in boxes.items():
        inside = np.flatnonzero((u >= x0) & (u < x1) & (v >= y0) & (v < y1))
        clusters = _clusters(cloud.select_by_index(inside.tolist()), settings)
        if clusters:
            found.append((name, clusters[0]))
    return found


def _box(points: Points, settings: Open3dSettings) -> OrientedBox:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    find = cloud.get_minimal_oriented_bounding_box if settings.minimal else cloud.get_oriented_bounding_box
    try:
        box = find(robust=False)
    except RuntimeError:  # points in one plane have no hull; "robust" moves them about a little
        box = find(robust=True)
    rotation = np.array(box.R)
    rotation[:, 2] *= np.sign(np.linalg.det(rotation))
    return OrientedBox(np.array(box.center), rotation, np.array(box.extent))


def _image_box(points: Points, camera: Camera) -> Box2D:
    pixels = camera.project(points)
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return float(x0), float(y0), float(x1) + 1.0, float(y1) + 1.0

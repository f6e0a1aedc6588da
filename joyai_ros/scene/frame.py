"""What one depth image says before anybody asks about objects: gravity, support planes, surface pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import DepthImage, Points, Vec3
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.depth_noise import DepthNoise
from joyai_ros.geometry.order import at_least, median, quantile
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.oriented import oriented_cloud
from joyai_ros.scene.plane_view import WHOLE, PlaneView, Window
from joyai_ros.scene.rim import Surface
from joyai_ros.scene.segment import Clusters, find_clusters
from joyai_ros.scene.support import find_support_planes, is_over
from joyai_ros.scene.types import SupportPlane, UpSource
from joyai_ros.scene.up import up_from_cloud

_BESIDE, _BEYOND = 0.10, 0.60  # metres beside a plane's outline where it still carries: anything, and what is low
_LOW = 0.06  # metres above the plane
_NOISE_RANGE = (0.5, 3.0)  # within which the noise model is scaled to what the largest plane shows
_AROUND, _LEAST_AROUND = 0.4, 40  # of a box's size, and pixels, around it in which pieces are looked for
_SUNK = 0.02  # metres that an object's lower rim may read below the surface it stands on


@dataclass(frozen=True)
class FrameGeometry:
    """The geometry of one frame, in the colour optical frame.

    Attributes:
        depth: (H, W) float32 metres.
        sigma_z: (H, W) float32 metres, depth noise.
        camera: the colour camera.
        up, up_source: (3,) unit against gravity, or None.
        views: of the support planes, largest first.
        surfaces: the same as surfaces to measure heights from.
        clusters: surface pieces off the planes.
    """

    depth: DepthImage
    sigma_z: NDArray[np.float32]
    camera: Camera
    up: Vec3 | None
    up_source: UpSource
    views: list[PlaneView]
    surfaces: list[Surface]
    clusters: Clusters

    @property
    def planes(self) -> list[SupportPlane]:
        """The support planes, largest first."""
        return [view.plane for view in self.views]

    def points(self, pixels: NDArray[np.int64]) -> Points:
        """Return (N, 3) float64 points of flat pixel indices."""
        camera = self.camera
        rows = pixels // camera.width
        points = np.empty((len(pixels), 3))
        points[:, 2] = self.depth.reshape(-1)[pixels]
        z = points[:, 2]
        points[:, 0] = (pixels - rows * camera.width - camera.cx) * (z / camera.fx)
        points[:, 1] = (rows - camera.cy) * (z / camera.fy)
        return points

    def surface_under(self, points: Points) -> Surface:
        """Return the support plane that points (N, 3) stand on: the highest one beneath them; else a plane through up."""
        best: tuple[float, Surface] | None = None
        points = points[:: max(len(points) // 400, 1)]
        center = np.array([median(points[:, axis]) for axis in range(3)])
        for plane, surface in zip(self.planes, self.surfaces, strict=True):
            rim = quantile(points @ plane.normal + plane.offset, 0.05)
            # What reaches down to the plane stands on it even where the plane's far end was too noisy to be outlined.
            reach = _BEYOND if rim < _LOW else _BESIDE
            if rim > -_SUNK and (best is None or rim < best[0]) and is_over(center, plane, reach):
                best = rim, surface
        if best is not None:
            return best[1]
        up = self.up if self.up is not None else np.array([0.0, -1.0, 0.0])
        return Surface(up, 0.0, 0.0, False)

    def heights(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (N,) metres of flat pixel indices above the nearest support plane below; infinity where there is none."""
        result = np.full(len(pixels), np.inf, dtype=np.float32)
        for view in self.views:
            height = view.height.reshape(-1)[pixels]
            over = (height > -_SUNK) & (height < result) & view.outline.reshape(-1)[pixels]
            result[over] = height[over]
        return result


def frame_geometry(observation: Observation, config: SceneConfig, boxes: list[Box2D] | None = None) -> FrameGeometry:
    """Find gravity, support planes and surface pieces of an observation that has depth.

    Args:
        observation: the frame.
        config: thresholds.
        boxes: pixels, within the image: pieces are looked for in them and around them alone; everywhere by default.
    """
    assert observation.depth is not None
    depth, camera = observation.depth, observation.camera
    cloud = oriented_cloud(depth, camera)
    up, source = observation.up, UpSource.GIVEN
    if up is None and observation.world_from_camera is not None and config.world_is_level:
        up, source = observation.world_from_camera[2, :3].copy(), UpSource.TF
    if up is None:
        up = up_from_cloud(cloud)
        source = UpSource.CLOUD if up is not None else UpSource.UNKNOWN
    views: list[PlaneView] = []
    scale = 1.0
    if up is not None:
        noise = config.depth_noise.sigma(cloud.points[..., 2], camera.fx)
        planes = find_support_planes(cloud, up, noise, config.segmentation)
        if source is UpSource.CLOUD and planes:
            up = planes[0].normal
        views = [PlaneView.of(plane, depth, camera) for plane in planes]
        if views:
            scale = _noise_scale(depth, camera, views[0], config.depth_noise)
    sigma_z = config.depth_noise.sigma(depth, camera.fx)
    sigma_z *= np.float32(scale)
    segmentation = config.segmentation if observation.detections is not None else config.segmentation.unaided()
    window = _around(boxes, depth.shape) if boxes is not None else WHOLE
    clusters = find_clusters(depth, camera, views, sigma_z, segmentation, window)
    surfaces = [Surface.of(view.plane) for view in views]
    return FrameGeometry(depth, sigma_z, camera, up, source, views, surfaces, clusters)


def _around(boxes: list[Box2D], shape: tuple[int, ...]) -> Window:
    """Return the part of an image that holds boxes and so much around each that a wall behind it is seen to go on."""
    if not boxes:
        return slice(0, 0), slice(0, 0)
    corners = np.array(boxes)
    reach = np.maximum(_AROUND * (corners[:, 2:] - corners[:, :2]), _LEAST_AROUND)
    left, top = np.maximum((corners[:, :2] - reach).min(axis=0), 0).astype(int).tolist()
    right, bottom = np.ceil((corners[:, 2:] + reach).max(axis=0)).astype(int).tolist()
    # From even rows and columns on: where every second pixel is looked at, it is the same ones whatever the boxes are.
    return slice(top - top % 2, min(bottom, shape[0])), slice(left - left % 2, min(right, shape[1]))


def _noise_scale(depth: DepthImage, camera: Camera, view: PlaneView, noise: DepthNoise) -> float:
    """Return how much noisier this sensor is than its model: the spread about a large plane over the expected one."""
    some = np.s_[::4, ::3]
    z = np.ascontiguousarray(depth[some])
    sigma = noise.sigma(z, camera.fx)
    height = view.heights(some)
    near = np.abs(height) < at_least(0.01, np.float32(5.0) * sigma)
    on_plane = np.flatnonzero(near & (z > 0) & view.outline[some])
    if len(on_plane) < 300:
        return 1.0
    height, z, sigma = (values.reshape(-1)[on_plane] for values in (height, z, sigma))
    incidence = (height - np.float32(view.plane.offset)) / z  # of the ray on the plane's normal
    expected = median(sigma * np.abs(incidence))
    measured = 1.4826 * median(np.abs(height))
    return float(np.clip(measured / expected, _NOISE_RANGE[0], _NOISE_RANGE[1]))

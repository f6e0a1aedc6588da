"""Which motion of the camera would show most of the unseen space around a target, judged from the depth seen so far.

Space around the target is a cube of voxels. A frame has *seen* a voxel where its measured surface lies in the voxel or
behind it as the camera looks; a voxel behind the surface, outside the image or without a measurement stays unseen. A
candidate is scored by casting rays through the cube from where the camera would be: a ray goes through what is known to
be free, ends at a known surface, and gets weaker in unseen space, which may be full or empty. This is the occlusion aware
volumetric information of Delmerico, Isler, Sabzevari and Scaramuzza (2018, "A comparison of volumetric information gain
metrics for active 3D object reconstruction"), counted per voxel instead of per ray, so that its unit is a volume.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import DepthError, MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import DepthImage, Mat4, Points, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, orbit
from joyai_ros.scene.observation import Observation

UNSEEN, FREE, SURFACE = 0, 1, 2
_CELLS = 32  # voxels along an edge of the cube
_COLUMNS = 80  # of the image that rays are cast for
_STEP = 0.75  # samples along a ray lie so many voxel edges apart
_DENSITY = 5.0  # 1/m; unseen space stops a ray with this rate: half of all rays after 14 cm
_SOLID = 0.02  # metres behind a surface that still count as seen with it: surfaces are noisy and rays are coarse
_SECOND = 1_000_000_000  # nanoseconds


@dataclass(frozen=True)
class SeenFrame:
    """What is kept of a frame: the depth image at a quarter of its size and where it was taken."""

    stamp: int
    depth: DepthImage
    camera: Camera
    world_from_camera: Mat4


@dataclass
class SeenSpace:
    """Remembers what the camera has looked at.

    Without poses only the newest frame counts, because earlier ones cannot be placed beside it.

    Args:
        frames: how many frames are kept.
        step_m, step_deg: a frame is kept where the camera moved or turned this far since the last one kept.
    """

    frames: int = 20
    step_m: float = 0.05
    step_deg: float = 5.0
    _kept: deque[SeenFrame] = field(default_factory=deque, init=False, repr=False)
    _world: str = field(default="", init=False, repr=False)

    def add(self, observation: Observation) -> None:
        """Look at a frame; without depth or a pose it is left out, and one from another world starts anew."""
        if observation.depth is None or observation.world_from_camera is None:
            return
        if self._kept and (
            self._world != observation.world_frame or self._kept[-1].stamp > observation.stamp + _SECOND
        ):
            self._kept.clear()
        self._world = observation.world_frame
        if self._kept and (self._kept[-1].stamp >= observation.stamp or not self._moved(observation.world_from_camera)):
            return
        self._kept.append(_reduced(observation, observation.world_from_camera))
        while len(self._kept) > self.frames:
            self._kept.popleft()

    def with_newest(self, observation: Observation) -> list[SeenFrame]:
        """Return the kept frames and the newest, posed in the newest camera's optical frame.

        Raises:
            DepthError: the newest frame has no depth.
        """
        if observation.depth is None:
            raise DepthError("this frame has no depth; views are ranked by what depth has shown")
        pose = observation.world_from_camera
        newest = _reduced(observation, np.eye(4))
        if pose is None or self._world != observation.world_frame:
            return [newest]
        camera_from_world = rigid.inverse(pose)
        earlier = [f for f in self._kept if f.stamp != observation.stamp]
        return [SeenFrame(f.stamp, f.depth, f.camera, camera_from_world @ f.world_from_camera) for f in earlier] + [
            newest
        ]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _moved(self, pose: Mat4) -> bool:
        step = rigid.inverse(self._kept[-1].world_from_camera) @ pose
        turned = np.degrees(rigid.rotation_angle(step[:3, :3]))
        return bool(np.linalg.norm(step[:3, 3]) >= self.step_m or turned >= self.step_deg)


@dataclass(frozen=True)
class RankedView:
    """One candidate.

    Attributes:
        index: among the candidates that were given.
        motion: what the camera would do, about the target.
        source_from_view: (4, 4) where it would be, in the optical frame that it starts from.
        revealed: cubic metres of unseen space that it would look into.
    """

    index: int
    motion: CameraMotion
    source_from_view: Mat4
    revealed: float


@dataclass(frozen=True)
class Ranking:
    """Candidates, the best first, and how much of the cube is unseen so far, in cubic metres."""

    views: tuple[RankedView, ...]
    volume: float
    unseen: float


@dataclass(frozen=True)
class Cube:
    """The space around a target.

    Attributes:
        states: (N, N, N) uint8, UNSEEN, FREE or SURFACE.
        center: (3,) metres in the newest camera's optical frame.
        axes: (3, 3) rotation, columns are the cube's axes.
        edge: metres.
    """

    states: NDArray[np.uint8]
    center: Vec3
    axes: NDArray[np.float64]
    edge: float

    @property
    def voxel(self) -> float:
        """Edge of a voxel in metres."""
        return self.edge / self.states.shape[0]

    def centers(self) -> Points:
        """Return the (N^3, 3) centres of the voxels in the optical frame."""
        ticks = (np.arange(self.states.shape[0]) + 0.5) * self.voxel - self.edge / 2
        grid = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        return self.center + grid @ self.axes.T

    def volume_of(self, state: int) -> float:
        """Return how many cubic metres are in a state."""
        return float(np.count_nonzero(self.states == state)) * self.voxel**3


def rank_views(
    frames: Sequence[SeenFrame],
    camera: Camera,
    target: Vec3,
    extent: float,
    candidates: Sequence[CameraMotion],
    up: Vec3,
) -> Ranking:
    """Rank camera motions by how much unseen space around a target they would reveal.

    Args:
        frames: what was seen (:meth:`SeenSpace.with_newest`).
        camera: the undistorted camera that moves.
        target: (3,) metres in its optical frame, before it moves; motions turn about it.
        extent: metres, edge of the cube around the target that counts.
        candidates: the motions; those past straight up or down are left out.
        up: (3,) direction against gravity in the optical frame.

    Raises:
        MotionError: the target is not a point in front of the camera, or no candidate is left.
    """
    cube = look(frames, target, extent, up)
    points = _surface(frames, cube)
    views, refused = [], ""
    for index, motion in enumerate(candidates):
        try:
            pose = orbit(motion, target, up)
        except MotionError as error:
            refused = str(error)
            continue
        views.append(RankedView(index, motion, pose, revealed(cube, camera, pose, points)))
    if not views:
        raise MotionError(f"no candidate motion is left: {refused or 'none was given'}")
    views.sort(key=lambda v: (-v.revealed, v.index))
    return Ranking(tuple(views), cube.edge**3, cube.volume_of(UNSEEN))


def look(frames: Sequence[SeenFrame], target: Vec3, extent: float, up: Vec3) -> Cube:
    """Return the cube around a target with what the frames have seen of it; later frames are believed more.

    Raises:
        MotionError: target or extent are not finite, or the extent is not positive.
    """
    center = np.asarray(target, dtype=np.float64)
    if center.shape != (3,) or not np.isfinite(center).all() or not (np.isfinite(extent) and extent > 0):
        raise MotionError(
            f"target {center.tolist()} with extent {extent} is not a cube; give metres x, y, z and an edge"
        )
    cube = Cube(np.zeros((_CELLS,) * 3, np.uint8), center, _level_axes(up), float(extent))
    centers = cube.centers()
    states = cube.states.reshape(-1)
    for frame in frames:
        seen = _states(frame, centers, cube.voxel)
        states[seen != UNSEEN] = seen[seen != UNSEEN]
    return cube


def revealed(cube: Cube, camera: Camera, source_from_view: Mat4, surface: Points) -> float:
    """Return how many cubic metres of unseen space a camera at a pose would look into.

    Args:
        cube: what has been seen.
        camera: the camera.
        source_from_view: (4, 4) its pose in the frame of the cube.
        surface: (N, 3) points of known surfaces in that frame, which hide what is behind them.
    """
    small = camera.resized(_COLUMNS, max(1, round(_COLUMNS * camera.height / camera.width)))
    view_from_source = rigid.inverse(source_from_view)
    hidden_from = _nearest_depth(rigid.apply(view_from_source, surface), small)
    near, far = _span(cube, view_from_source)
    step = _STEP * cube.voxel
    depths = np.arange(near, far, step)
    if len(depths) == 0:
        return 0.0
    rays = small.rays().reshape(-1, 3).astype(np.float64)
    lengths = np.linalg.norm(rays, axis=1)
    axes_from_view = cube.axes.T @ source_from_view[:3, :3]
    origin = cube.axes.T @ (source_from_view[:3, 3] - cube.center)
    directions = rays @ axes_from_view.T
    index, inside = _cells(cube, origin + directions[:, None, :] * depths[None, :, None])
    states = np.where(inside, cube.states.reshape(-1)[index], FREE)
    open_ray = np.logical_and.accumulate(states != SURFACE, axis=1) & (depths[None, :] < hidden_from[:, None])
    unseen = (states == UNSEEN) & inside
    behind = (np.cumsum(unseen, axis=1) - unseen) * (step * lengths)[:, None]
    weight = np.exp(-_DENSITY * behind) * (unseen & open_ray)
    best = np.zeros(cube.states.size)
    counted = weight > 0
    np.maximum.at(best, index[counted], weight[counted])
    return float(best.sum()) * cube.voxel**3


def _reduced(observation: Observation, pose: Mat4) -> SeenFrame:
    assert observation.depth is not None
    camera = observation.camera
    width, height = max(1, camera.width // 4), max(1, camera.height // 4)
    # Nearest, not mean: a mean of two surfaces is a point in the air.
    depth = cv2.resize(observation.depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return SeenFrame(observation.stamp, np.asarray(depth), camera.resized(width, height), pose)


def _level_axes(up: Vec3) -> NDArray[np.float64]:
    """Return a rotation whose third column is up and whose first lies across the view."""
    z = rigid.unit(up, "up")
    x = np.array([1.0, 0.0, 0.0])
    if abs(float(x @ z)) > 0.9:
        x = np.array([0.0, 0.0, 1.0])
    x = rigid.unit(x - (x @ z) * z)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _states(frame: SeenFrame, centers: Points, voxel: float) -> NDArray[np.uint8]:
    """Return what one frame says of each voxel."""
    points = rigid.apply(rigid.inverse(frame.world_from_camera), centers)
    states = np.full(len(points), UNSEEN, np.uint8)
    ahead = np.flatnonzero(points[:, 2] > 0.05)
    pixels = np.rint(frame.camera.project(points[ahead])).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < np.array(frame.camera.size))).all(axis=1)
    ahead, pixels = ahead[inside], pixels[inside]
    measured = frame.depth[pixels[:, 1], pixels[:, 0]]
    gap = measured - points[ahead, 2]
    half = 0.87 * voxel  # half the diagonal of a voxel
    states[ahead[(measured > 0) & (gap > half)]] = FREE
    states[ahead[(measured > 0) & (np.abs(gap) <= half)]] = SURFACE
    return states


def _surface(frames: Sequence[SeenFrame], cube: Cube) -> Points:
    """Return the measured points of all frames, one per cell of half a voxel."""
    clouds = []
    for frame in frames:
        valid = frame.depth > 0
        clouds.append(rigid.apply(frame.world_from_camera, frame.camera.cloud(frame.depth)[valid].astype(np.float64)))
    points = np.concatenate(clouds) if clouds else np.zeros((0, 3))
    cells = np.floor(points / (0.5 * cube.voxel)).astype(np.int64)
    _, first = np.unique(cells @ np.array([1, 2**20, 2**40]), return_index=True)
    return points[first]


def _nearest_depth(points: Points, camera: Camera) -> NDArray[np.float64]:
    """Return (H * W,) metres behind which known surfaces hide everything; infinity where nothing does."""
    nearest = np.full(camera.shape, np.inf)
    ahead = points[points[:, 2] > 0.05]
    pixels = np.rint(camera.project(ahead)).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < np.array(camera.size))).all(axis=1)
    pixels, depth = pixels[inside], ahead[inside, 2]
    np.minimum.at(nearest, (pixels[:, 1], pixels[:, 0]), depth)
    # Points are sparse seen from near: a pixel between them is taken from its neighbours.
    finite = np.where(np.isfinite(nearest), nearest, 1e3).astype(np.float32)
    around = cv2.erode(finite, np.ones((3, 3), np.uint8)).astype(np.float64)
    nearest = np.where(np.isfinite(nearest), nearest, around)
    return np.where(nearest < 1e3, nearest + _SOLID, np.inf).reshape(-1)


def _span(cube: Cube, view_from_source: Mat4) -> tuple[float, float]:
    """Return the depths between which the cube lies."""
    middle = float(rigid.apply(view_from_source, cube.center)[2])
    radius = cube.edge * np.sqrt(3.0) / 2
    return max(middle - radius, 0.05), middle + radius


def _cells(cube: Cube, local: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the flat voxel index of points in cube coordinates (..., 3), and whether they lie inside."""
    count = cube.states.shape[0]
    cell = np.floor((local + cube.edge / 2) / cube.voxel).astype(np.int64)
    inside = ((cell >= 0) & (cell < count)).all(axis=-1)
    cell = np.clip(cell, 0, count - 1)
    return (cell[..., 0] * count + cell[..., 1]) * count + cell[..., 2], inside

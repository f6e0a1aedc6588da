"""Inputs that nobody should send and somebody will: observations, sequences of them, and sets of boxes.

Everything is drawn from the generator that is passed in, so a seed gives the same input everywhere. Building an
observation may raise InputError: then it was refused at the edge, as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from benchmarks.raycast import Ball, Block, Seen, Solid, Tube, look, pose_towards, tray
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Float, Mat3, Mat4, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.depth_noise import DepthNoise, DepthSensor
from joyai_ros.scene.config import RelationConfig, SceneConfig, SegmentationConfig, TrackingConfig
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.types import SceneObject

Random = np.random.Generator
SIZES = ((24, 18), (32, 24), (40, 30), (48, 36), (64, 48))
ODD_SIZES = ((1, 1), (1, 40), (40, 1), (3, 3), (8, 6), (6, 30), (33, 17), (20, 64))
SPECIAL = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-30, 1e-4, 0.02, 99.9, 100.0, 100.1, 1e30])
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 0.5, 1e-9, 1e9, 1e300)
UP = np.array([0.0, -1.0, 0.0])  # of a camera that looks ahead
NAMES = ("mug", "mug_2", "cluster_0", "cluster_1", "", "a b", "\u676f", "0", "table")


@dataclass(frozen=True)
class World:
    """What a frame or a sequence looks at: mostly a table with things on it, by name."""

    things: dict[str, list[Solid]]

    @property
    def objects(self) -> list[str]:
        """The names of what is no furniture."""
        return [name for name in self.things if name not in ("table", "wall")]


def world(random: Random) -> World:
    """Return a table with up to six things, some on or in others, some through each other."""
    things: dict[str, list[Solid]] = {}
    if random.random() < 0.9:
        things["table"] = [Block((0.0, 0.0, -0.02), (1.4, 1.2, 0.04), random.uniform(0, 3))]
    if random.random() < 0.2:
        things["wall"] = [Block((0.0, 0.8, 0.5), (3.0, 0.05, 2.0))]
    for index in range(random.integers(0, 7)):
        x, y = random.uniform(-0.3, 0.3, 2)
        bottom = 0.0 if random.random() < 0.7 else random.uniform(-0.02, 0.2)
        things[f"thing_{index}"] = _thing(random, (x, y), bottom)
    return World(things)


def _thing(random: Random, place: tuple[float, float], bottom: float) -> list[Solid]:
    size = np.array([*random.uniform(0.02, 0.25, 2), random.choice([0.004, 0.02, 0.08, 0.2])])
    center = (*place, bottom + size[2] / 2.0)
    kind = random.integers(5)
    if kind == 0:
        return [Ball((*place, bottom + size[0] / 2.0), size[0] / 2.0)]
    if kind in (1, 2):
        return [Tube(center, size[0] / 2.0, size[2], closed=kind == 1)]
    if kind == 3:
        return tray(center, tuple(np.maximum(size, 0.02)), 0.006, random.uniform(0, 3))
    return [Block(center, tuple(size), random.uniform(0, 3))]


def camera_pose(random: Random) -> Mat4:
    """Return a camera over the table, rarely one anywhere."""
    if random.random() < 0.1:
        return random_pose(random, random.choice([0.1, 1.0, 1e3, 1e6]))
    bearing, elevation = random.uniform(0, 2 * np.pi), random.uniform(0.2, 1.571)
    back = np.array([np.cos(bearing) * np.cos(elevation), np.sin(bearing) * np.cos(elevation), np.sin(elevation)])
    return pose_towards(random.uniform(0.4, 1.6) * back, (0.0, 0.0, 0.03), random.normal(0.0, 0.05))


def random_pose(random: Random, reach: float) -> Mat4:
    """Return any rigid transform within ``reach`` metres."""
    return rigid.make_transform(random_rotation(random), random.uniform(-reach, reach, 3))


def random_rotation(random: Random) -> Mat3:
    """Return any (3, 3) rotation."""
    return rigid.axis_angle(random.normal(size=3) + 1e-6, random.uniform(0.0, np.pi))


def camera(random: Random) -> Camera:
    """Return a camera, rarely an odd one.

    Raises:
        CameraError: it is none.
    """
    width, height = (SIZES if random.random() < 0.93 else ODD_SIZES)[random.integers(5)]
    focal = width * random.uniform(0.7, 1.6)
    fx, fy, cx, cy = focal, focal * random.choice([1.0, 1.0, 0.6, 1.7]), (width - 1) / 2, (height - 1) / 2
    if random.random() < 0.08:
        fx, fy = 10.0 ** random.uniform(-3, 6, 2)
        cx, cy = random.uniform(-1e4, 1e4, 2)
    if random.random() < 0.01:
        fx, cy = random.choice(NUMBERS, 2)
    return Camera(width, height, float(fx), float(fy), float(cx), float(cy))


def _noise(random: Random, shape: tuple[int, int]) -> Float:
    return random.uniform(random.uniform(0, 1), random.choice([1.01, 2.0, 10.0, 200.0]), shape)


def _constant(random: Random, shape: tuple[int, int]) -> Float:
    return np.full(shape, random.choice([*SPECIAL, 0.5, 1.0, 2.9]))


def _slopes(random: Random, shape: tuple[int, int]) -> Float:
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape)
    plane = random.uniform(0.2, 3) + random.uniform(-2, 2) * rows + random.uniform(-2, 2) * columns
    return np.round(plane * random.choice([3.0, 20.0, 1e9])) / random.choice([3.0, 20.0, 1e9])


def _waves(random: Random, shape: tuple[int, int]) -> Float:
    coarse = random.uniform(0.4, random.choice([0.5, 0.8, 3.0]), (5, 6))
    return np.asarray(
        cv2.resize(coarse, shape[::-1], interpolation=random.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR]))
    )


def _sparse(random: Random, shape: tuple[int, int]) -> Float:
    return np.where(random.random(shape) < random.choice([0.001, 0.01, 0.1, 0.5]), random.uniform(0.3, 2.0), 0.0)


def _special(random: Random, shape: tuple[int, int]) -> Float:
    return random.choice(SPECIAL, shape)


SURFACES: tuple[Callable[[Random, tuple[int, int]], Float], ...] = (
    _noise,
    _constant,
    _slopes,
    _slopes,
    _waves,
    _waves,
    _sparse,
    _special,
)


def depth_image(random: Random, seen: Seen | None, shape: tuple[int, int]) -> Any:
    """Return a depth image of some float type and memory layout; with holes, noise and values that are no depth."""
    made = SURFACES[random.integers(len(SURFACES))](random, shape) if seen is None else seen.depth.astype(np.float64)
    depth = np.array(made, dtype=np.float64)
    if random.random() < 0.6:
        depth += random.normal(size=shape) * random.choice([0.0005, 0.002, 0.02]) * np.square(depth)
    if random.random() < 0.2:
        some = random.random(shape) < random.choice([0.002, 0.05, 0.5])
        depth[some] = random.choice(SPECIAL, int(some.sum()))
    if random.random() < 0.2:
        r, c = random.integers(shape[0]), random.integers(shape[1])
        depth[r : r + random.integers(1, 20), c : c + random.integers(1, 20)] = random.choice([0.0, np.nan])
    if random.random() < 0.2:
        depth = np.round(depth * 1000.0) / 1000.0
    return _stored(random, depth, shape)


def _stored(random: Random, depth: Float, shape: tuple[int, int]) -> Any:
    kind = random.integers(40)
    with np.errstate(over="ignore"):
        if kind == 0:
            return depth.astype(np.float16)
        if kind == 1:
            return depth
        if kind == 2:
            return (np.nan_to_num(depth) * 1000).clip(0, 65535).astype(np.uint16)  # refused: no float
        if kind == 3:
            return depth[: max(shape[0] - 1, 1)].astype(np.float32)  # refused, where it is another size
        if kind == 4:
            return np.asfortranarray(depth.astype(np.float32))
        if kind == 5:
            return np.repeat(np.repeat(depth, 2, axis=0), 2, axis=1).astype(np.float32)[::2, ::2]
        if kind == 6:
            return depth.astype(np.float32)[::-1, ::-1]
        return depth.astype(np.float32)


def color_image(random: Random, seen: Seen | None, shape: tuple[int, int]) -> ColorImage:
    """Return a colour image: each thing its own colour, noise, or one colour."""
    if seen is not None and random.random() < 0.8:
        palette = random.integers(0, 256, (len(seen.names) + 1, 3), dtype=np.uint8)
        image = palette[seen.owner]
    elif random.random() < 0.5:
        image = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    else:
        image = np.full((*shape, 3), random.integers(256), dtype=np.uint8)
    return image[..., ::-1] if random.random() < 0.1 else image


def box2d(random: Random, shape: tuple[int, int]) -> Any:
    """Return a 2D box: any that lies in the image, or something that should be rejected."""
    height, width = shape
    kind = random.integers(8)
    if kind < 4:
        x, y = np.sort(random.uniform(-2, width + 2, 2)), np.sort(random.uniform(-2, height + 2, 2))
        return float(x[0]), float(y[0]), float(x[1]), float(y[1])
    if kind == 4:
        return 0.0, 0.0, float(width), float(height)
    if kind == 5:
        return tuple(random.choice(NUMBERS, 4))
    if kind == 6:
        return tuple(random.uniform(-1e3, 1e3, random.choice([4, 4, 4, 3])))
    left, top = int(random.integers(width)), int(random.integers(height))
    return left, top, left + int(random.choice([0, 1])), top + 1


def box3d(random: Random, near: Vec3) -> OrientedBox:
    """Return a 3D box around a point of the optical frame.

    Raises:
        BoxError: it is none.
    """
    size = random.choice([0.0, 1e-6, 0.03, 0.1, 0.3, 50.0], 3)
    center = near + random.normal(size=3) * random.choice([0.0, 0.01, 1.0])
    if random.random() < 0.02:
        center = random.choice(NUMBERS, 3)
    return OrientedBox(center, random_rotation(random), size)


def detections(random: Random, seen: Seen | None, at: Camera) -> tuple[Detection, ...] | None:
    """Return what a detector might say of the frame, from right to absurd."""
    kind = random.random()
    if kind < 0.25:
        return None
    names = [] if seen is None else [name for name in seen.names if name.startswith("thing") and seen.mask(name).any()]
    found = [_true_detection(random, name, seen) for name in names if seen is not None and random.random() < 0.9]
    for _ in range(random.integers(0, 4) if kind < 0.7 else 0):
        found.append(_any_detection(random, at))
    if found and random.random() < 0.1:
        found.append(replace(found[random.integers(len(found))], id=str(random.choice(NAMES))))
    if found and random.random() < 0.1:
        found.append(found[random.integers(len(found))])
    return tuple(found[k] for k in random.permutation(len(found)))


def _true_detection(random: Random, name: str, seen: Seen) -> Detection:
    box: Any = np.array(seen.box(name)) + (random.normal(size=4) * 1.5 if random.random() < 0.4 else 0.0)
    mask = seen.mask(name) if random.random() < 0.3 else None
    return Detection(name, random.choice(["", "thing", "mug"]), tuple(box.tolist()), float(random.random()), mask)


def _any_detection(random: Random, at: Camera) -> Detection:
    box = box2d(random, at.shape) if random.random() < 0.8 else None
    solid = None
    if random.random() < 0.3:
        z = random.choice([-0.5, 0.0, 0.05, 0.8, 2.0])
        pixel = random.uniform(0, 1, 2) * (at.width, at.height)
        solid = box3d(random, at.unproject(pixel, np.asarray(z)))
    mask = None
    if random.random() < 0.2:
        shape = at.shape if random.random() < 0.8 else (at.height + 1, at.width)
        mask = random.random(shape) < random.choice([0.0, 0.1, 0.9, 1.0])
    front = random.choice([0.0, 1.0, -2.0, np.nan], 3, p=[0.4, 0.3, 0.2, 0.1]) if random.random() < 0.2 else None
    score = float(random.choice([0.5, 0.0, 1.0, np.nan, -1.0, np.inf], p=[0.7, 0.1, 0.1, 0.04, 0.03, 0.03]))
    return Detection(str(random.choice(NAMES)), str(random.choice(NAMES)), box, score, mask, solid, front)


def up_direction(random: Random, pose: Mat4) -> Any:
    """Return the direction against gravity: none, the true one, any, or none that there is."""
    kind = random.random()
    if kind < 0.4:
        return None
    if kind < 0.8:
        return pose[2, :3] * random.choice([1.0, 1e-6, 1e6])
    if kind < 0.98:
        return random.choice([0.0, 1.0, -1.0], 3) if random.random() < 0.5 else random.normal(size=3)
    return random.choice(NUMBERS, 3)


def pose_of(random: Random, pose: Mat4) -> Any:
    """Return the camera pose that TF gives: none, the true one, or what is none."""
    kind = random.random()
    if kind < 0.45:
        return None
    if kind < 0.95:
        return pose
    return random_pose(random, 2.0) if kind < 0.98 else pose * random.choice([1.0, 1.001, 2.0, np.nan])


def frames(random: Random, count: int) -> Iterator[Callable[[], Observation]]:
    """Yield makers of ``count`` observations of one world; each may raise InputError.

    One frame alone is like the others, but for its stamp.
    """
    scene, at = (world(random) if random.random() < 0.75 else None), camera_pose(random)
    lens_seed = random.integers(1 << 30)
    stamp, frozen = int(random.choice([0, 10**9, 1_700_000_000 * 10**9])), random.random() < 0.2
    for _ in range(count):
        lens_seed += int(random.random() < 0.1)
        yield partial(frame, random, scene, at, stamp, int(lens_seed))
        stamp += int(random.choice([33_000_000, 0, -33_000_000, -5 * 10**9, 10**12], p=[0.8, 0.08, 0.06, 0.03, 0.03]))
        if not frozen and np.abs(at[:3, 3]).max() < 10.0:
            moved = at[:3, 3] + random.normal(size=3) * 0.05
            at = pose_towards(moved, random.normal(size=3) * 0.03 - (0, 0, 0.1))
        if scene is not None and scene.objects and random.random() < 0.2:
            name = str(random.choice(scene.objects))
            scene.things[name] = _thing(random, tuple(random.uniform(-0.3, 0.3, 2)), 0.0)


def frame(random: Random, scene: World | None, at: Mat4, stamp: int, lens_seed: int) -> Observation:
    """Return one observation; frames with one ``lens_seed`` have one camera.

    Raises:
        InputError: it is none.
    """
    lens = camera(np.random.default_rng(lens_seed))
    seen = look(scene.things, lens, at) if scene is not None else None
    depth = depth_image(random, seen, lens.shape) if random.random() < 0.99 else None
    return Observation(
        color=color_image(random, seen, lens.shape),
        camera=lens,
        depth=depth,
        stamp=stamp,
        world_from_camera=pose_of(random, at),
        world_frame=str(random.choice(["world", "map"], p=[0.97, 0.03])),
        up=up_direction(random, at),
        detections=detections(random, seen, lens),
    )


def config(random: Random) -> SceneConfig:
    """Return settings: mostly the defaults, else any that are in range and make sense together."""
    if random.random() < 0.7:
        return SceneConfig()
    near = random.uniform(0.0, 1.0)
    return SceneConfig(
        segmentation=SegmentationConfig(
            min_pixels=int(random.choice([10, 60, 150])),
            min_extent=random.choice([0.001, 0.012]),
            max_extent=random.choice([0.6, 20.0]),
            max_distance=random.choice([3.0, 50.0]),
            max_clusters=int(random.choice([1, 40])),
        ),
        relations=RelationConfig(
            confidence_sigmas=random.choice([0.0, 1.0, 3.0]),
            lateral_margin=random.choice([0.0, 0.015, 0.2]),
            height_margin=random.choice([0.0, 0.01]),
            size_ratio=random.choice([1.0, 1.1]),
            contact_margin=random.choice([0.001, 0.02, 0.2]),
            near_distance=near,
            far_distance=near + random.choice([0.0, 0.3]),
        ),
        tracking=TrackingConfig(
            enabled=bool(random.random() < 0.8),
            confirmed_after=int(random.choice([1, 3])),
            sigma_growth=random.choice([0, 10]),
        ),
        depth_noise=DepthNoise(sensor=random.choice(list(DepthSensor)), scale=random.choice([0.05, 1.0, 20.0])),
        world_is_level=bool(random.random() < 0.5),
    )


def objects(random: Random) -> tuple[tuple[SceneObject, ...], Vec3 | None]:
    """Return measured objects whose boxes touch, hold, carry or equal each other, and up; None where it is unknown."""
    up = random.random() < 0.8
    made: list[SceneObject] = []
    for index in range(random.integers(0, 12)):
        size = random.choice([1e-3, 0.004, 0.02, 0.1, 0.25], 3) * random.choice([1.0, random.uniform(0.8, 1.2)])
        center = random.normal(size=3) * random.choice([0.02, 0.2, 2.0]) + (0.0, 0.0, 1.0)
        if made and random.random() < 0.5:
            other = made[random.integers(len(made))].obb
            center = other.center + random.choice([-1.0, 0.0, 0.0, 1.0], 3) * (other.size + size) / 2.0
            center = center + random.normal(size=3) * random.choice([0.0, 0.003])
        sigma = 10.0 ** random.uniform(-5, 0, 3) * random.choice([0.0, 1.0])
        made.append(
            SceneObject(
                id=f"o{index}",
                label="",
                obb=OrientedBox(center, _standing(random.uniform(0, np.pi)), size),
                center_sigma=sigma,
                size_sigma=random.permutation(sigma),
                height=float(size[2]) if up else float("nan"),
                height_sigma=float(sigma[0]) if up else float("nan"),
                truncated=bool(random.random() < 0.2),
                hollow=bool(random.random() < 0.3),
                front=rigid.unit(random.normal(size=3)) if random.random() < 0.3 else None,
            )
        )
    return tuple(made), UP if up else None


def _standing(heading: float) -> Mat3:
    """Return the axes of a box that stands upright before such a camera."""
    basis: Mat3 = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return basis @ rigid.axis_angle(np.array([0.0, 0.0, 1.0]), heading)

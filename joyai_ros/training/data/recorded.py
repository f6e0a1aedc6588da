"""Recordings: which of their frames are kept, and what is known of the objects in these."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from joyai_ros.errors import BagError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Mat4, Vec3
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene, SceneObject
from joyai_ros.training.data.config import RecordingConfig
from joyai_ros.training.data.crossview import without_strays, without_wanderers
from joyai_ros.training.data.records import Frame, Pixels, SeenObject
from joyai_ros.training.data.seen import cloud_of, estimated_visibility, seen_object, shuffled

_AT_REST = 5e-4  # metres within which an object stands where it stood


@dataclass(frozen=True)
class Seen:
    """One frame of a recording.

    Attributes:
        observation: its images.
        world_from_camera: (4, 4) pose of the optical frame; None where unknown.
        up: (3,) unit, against gravity, optical frame; None for the world's z axis.
        objects: works out what is known of its objects; only for the frames that are kept.
        exact: what is known is true, not measured.
    """

    observation: Observation
    world_from_camera: Mat4 | None
    up: Vec3 | None
    objects: Callable[[], list[SeenObject]]
    exact: bool


def measured(observation: Observation, engine: SceneEngine, config: RecordingConfig) -> Seen:
    """Return a frame with what the scene engine, which follows objects from frame to frame, measures in it."""
    scene = engine.process(observation)
    pose = observation.world_from_camera
    return Seen(observation, pose, scene.up, lambda: _measured(scene, observation, config), False)


def frames_of(
    recording: Path, seen: Iterator[Seen], scene: str, config: RecordingConfig, seed: int, left_out: Counter[str]
) -> list[Frame]:
    """Return the frames of a recording that are worth keeping, with their pixels.

    Args:
        recording: what it is called in errors.
        seen: all of its frames.
        scene: its id.
        config: which frames, and how they are read.
        seed: of what is drawn.
        left_out: what could not be used is counted here.

    Raises:
        BagError: no frame can be used, or no object was found.
    """
    kept = _spread(_keyframes(seen, config, left_out), config.frames)
    if not kept:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in left_out.most_common(3)) or "it has no frames"
        raise BagError(f"no frame of {recording} can be used as data ({reasons})")
    random = np.random.default_rng([seed, 78])
    frames = _with_moves([_frame(scene, index, item, random) for index, item in enumerate(kept)])
    if not all(item.exact for item in kept):
        frames, strays = without_strays(frames)
        frames, wanderers = without_wanderers(frames)
        left_out["object whose mask does not come back through the other views"] += strays
        left_out["object measured elsewhere than in most frames"] += wanderers
    if not any(frame.objects for frame in frames):
        raise BagError(
            f"no object was found in {recording}: it has no detections or ground truth, and none was measured in "
            f"{config.least_views} frames or more"
        )
    return frames


def _keyframes(seen: Iterator[Seen], config: RecordingConfig, left_out: Counter[str]) -> list[Seen]:
    """Return the frames before which the camera went or turned far enough; memory holds four times those wanted at most."""
    kept: list[Seen] = []
    step_m, step_rad = config.step_m, math.radians(config.step_deg)
    for item in seen:
        pose = item.world_from_camera
        if pose is None:
            left_out["frame without a camera pose"] += 1
        elif item.observation.depth is None or not item.observation.depth.any():
            left_out["frame without depth"] += 1
        elif not kept or _is_apart(kept[-1], pose, step_m, step_rad):
            kept.append(item)
            if len(kept) > 4 * config.frames:  # a long way: from now on only every other step counts
                kept = kept[::2]
                step_m, step_rad = 2 * step_m, 2 * step_rad
    return kept


def _is_apart(last: Seen, pose: Mat4, step_m: float, step_rad: float) -> bool:
    assert last.world_from_camera is not None
    moved = rigid.inverse(last.world_from_camera) @ pose
    return float(np.linalg.norm(moved[:3, 3])) >= step_m or rigid.rotation_angle(moved[:3, :3]) >= step_rad


def _spread(kept: list[Seen], most: int) -> list[Seen]:
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), most)).round().astype(int))
    return [kept[int(index)] for index in chosen]


def _frame(scene: str, index: int, item: Seen, random: np.random.Generator) -> Frame:
    seen, pose = item.observation, item.world_from_camera
    assert seen.depth is not None and pose is not None
    return Frame(
        id=f"{scene}/{index:03d}",
        scene=scene,
        stamp=seen.stamp,
        camera=seen.camera,
        world_from_camera=pose,
        up=item.up if item.up is not None else rigid.inverse(pose)[:3, 2].copy(),
        middle_depth=float(np.median(seen.depth[seen.depth > 0])),
        objects=shuffled(item.objects(), random),
        pixels=Pixels(seen.color, seen.depth),
    )


def _with_moves(frames: list[Frame]) -> list[Frame]:
    """Return the frames with every object marked as moved that is known not to stand where it stood in the first one."""
    first: dict[str, Vec3] = {}
    result = []
    for frame in frames:
        objects = []
        for item in frame.objects:
            place = rigid.apply(frame.world_from_camera, item.measured.obb.center)
            moved = item.exact and float(np.linalg.norm(place - first.setdefault(item.id, place))) > _AT_REST
            objects.append(replace(item, measured=replace(item.measured, moved=item.measured.moved or moved)))
        result.append(replace(frame, objects=tuple(objects)))
    return result


def _measured(scene: Scene, seen: Observation, config: RecordingConfig) -> list[SeenObject]:
    """Return the objects that were measured often enough, with the pixels that the scene engine gave them."""
    assert seen.depth is not None
    found = []
    for item in scene.objects:
        if item.views < config.least_views or not math.isfinite(item.height):
            continue
        mask = _whole_mask(item, seen.camera.shape)
        share = estimated_visibility(item.obb, mask, seen.depth, seen.camera) if mask.any() else 0.0
        cloud = cloud_of(seen.depth, mask, seen.camera, item.obb)
        found.append(seen_object(item, "", share, mask, cloud, exact=False))
    return found


def _whole_mask(item: SceneObject, shape: tuple[int, int]) -> Mask:
    """Return the (H, W) mask of an object whose own lies within its box rounded outwards."""
    full = np.zeros(shape, dtype=bool)
    if item.box is not None and item.mask is not None:
        x, y = math.floor(item.box[0]), math.floor(item.box[1])
        high, wide = item.mask.shape
        full[y : y + high, x : x + wide] = item.mask
    return full

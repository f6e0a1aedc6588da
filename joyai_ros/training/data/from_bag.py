"""Frames of a bag: with the ground truth that :mod:`joyai_ros.sim.bag` writes, or measured by the scene engine."""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from joyai_ros.bags.discovery import find_stream
from joyai_ros.bags.frames import BagFrame, FrameReader
from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.rejections import Rejections
from joyai_ros.errors import BagError, InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Mat4, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.messages import headers
from joyai_ros.messages.frames import observe
from joyai_ros.messages.images import image_array
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene, SceneObject
from joyai_ros.sim.bag import TRUE_INSTANCES, TRUE_POSE, TRUE_SCENE
from joyai_ros.training.data.config import RecordingConfig
from joyai_ros.training.data.crossview import without_strays
from joyai_ros.training.data.from_simulator import scene_id
from joyai_ros.training.data.records import Frame, Pixels, SeenObject
from joyai_ros.training.data.seen import cloud_of, estimated_visibility, seen_object, shuffled

_TRUTH = (TRUE_INSTANCES, TRUE_POSE, TRUE_SCENE)
_AT_REST = 5e-4  # metres within which an object stands where it stood
_WAITING = 60  # frames of truth that wait for their images, and the other way round


@dataclass(frozen=True)
class Truth:
    """What a simulated bag says of one frame: (H, W) instances, the camera's true pose, and the scene's JSON."""

    instances: NDArray[np.uint8]
    world_from_camera: Mat4
    scene: dict[str, Any]


@dataclass(frozen=True)
class _Seen:
    """One frame of a bag with what is known of its objects: what is true, or else what was measured."""

    observation: Observation
    truth: Truth | None
    scene: Scene | None


def bag_id(bag: Path) -> str:
    """Return the scene's id of a bag: that of the simulated scene where it says so, else its own name.

    Raises:
        BagError: it cannot be read.
    """
    with BagReader(bag) as reader:
        first = reader.first(TRUE_SCENE) if TRUE_SCENE in reader.topics else None
        if first is not None:
            said = json.loads(reader.decode(first).data)
            if said.get("distribution") == "tabletop-v1":
                return scene_id(int(said["seed"]))
    return f"bag/{Path(bag).resolve().stem}"


def bag_frames(bag: Path, scene: str, config: RecordingConfig, seed: int, left_out: Counter[str]) -> list[Frame]:
    """Return the frames of a bag that are worth keeping, with their pixels.

    Args:
        bag: rosbag2 folder or file.
        scene: its id.
        config: which frames, and how they are read.
        seed: of what is drawn.
        left_out: what could not be used is counted here.

    Raises:
        BagError: it is missing, unreadable, holds no RGB-D stream, no camera pose or no object.
    """
    with BagReader(bag) as reader:
        rejections = Rejections()
        kept = _spread(_keyframes(_seen(reader, config, rejections), config, left_out), config.frames)
        for item in rejections.all():
            left_out[item.reason] += item.count
    if not kept:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in left_out.most_common(3)) or "it has no frames"
        raise BagError(f"no frame of {bag} can be used as data ({reasons})")
    random = np.random.default_rng([seed, 78])
    frames = _with_moves([_frame(scene, index, item, config, random) for index, item in enumerate(kept)])
    if not all(item.truth for item in kept):
        frames, strays = without_strays(frames)
        if strays:
            left_out["object whose mask does not come back through the other views"] += strays
    if not any(frame.objects for frame in frames):
        raise BagError(
            f"no object was found in {bag}: it has no detections or ground truth, and none was measured in "
            f"{config.least_views} frames or more"
        )
    return frames


def _seen(reader: BagReader, config: RecordingConfig, rejections: Rejections) -> Iterator[_Seen]:
    """Yield every usable frame; without ground truth all of them go through the scene engine, which follows objects."""
    topics = find_stream(reader, config.bag.topics)
    frames = FrameReader(reader, topics, config.bag, rejections)
    if all(name in reader.topics for name in _TRUTH):
        yield from _with_truth(reader, frames, config, rejections)
        return
    level = config.scene.world_is_level and (frames.world.is_level or not frames.world.frame)
    engine = SceneEngine(replace(config.scene, world_is_level=level))
    for observation in _observations(chain(_fed(reader, frames), frames.finish()), config, rejections):
        yield _Seen(observation, None, engine.process(observation))


def _fed(reader: BagReader, frames: FrameReader) -> Iterator[BagFrame]:
    for raw in reader.messages():
        yield from frames.feed(raw)


def _observations(found: Iterable[BagFrame], config: RecordingConfig, rejections: Rejections) -> Iterator[Observation]:
    depth = config.bag.depth
    for _, messages in found:
        try:
            yield observe(messages, depth_unit=depth.unit, registered=depth.registered)[0]
        except InputError as error:
            rejections.add("frame that cannot be used", error)


def _with_truth(
    reader: BagReader, frames: FrameReader, config: RecordingConfig, rejections: Rejections
) -> Iterator[_Seen]:
    """Yield frames with their ground truth, which is recorded after the images."""
    truths = _Truths()
    waiting: deque[Observation] = deque()
    for raw in reader.messages():
        if raw.topic in _TRUTH:
            truths.add(raw.topic, reader.decode(raw))
        else:
            waiting += _observations(frames.feed(raw), config, rejections)
        while waiting and (truth := truths.at(waiting[0].stamp)) is not None:
            yield _Seen(waiting.popleft(), truth, None)
        while len(waiting) > _WAITING:
            rejections.add("frame without its ground truth", f"stamp {waiting.popleft().stamp / 1e9:.6f} s")
    waiting += _observations(frames.finish(), config, rejections)
    for observation in waiting:
        truth = truths.at(observation.stamp)
        if truth is None:
            rejections.add("frame without its ground truth", f"stamp {observation.stamp / 1e9:.6f} s")
        else:
            yield _Seen(observation, truth, None)


class _Truths:
    """The ground truth of the last frames, by stamp."""

    def __init__(self) -> None:
        self._parts: OrderedDict[int, dict[str, Any]] = OrderedDict()

    def add(self, topic: str, message: Any) -> None:
        if topic == TRUE_SCENE:
            value: Any = json.loads(message.data)
            stamp = int(value["stamp"])
        else:
            stamp = headers.stamp_ns(message)
            value = image_array(message).copy() if topic == TRUE_INSTANCES else pose_from_message(message.pose)
        self._parts.setdefault(stamp, {})[topic] = value
        while len(self._parts) > _WAITING:
            self._parts.popitem(last=False)

    def at(self, stamp: int) -> Truth | None:
        parts = self._parts.get(stamp, {})
        return Truth(*(parts[name] for name in _TRUTH)) if len(parts) == len(_TRUTH) else None


def _keyframes(seen: Iterator[_Seen], config: RecordingConfig, left_out: Counter[str]) -> list[_Seen]:
    """Return the frames before which the camera went or turned far enough; memory holds four times those wanted at most."""
    kept: list[_Seen] = []
    step_m, step_rad = config.step_m, math.radians(config.step_deg)
    for item in seen:
        pose = item.observation.world_from_camera
        if pose is None:
            left_out["frame without a camera pose"] += 1
        elif item.observation.depth is None or not item.observation.depth.any():
            left_out["frame without depth"] += 1
        elif not kept or _is_apart(kept[-1].observation, pose, step_m, step_rad):
            kept.append(item)
            if len(kept) > 4 * config.frames:  # a long way: from now on only every other step counts
                kept = kept[::2]
                step_m, step_rad = 2 * step_m, 2 * step_rad
    return kept


def _is_apart(last: Observation, pose: Mat4, step_m: float, step_rad: float) -> bool:
    assert last.world_from_camera is not None
    moved = rigid.inverse(last.world_from_camera) @ pose
    return float(np.linalg.norm(moved[:3, 3])) >= step_m or rigid.rotation_angle(moved[:3, :3]) >= step_rad


def _spread(kept: list[_Seen], most: int) -> list[_Seen]:
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), most)).round().astype(int))
    return [kept[int(index)] for index in chosen]


def _frame(scene: str, index: int, item: _Seen, config: RecordingConfig, random: np.random.Generator) -> Frame:
    seen = item.observation
    assert seen.depth is not None and seen.world_from_camera is not None
    if item.truth is not None:
        pose, objects = item.truth.world_from_camera, _true(item.truth, seen)
        up = rigid.inverse(pose)[:3, 2].copy()
    else:
        assert item.scene is not None
        pose, objects = seen.world_from_camera, _measured(item.scene, seen, config)
        up = item.scene.up if item.scene.up is not None else rigid.inverse(pose)[:3, 2].copy()
    return Frame(
        id=f"{scene}/{index:03d}",
        scene=scene,
        stamp=seen.stamp,
        camera=seen.camera,
        world_from_camera=pose,
        up=up,
        middle_depth=float(np.median(seen.depth[seen.depth > 0])),
        objects=shuffled(objects, random),
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


def _true(truth: Truth, seen: Observation) -> list[SeenObject]:
    """Return the objects with their true boxes; visibility is estimated where the bag does not tell it."""
    assert seen.depth is not None
    camera_from_world = rigid.inverse(truth.world_from_camera)
    containers = {item["inside"] for item in truth.scene["objects"]}
    names = [item["id"] for item in truth.scene["objects"]]
    found = []
    for item in truth.scene["objects"]:
        rotation = rigid.matrix_from_quaternion(np.array(item["rotation"]))
        box = OrientedBox(np.array(item["center_m"]), rotation, np.array(item["size_m"])).transformed(camera_from_world)
        mask = np.asarray(truth.instances == item["instance"])
        share = item["visible_fraction"]
        if share is None:
            share = estimated_visibility(box, mask, seen.depth, seen.camera) if mask.any() else 0.0
        named = SceneObject(
            id=item["id"],
            label=item["label"],
            obb=box,
            height=float(box.size[2]),
            height_sigma=0.0,
            hollow=item["id"] in containers,
        )
        cloud = cloud_of(seen.depth, mask, seen.camera, box)
        thing = seen_object(named, item["color"], float(share), mask, cloud, exact=True)
        gaps = zip(names, truth.scene["distances_m"][names.index(item["id"])], strict=True)
        found.append(replace(thing, gaps=tuple((name, gap) for name, gap in gaps if name != item["id"])))
    return found


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

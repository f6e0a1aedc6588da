"""Frames of a bag: with the ground truth that :mod:`joyai_ros.sim.bag` writes, or measured by the scene engine."""

from __future__ import annotations

import json
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
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.messages import headers
from joyai_ros.messages.frames import observe
from joyai_ros.messages.images import image_array
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import SceneObject
from joyai_ros.sim.bag import TRUE_INSTANCES, TRUE_POSE, TRUE_SCENE
from joyai_ros.training.data.config import RecordingConfig
from joyai_ros.training.data.from_simulator import scene_id
from joyai_ros.training.data.recorded import Seen, frames_of, measured
from joyai_ros.training.data.records import Frame, SeenObject
from joyai_ros.training.data.seen import cloud_of, estimated_visibility, seen_object

_TRUTH = (TRUE_INSTANCES, TRUE_POSE, TRUE_SCENE)
_WAITING = 60  # frames of truth that wait for their images, and the other way round


@dataclass(frozen=True)
class Truth:
    """What a simulated bag says of one frame: (H, W) instances, the camera's true pose, and the scene's JSON."""

    instances: NDArray[np.uint8]
    world_from_camera: Mat4
    scene: dict[str, Any]


def bag_id(bag: Path) -> str:
    """Return the scene's id of a bag: that of the simulated scene where it says so, else its own name.

    Raises:
        BagError: it cannot be read.
    """
    with BagReader(bag) as reader:
        first = reader.first(TRUE_SCENE) if TRUE_SCENE in reader.topics else None
        if first is not None:
            said = _scene_of(reader.decode(first).data, bag)
            if said["distribution"] == "tabletop-v1":
                return scene_id(int(said["seed"]))
    return f"bag/{Path(bag).resolve().stem}"


def _scene_of(text: str, bag: Path) -> dict[str, Any]:
    """Return what a bag says is true of a frame.

    Raises:
        BagError: it says something else.
    """
    try:
        said = json.loads(text)
        if {"distribution", "seed", "stamp", "objects", "distances_m"} <= set(said):
            return dict(said)
    except (ValueError, TypeError):
        pass
    raise BagError(f"{TRUE_SCENE} of {bag} is not what the simulator writes there; rename or remove that topic")


def bag_frames(bag: Path, scene: str, config: RecordingConfig, seed: int, left_out: Counter[str]) -> list[Frame]:
    """Return the frames of a bag that are worth keeping, with their pixels; arguments as for :func:`frames_of`.

    Raises:
        BagError: it is missing, unreadable, holds no RGB-D stream, no camera pose or no object.
    """
    with BagReader(bag) as reader:
        rejections = Rejections()
        seen = _counted(_seen(reader, config, rejections), rejections, left_out)
        return frames_of(bag, seen, scene, config, seed, left_out)


def _counted(seen: Iterator[Seen], rejections: Rejections, left_out: Counter[str]) -> Iterator[Seen]:
    """Yield what comes, and at its end count what was refused."""
    yield from seen
    for item in rejections.all():
        left_out[item.reason] += item.count


def _seen(reader: BagReader, config: RecordingConfig, rejections: Rejections) -> Iterator[Seen]:
    """Yield every usable frame; without ground truth all of them go through the scene engine, which follows objects."""
    topics = find_stream(reader, config.bag.topics)
    frames = FrameReader(reader, topics, config.bag, rejections)
    if all(name in reader.topics for name in _TRUTH):
        yield from _with_truth(reader, frames, config, rejections)
        return
    level = config.scene.world_is_level and (frames.world.is_level or not frames.world.frame)
    engine = SceneEngine(replace(config.scene, world_is_level=level))
    for observation in _observations(chain(_fed(reader, frames), frames.finish()), config, rejections):
        yield measured(observation, engine, config)


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
) -> Iterator[Seen]:
    """Yield frames with their ground truth, which is recorded after the images."""
    truths = _Truths(reader.path)
    waiting: deque[Observation] = deque()
    for raw in reader.messages():
        if raw.topic in _TRUTH:
            truths.add(raw.topic, reader.decode(raw))
        else:
            waiting += _observations(frames.feed(raw), config, rejections)
        while waiting and (truth := truths.at(waiting[0].stamp)) is not None:
            yield _told(waiting.popleft(), truth)
        while len(waiting) > _WAITING:
            rejections.add("frame without its ground truth", f"stamp {waiting.popleft().stamp / 1e9:.6f} s")
    waiting += _observations(frames.finish(), config, rejections)
    for observation in waiting:
        truth = truths.at(observation.stamp)
        if truth is None:
            rejections.add("frame without its ground truth", f"stamp {observation.stamp / 1e9:.6f} s")
        else:
            yield _told(observation, truth)


class _Truths:
    """The ground truth of the last frames, by stamp."""

    def __init__(self, bag: Path) -> None:
        self._bag = bag
        self._parts: OrderedDict[int, dict[str, Any]] = OrderedDict()

    def add(self, topic: str, message: Any) -> None:
        if topic == TRUE_SCENE:
            value: Any = _scene_of(message.data, self._bag)
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


def _told(seen: Observation, truth: Truth) -> Seen:
    up = rigid.inverse(truth.world_from_camera)[:3, 2].copy()
    return Seen(seen, truth.world_from_camera, up, lambda: _true(truth, seen), True)


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

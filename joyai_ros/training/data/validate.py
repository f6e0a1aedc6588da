"""The validator: everything that a store says is derived again from the geometry in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Vec3
from joyai_ros.scene.config import RelationConfig
from joyai_ros.sim.visibility import mask_box
from joyai_ros.training.data.answers import disagreement
from joyai_ros.training.data.config import QuestionConfig
from joyai_ros.training.data.crossview import apart_at_rest, relative_pose
from joyai_ros.training.data.derive import Sight, UnclearError, derive
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.pairs import motion_between
from joyai_ros.training.data.records import Content, Frame, Item, Pair, SeenObject
from joyai_ros.training.data.settings import settings_of
from joyai_ros.training.data.store import Store, size_and_hash

_WITHIN, _LOOSE = 0.6, 0.03  # share of an object's points within its box, grown by so many metres on every side
_ON_MASK = 0.9  # share of them that the camera must project into its mask
_SIGMAS = 4.0
_POSE_M, _POSE_RAD, _MOTION = 1e-6, 1e-6, 1e-4


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: ``file``, ``split``, ``frame``, ``object``, ``question`` or ``pair``.
        where: the shard, or an id within it.
        text: what is wrong.
    """

    kind: str
    where: str
    text: str


def check_store(store: Store, progress: Callable[[int], None] | None = None) -> list[Fault]:
    """Return everything that is wrong with a store.

    Args:
        store: to check.
        progress: called with the number of shards checked.

    Raises:
        ConfigError: the settings of the store are not those of this version.
    """
    config = settings_of(store.manifest)
    faults: list[Fault] = []
    if not store.manifest.complete:
        faults.append(Fault("file", str(store.folder), "the store is not complete; run the same build again"))
    scenes: dict[str, str] = {}
    images: dict[str, str] = {}
    for number, entry in enumerate(store.shards(), start=1):
        try:
            content = store.read(entry)
        except StoreError as error:
            faults.append(Fault("file", entry.name, str(error)))
            continue
        faults += _of_images(content.frames, store.path(entry))
        faults += _of_splits(content.frames, entry.name, entry.split, scenes, images)
        faults += check_content(content, config.questions, config.recording.scene.relations)
        if progress is not None:
            progress(number)
    return faults


def check_content(content: Content, config: QuestionConfig, margins: RelationConfig) -> list[Fault]:
    """Return what is wrong with the tables of one shard."""
    frames = {frame.id: frame for frame in content.frames}
    faults = [fault for frame in content.frames for fault in _of_frame(frame)]
    faults += _of_scenes(content.frames)
    broken = {fault.where.partition(" ")[0] for fault in faults}
    sights = {name: Sight(frame, config) for name, frame in frames.items() if name not in broken}
    for item in content.items:
        fault = _of_item(item, frames, sights, config, margins)
        if fault is not None:
            faults.append(fault)
    for pair in content.pairs:
        faults += _of_pair(pair, frames)
    return faults


def _of_images(frames: Sequence[Frame], folder: Path) -> Iterator[Fault]:
    for frame in frames:
        for name, digest in ((frame.image, frame.image_hash), (frame.depth, frame.depth_hash)):
            path = folder / name
            if not path.is_file():
                yield Fault("file", frame.id, f"{path} is missing")
            elif size_and_hash(path)[1] != digest:
                yield Fault("file", frame.id, f"{path} is cut short or was changed")


def _of_splits(
    frames: Sequence[Frame], shard: str, split: str, scenes: dict[str, str], images: dict[str, str]
) -> Iterator[Fault]:
    """A scene is in one shard, and so in one split; so is an image, whatever its scene is called."""
    for scene in dict.fromkeys(frame.scene for frame in frames):
        other = scenes.setdefault(scene, f"{split} ({shard})")
        if other != f"{split} ({shard})":
            yield Fault("split", scene, f"the scene is in two places: {other} and {split} ({shard})")
    for frame in frames:
        other = images.setdefault(frame.image_hash, f"{split} ({shard})")
        if other.partition(" ")[0] != split:
            yield Fault("split", frame.id, f"the same image is in two splits: {other} and {split} ({shard})")


def _of_frame(frame: Frame) -> Iterator[Fault]:
    try:
        rigid.checked_transform(frame.world_from_camera, "camera pose")
        rigid.unit(frame.up, "up")
    except InputError as error:
        yield Fault("frame", frame.id, str(error))
        return
    gaps = {(item.id, other): metres for item in frame.objects for other, metres in item.gaps}
    for item in frame.objects:
        text = _wrong_with(item, frame)
        if any(gaps.get((other, item.id)) != metres for other, metres in item.gaps):
            text = text or "its distances to others are not theirs to it"
        if text:
            yield Fault("object", f"{frame.id} {item.id}", text)


def _wrong_with(item: SeenObject, frame: Frame) -> str:
    """Return what is wrong with one object of one frame; empty where nothing is."""
    box = item.measured.box
    if box is None:
        return "" if not item.runs and item.measured.points == 0 else "it has a mask and no box"
    if box[0] < 0 or box[1] < 0 or box[2] > frame.camera.width or box[3] > frame.camera.height:
        return f"its box {box} reaches out of the image"
    try:
        mask = item.mask()
    except ValueError as error:
        return f"its box is not that of its mask: {error}"
    if mask_box(mask) != (0.0, 0.0, box[2] - box[0], box[3] - box[1]):
        return "its box is stale: it is not the one round its mask"
    if not 0.0 <= item.visibility <= 1.0:
        return f"its visibility is {item.visibility}"
    if not len(item.cloud):
        return ""
    pixels = np.rint(frame.camera.project(item.cloud)).astype(int) - np.array([int(box[0]), int(box[1])])
    inside = (pixels >= 0).all(axis=1) & (pixels < np.array(mask.shape[::-1])).all(axis=1)
    hits = mask[pixels[inside][:, 1], pixels[inside][:, 0]].sum()
    if hits < _ON_MASK * len(pixels):
        return "its points do not project into its mask: the mask, the points or the camera are of another frame"
    margin = _LOOSE + _SIGMAS * item.measured.sigma
    if item.measured.obb.contains(item.cloud, margin).mean() < _WITHIN:
        return "its 3D box is stale: its measured points are not in it"
    return ""


def _of_scenes(frames: Sequence[Frame]) -> Iterator[Fault]:
    """What has not moved stands at one place of the world in all frames of a scene."""
    first: dict[tuple[str, str], tuple[Vec3, SeenObject, str]] = {}
    for frame in frames:
        for item in frame.objects:
            place = rigid.apply(frame.world_from_camera, item.measured.obb.center)
            at, before, other = first.setdefault((frame.scene, item.id), (place, item, frame.id))
            away = float(np.linalg.norm(place - at))
            if away > apart_at_rest(before, item) and not item.measured.moved:
                text = f"it stands {away:.3f} m from where {other} has it: a stale box, or the wrong camera"
                yield Fault("object", f"{frame.id} {item.id}", text)


def _of_item(
    item: Item, frames: dict[str, Frame], sights: dict[str, Sight], config: QuestionConfig, margins: RelationConfig
) -> Fault | None:
    missing = [name for name in item.frames if name not in frames]
    if missing or any(frames[name].scene != item.scene for name in item.frames):
        return Fault("question", item.id, f"its frames {list(item.frames)} are not those of its scene {item.scene}")
    if any(name not in sights for name in item.frames):
        return Fault("question", item.id, "one of its frames is faulty")
    try:
        known = derive(item, sights, config, margins)
    except UnclearError as error:
        return Fault("question", item.id, f"it must not be asked: {error}")
    except (InputError, KeyError, IndexError) as error:
        return Fault("question", item.id, f"it cannot be asked: {error}")
    text = disagreement(known.wanted, item.answer, known.answer)
    if not text and item.prompt != known.prompt:
        text = f"its prompt {item.prompt!r} is not that of its objects: {known.prompt!r}"
    return Fault("question", item.id, f"{item.task}: {text}") if text else None


def _of_pair(pair: Pair, frames: dict[str, Frame]) -> Iterator[Fault]:
    if pair.source not in frames or pair.target not in frames:
        yield Fault("pair", pair.id, "one of its frames is missing")
        return
    source, target = frames[pair.source], frames[pair.target]
    if source.scene != pair.scene or target.scene != pair.scene:
        yield Fault("pair", pair.id, f"its frames are not of its scene {pair.scene}")
        return
    left = rigid.inverse(relative_pose(source, target)) @ pair.source_from_target
    if np.linalg.norm(left[:3, 3]) > _POSE_M or np.linalg.norm(left[:3, :3] - np.eye(3)) > _POSE_RAD:
        yield Fault("pair", pair.id, f"its pose is not that of {target.id} seen from {source.id}: the wrong camera")
        return
    try:
        motion, off_m, off_deg = motion_between(pair.source_from_target, pair.pivot, source.up)
    except InputError as error:
        yield Fault("pair", pair.id, str(error))
        return
    stored = (pair.motion.yaw_deg, pair.motion.pitch_deg, pair.motion.zoom, pair.off_m, pair.off_deg)
    known = (motion.yaw_deg, motion.pitch_deg, motion.zoom, off_m, off_deg)
    if max(abs(a - b) for a, b in zip(stored, known, strict=True)) > _MOTION:
        yield Fault("pair", pair.id, f"its camera motion {stored} is not that of its poses {known}")

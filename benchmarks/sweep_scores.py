"""What a sequence of scenes got right: boxes at its end, ids on the way, objects that moved.

A true object counts where the camera sees at least 30% of it in some frame; its box is taken at the end of the sweep, from
what is measured or remembered then, and is 0 where there is nothing. Detections bear ids that are shuffled anew in each
frame, as those of a plain detector are, so that all lasting ids are the tracker's own work.

A visible object of a scene shows the true object that most of its measured pixels are of, if it covers half of that one's
visible pixels; of several the one that covers most. An id switch is a frame in which a true object is shown under another
id than when it was last shown.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Float
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.track import ObjectTracker
from joyai_ros.scene.types import Scene, SceneObject
from joyai_ros.sim import footprints
from joyai_ros.sim.frames import SimFrame, SimSettings, observe, simulate
from joyai_ros.sim.truth import FrameTruth, ObjectTruth
from joyai_ros.sim.world import object_shape

LEAST_VISIBLE = 0.3
LEAST_COVERED = 0.5
FRAMES = 12
MOVED_BY = 0.03  # metres
AS_TIGHT = 1.01  # times the smallest footprint: boxes this tight are as true as the tightest


@dataclass(frozen=True)
class SweepObject:
    """One true object at the end of a sweep.

    Attributes:
        seed, id, kind: which.
        iou: of its box with the true one; 0 where it has none.
        tightest_iou: with the best of all true boxes that are about as tight: the heading of a round object is arbitrary.
        switches: how often its id changed.
        shown: in how many frames it was shown.
        moved: it was carried elsewhere.
        noticed: the scene says so.
        ratios: errors over their sigmas: three of the centre, length and width, height. Empty without a box.
    """

    seed: int
    id: str
    kind: str
    iou: float
    tightest_iou: float
    switches: int
    shown: int
    moved: bool
    noticed: bool
    ratios: tuple[float, ...] = ()


@dataclass
class SweepScore:
    """One sweep: its objects, published objects that are none at its end, and CPU seconds a frame spent on tracking."""

    seed: int
    objects: list[SweepObject] = field(default_factory=list)
    extra: int = 0
    tracking: list[float] = field(default_factory=list)


def score_sweep(seed: int, settings: SimSettings, modes: tuple[str, ...]) -> dict[str, SweepScore]:
    """Return the score of one sweep for each way of pointing at objects.

    Args:
        seed: of the scene and of the shuffled ids.
        settings: of the simulator.
        modes: as ``boxes`` of :func:`joyai_ros.sim.frames.simulate`.
    """
    frames = list(simulate(seed, FRAMES, settings, "none"))
    return {mode: _score(seed, frames, settings, mode) for mode in modes}


def _score(seed: int, frames: list[SimFrame], settings: SimSettings, mode: str) -> SweepScore:
    engine = SceneEngine()
    tracker = _TimedTracker()
    engine._tracker = tracker
    random = np.random.default_rng([seed, 7])
    ids: dict[int, list[str]] = {}
    seen: set[int] = set()
    result = SweepScore(seed)
    scene = Scene(0, "")
    for frame in frames:
        observation = _pointed_at(frame, settings, mode, random)
        tracker.seconds = 0.0
        scene = engine.process(observation)
        result.tracking.append(tracker.seconds)
        seen |= {k for k, view in enumerate(frame.truth.views) if view.visible_fraction >= LEAST_VISIBLE}
        for index, name in _shown(scene, frame.truth).items():
            if frame.truth.views[index].visible_fraction >= LEAST_VISIBLE:
                ids.setdefault(index, []).append(name)
    claimed = {names[-1] for names in ids.values()}
    result.extra = sum(item.id not in claimed for item in scene.objects)
    result.objects = [_object(seed, frames, scene, index, ids.get(index, [])) for index in sorted(seen)]
    return result


class _TimedTracker(ObjectTracker):
    """A tracker that adds up the CPU seconds it takes."""

    seconds = 0.0

    def update(self, *arguments: Any) -> tuple[SceneObject, ...]:
        started = time.process_time()
        result = super().update(*arguments)
        self.seconds += time.process_time() - started
        return result

    def regroup(self, *arguments: Any) -> list[Any]:
        started = time.process_time()
        result = super().regroup(*arguments)
        self.seconds += time.process_time() - started
        return result


def _pointed_at(frame: SimFrame, settings: SimSettings, mode: str, random: np.random.Generator) -> Observation:
    """Return the frame's observation in one mode, detections in random order and numbered from 0."""
    if mode == "none":
        return frame.observation
    stamp = frame.observation.stamp
    boxes = observe(frame.description, frame.truth, frame.index, stamp, replace(settings, noise=False), mode).detections
    assert boxes is not None
    order = random.permutation(len(boxes))
    shuffled: tuple[Detection, ...] = tuple(replace(boxes[k], id=str(number)) for number, k in enumerate(order))
    return replace(frame.observation, detections=shuffled)


def _shown(scene: Scene, truth: FrameTruth) -> dict[int, str]:
    """Return under which id each true object is shown, by its index."""
    total = np.bincount(truth.instances.reshape(-1), minlength=256)
    best: dict[int, tuple[float, str]] = {}
    for item in scene.objects:
        if not item.visible or item.mask is None or item.box is None:
            continue
        top, left = int(item.box[1]), int(item.box[0])
        part = truth.instances[top : top + item.mask.shape[0], left : left + item.mask.shape[1]]
        mask = item.mask[: part.shape[0], : part.shape[1]]
        count = np.bincount(part[mask], minlength=256)
        index = int(np.argmax(count[1 : len(truth.views) + 1]))
        covered = count[index + 1] / max(total[index + 1], 1)
        if 2 * count[index + 1] > mask.sum() and covered >= LEAST_COVERED and covered > best.get(index, (0.0, ""))[0]:
            best[index] = float(covered), item.id
    return {index: name for index, (_, name) in best.items()}


def _object(seed: int, frames: list[SimFrame], scene: Scene, index: int, ids: list[str]) -> SweepObject:
    first, last = frames[0].truth, frames[-1].truth
    owner = last.world.objects[index]
    items = [item for item in scene.objects if ids and item.id == ids[-1]]
    moved = float(np.linalg.norm(owner.box.center - first.world.objects[index].box.center)) > MOVED_BY
    common: dict[str, Any] = {
        "seed": seed,
        "id": owner.id,
        "kind": owner.kind,
        "switches": sum(a != b for a, b in itertools.pairwise(ids)),
        "shown": len(ids),
        "moved": moved,
    }
    if not items:
        return SweepObject(iou=0.0, tightest_iou=0.0, noticed=False, **common)
    pose = last.world_from_camera
    box = items[0].obb.transformed(pose)
    vertices = np.asarray(object_shape(frames[0].description.objects[index]).surface.vertices)
    tight = tight_boxes(rigid.apply(owner.world_from_body, vertices), owner.box)
    return SweepObject(
        iou=upright_iou(box, owner.box),
        tightest_iou=max(upright_iou(box, other) for other in (owner.box, *tight)),
        noticed=items[0].moved,
        ratios=_ratios(items[0], owner, rigid.inverse(pose)),
        **common,
    )


def tight_boxes(vertices: Float, box: OrientedBox) -> list[OrientedBox]:
    """Return the upright boxes about points (N, 3) whose footprints are at most 1% larger than the smallest."""
    hull = footprints.outline(vertices)
    found = []
    smallest = float(np.prod(box.size[:2]))
    for angle in np.radians(np.arange(0.0, 90.0, 1.5)):
        axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        local = hull @ axes
        low, high = local.min(axis=0), local.max(axis=0)
        size = high - low
        if float(np.prod(size)) > AS_TIGHT * smallest:
            continue
        rotation = np.eye(3)
        rotation[:2, :2] = axes
        center = np.array([*(axes @ ((low + high) / 2.0)), box.center[2]])
        found.append(OrientedBox(center, rotation, np.array([*size, box.size[2]])))
    return found


def _ratios(item: SceneObject, owner: ObjectTruth, camera_from_world: Float) -> tuple[float, ...]:
    true = owner.box.transformed(camera_from_world)
    center = (item.obb.center - true.center) / np.maximum(item.center_sigma, 1e-9)
    size = (np.sort(item.obb.size[:2])[::-1] - np.sort(true.size[:2])[::-1]) / np.maximum(item.size_sigma[:2], 1e-9)
    height = (item.height - true.size[2]) / max(item.height_sigma, 1e-9)
    return (*(float(v) for v in center), *(float(v) for v in size), float(height))

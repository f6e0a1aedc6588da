"""The scene engine: one Observation in, one Scene out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import BoxError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Points
from joyai_ros.geometry.boxes import Box2D, OrientedBox, box2d_iou, checked_box2d
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.memory import keep_freed_memory
from joyai_ros.geometry.order import median
from joyai_ros.scene.assign import assign_pixels
from joyai_ros.scene.config import RelationConfig, SceneConfig
from joyai_ros.scene.contrast import tell_by_color
from joyai_ros.scene.frame import FrameGeometry, frame_geometry
from joyai_ros.scene.lift import MIN_POINTS, Lifted, lift
from joyai_ros.scene.merge import merge_hanging
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.occlusion import Occlusion, outline_occlusions
from joyai_ros.scene.overlying import without_overlying
from joyai_ros.scene.patch import Patch
from joyai_ros.scene.relate import relate
from joyai_ros.scene.rim import measure_rim
from joyai_ros.scene.settle import settle
from joyai_ros.scene.track import ObjectTracker
from joyai_ros.scene.track_state import Measured
from joyai_ros.scene.types import LabelSource, Scene, SceneObject

_LOOSE = 0.3  # share of a 2D box that an object may leave empty: boxes jitter, and depth ends before edges do
_EDGES = 0.1  # the same share, up to which it says nothing at all
_SAMPLE = 1500  # points that a box is measured from at most
_BORDER = 2  # pixels from the image border within which an object is taken to reach over it


@dataclass(frozen=True)
class _Found:
    """The pixels of one object and what is known of it."""

    detection: Detection
    patch: Patch
    label_source: LabelSource


@dataclass(frozen=True)
class _Pointed:
    """The detections of a frame that can be used, their 2D boxes within the image, and why others were rejected."""

    detections: list[Detection]
    boxes: list[Box2D]
    rejected: list[str]


class SceneEngine:
    """Turns observations into scenes. Feed one sequence to one engine.

    Args:
        config: thresholds and margins.
    """

    def __init__(self, config: SceneConfig | None = None) -> None:
        keep_freed_memory()
        self.config = config or SceneConfig()
        self._tracker = ObjectTracker(self.config.tracking) if self.config.tracking.enabled else None

    def process(self, observation: Observation) -> Scene:
        """Return the scene of one observation.

        Without a depth image the scene has no objects: nothing metric can be said. Detections that cannot be used are
        listed in ``Scene.rejected`` with the reason; the rest goes on.
        """
        return related(self.measure(observation), observation, self.config.relations)

    def measure(self, observation: Observation) -> Scene:
        """Return the scene without relations: the part of :meth:`process` that needs the frames before."""
        started = time.perf_counter()
        scene = self._perceive(observation)
        return replace(scene, seconds=time.perf_counter() - started)

    def _perceive(self, observation: Observation) -> Scene:
        bare = Scene(
            stamp=observation.stamp,
            frame_id=observation.frame_id,
            world_from_camera=observation.world_from_camera,
            world_frame=observation.world_frame if observation.world_from_camera is not None else "",
        )
        if not _has_depth(observation):
            remembered = self._tracker.unseen(observation) if self._tracker is not None else ()
            rejected = ("depth: no valid pixel in this frame",)
            return replace(bare, objects=remembered, up=observation.up, rejected=rejected)
        pointed = _usable(observation) if observation.detections is not None else None
        frame = frame_geometry(observation, self.config, pointed.boxes if pointed is not None else None)
        if pointed is None:
            groups = self._clusters(frame)
            if self._tracker is not None:
                groups = self._tracker.regroup(groups, frame, observation)
            patches = [Patch.of(group, frame.camera.width) for group in groups]
            found = [_Found(Detection(id=f"cluster_{k}"), patch, LabelSource.NONE) for k, patch in enumerate(patches)]
        else:
            found = _pointed_at(frame, observation, pointed)
        patches, boxes = [item.patch for item in found], [item.detection.box for item in found]
        lifted = settle(_lift_all(frame, found), patches, boxes, frame)
        objects = tuple(_object(frame, item, extent) for item, extent in zip(found, lifted, strict=True))
        if self._tracker is not None:
            measured = [Measured(o, item.patch, e) for o, item, e in zip(objects, found, lifted, strict=True)]
            objects = self._tracker.update(measured, frame, observation)
        return replace(
            bare,
            objects=objects,
            support_planes=tuple(frame.planes),
            up=frame.up,
            up_source=frame.up_source,
            rejected=tuple(pointed.rejected) if pointed is not None else (),
        )

    def _clusters(self, frame: FrameGeometry) -> list[NDArray[np.int64]]:
        """Unlabelled objects: the merged surface pieces of plausible size, largest first."""
        config = self.config.segmentation
        scale = frame.camera.width * frame.camera.height / (640 * 480)
        least = max(int(config.min_pixels * scale), MIN_POINTS)
        owner = merge_hanging(frame, self.config.segmentation, least)
        pieces: dict[int, list[int]] = {}
        for piece in np.flatnonzero(frame.clusters.stats[:, 4]).tolist():
            pieces.setdefault(int(owner[piece]), []).append(piece)
        groups = [np.concatenate([frame.clusters.pixels(piece) for piece in several]) for several in pieces.values()]
        found: list[NDArray[np.int64]] = []
        for group in sorted(groups, key=len, reverse=True)[: config.max_clusters]:
            if len(group) < least:
                break
            points = frame.points(group[:: max(len(group) // 500, 1)])
            if config.min_extent <= float((points.max(axis=0) - points.min(axis=0)).max()) <= config.max_extent:
                found.append(group)
        return found


def related(scene: Scene, observation: Observation, config: RelationConfig) -> Scene:
    """Return a measured scene with what holds between its objects; of a frame without depth nothing is stated."""
    if not _has_depth(observation):
        return scene
    started = time.perf_counter()
    found = relate(scene.objects, scene.up, config)
    seconds = scene.seconds + time.perf_counter() - started
    return replace(scene, relations=found.stated, abstentions=found.abstentions, seconds=seconds)


def _has_depth(observation: Observation) -> bool:
    return observation.depth is not None and bool(observation.depth.any())


def _usable(observation: Observation) -> _Pointed:
    """Return the detections that can be used, and why the others cannot."""
    pointed = _Pointed([], [], [])
    taken: set[str] = set()
    for detection in observation.detections or ():
        try:
            if detection.id in taken:
                raise BoxError("its id stands twice in this frame")
            if not 0.0 <= detection.score <= 1.0:
                raise BoxError(f"its score {detection.score} is not a share; give 0 to 1")
            if detection.mask is not None and len(_masked(detection.mask, observation)) < MIN_POINTS:
                raise BoxError("its mask holds hardly a depth pixel of this image")
            if detection.front is not None:
                rigid.unit(detection.front, "front")
            box = detection.box if detection.box is not None else _projected(detection.box3d, observation.camera)
            pointed.boxes.append(checked_box2d(box, observation.camera.width, observation.camera.height))
        except (BoxError, PoseError) as error:
            pointed.rejected.append(f"{detection.id}: {error}")
            continue
        taken.add(detection.id)
        pointed.detections.append(detection)
    return pointed


def _pointed_at(frame: FrameGeometry, observation: Observation, pointed: _Pointed) -> list[_Found]:
    """Find the pixels of each detection; note why others are not found."""
    found = []
    assigned = assign_pixels(frame.clusters, observation.color, frame.depth, pointed.boxes)
    assigned = tell_by_color(observation.color, frame.depth, pointed.boxes, assigned)
    for k, (detection, box, pixels) in enumerate(zip(pointed.detections, pointed.boxes, assigned, strict=True)):
        if detection.mask is not None:
            pixels = _masked(detection.mask, observation)
        elif detection.box3d is not None:
            pixels = _within(detection.box3d, frame, box)
        if len(pixels) < MIN_POINTS:
            reason = f"only {len(pixels)} depth pixels stand out from the surfaces in its box"
            pointed.rejected.append(f"{detection.id}: {reason}")
            continue
        patch = Patch.of(pixels, frame.camera.width)
        if detection.mask is None:
            patch = without_overlying(frame, patch, pointed.boxes[:k] + pointed.boxes[k + 1 :])
        found.append(_Found(replace(detection, box=box), patch, LabelSource.DETECTOR))
    return found


def _projected(box: OrientedBox | None, camera: Camera) -> Box2D:
    """Return the 2D box around a 3D box's corners."""
    if box is None:
        raise BoxError("neither a 2D nor a 3D box")
    corners = box.corners()
    if (corners[:, 2] <= 0.01).any():
        raise BoxError("its 3D box reaches behind the camera")
    pixels = camera.project(corners)
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _masked(mask: Mask, observation: Observation) -> NDArray[np.int64]:
    if observation.depth is None or mask.shape != observation.camera.shape:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(mask & (observation.depth > 0))


def _within(box: OrientedBox, frame: FrameGeometry, window: Box2D) -> NDArray[np.int64]:
    """Return flat indices of the pixels off the support planes whose point lies in a 3D box grown by a tenth."""
    x0, y0, x1, y1 = (int(v) for v in (window[0], window[1], np.ceil(window[2]), np.ceil(window[3])))
    rows, columns = np.nonzero(frame.clusters.foreground[y0:y1, x0:x1])
    pixels = (rows + y0) * frame.camera.width + columns + x0
    return pixels[box.contains(frame.points(pixels), margin=0.05 * float(box.size.max()))]


def _lift_all(frame: FrameGeometry, found: list[_Found]) -> list[Lifted]:
    """Measure the objects, each from a sample of its pixels."""
    if not found:
        return []
    samples = [item.patch.sample(_SAMPLE) for item in found]
    pixels, ends = np.concatenate(samples), np.cumsum([len(sample) for sample in samples])[:-1]
    points, sigmas = np.split(frame.points(pixels), ends), np.split(frame.sigma_z.reshape(-1)[pixels], ends)
    occlusions = outline_occlusions(frame.depth, [item.patch for item in found])
    return [_lift(frame, *parts) for parts in zip(found, points, sigmas, occlusions, strict=True)]


def _lift(
    frame: FrameGeometry, item: _Found, points: Points, sigmas: NDArray[np.float32], occlusion: Occlusion
) -> Lifted:
    """Measure an object from points (N, 3) of it, with their depth noise (N,)."""
    noise = median(sigmas)
    surface = frame.surface_under(points)
    rim = measure_rim(frame.depth, frame.camera, surface, item.patch, item.detection.box, noise)
    pitch = median(points[:, 2]) / frame.camera.fx
    unfilled, misfit = _unfilled(item)
    return lift(points, surface, rim, occlusion, noise, pitch, unfilled * pitch, misfit)


def _unfilled(item: _Found) -> tuple[float, float]:
    """Return how far an object's own pixels fail to fill its 2D box: pixels of its longer side, and a share.

    The share counts from where it is more than depth at edges is off by, the pixels from where boxes are drawn no looser.
    """
    box = item.detection.box
    if box is None:
        return 0.0, 0.0
    missing = 1.0 - box2d_iou(box, item.patch.box)
    return max(missing - _LOOSE, 0.0) * max(box[2] - box[0], box[3] - box[1]), max(missing - _EDGES, 0.0)


def _object(frame: FrameGeometry, item: _Found, extent: Lifted) -> SceneObject:
    tight = item.patch.box
    box: Box2D = item.detection.box or tight
    known_up = frame.up is not None
    return SceneObject(
        id=item.detection.id,
        label=item.detection.label,
        obb=extent.obb(),
        box=box,
        label_source=item.label_source,
        score=item.detection.score,
        center_sigma=extent.center_sigma(),
        size_sigma=extent.size_sigma(),
        height=extent.height if known_up else float("nan"),
        height_sigma=extent.height_sigma if known_up else float("nan"),
        points=len(item.patch.pixels),
        mask=_cropped_mask(item.patch, box),
        truncated=_on_border(tight, frame),
        hollow=extent.hollow,
        front=None if item.detection.front is None else rigid.unit(item.detection.front, "front"),
    )


def _cropped_mask(patch: Patch, box: Box2D) -> Mask:
    """Return the pixels as a mask of the box rounded outwards."""
    left, top, right, bottom = int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3]))
    mask = np.zeros((bottom - top, right - left), dtype=bool)
    rows = slice(max(top, patch.top), min(bottom, patch.top + patch.mask.shape[0]))
    columns = slice(max(left, patch.left), min(right, patch.left + patch.mask.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = patch.mask[
            rows.start - patch.top : rows.stop - patch.top, columns.start - patch.left : columns.stop - patch.left
        ]
    return mask


def _on_border(box: Box2D, frame: FrameGeometry) -> bool:
    height, width = frame.depth.shape
    return box[0] <= _BORDER or box[1] <= _BORDER or box[2] >= width - _BORDER or box[3] >= height - _BORDER

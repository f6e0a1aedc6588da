"""vision_msgs detections to Detection and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.messages.boxes import box2d_from_message, box2d_message, box3d_from_message, box3d_message
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.types import Scene, SceneObject


@dataclass(frozen=True)
class DetectionBatch:
    """The detections of one message, and those that say nothing.

    Attributes:
        detections: with ids unique within the batch.
        rejected: "id: reason" of each that could not be read.
    """

    detections: tuple[Detection, ...] = ()
    rejected: tuple[str, ...] = ()


def detections_from_2d(message: Message) -> DetectionBatch:
    """Return a Detection2DArray as detections with pixel boxes of the image that it was made from."""
    found = []
    for index, item in enumerate(message.detections):
        label, score = _best(item.results)
        found.append(Detection(_id(item, label, index), label, box2d_from_message(item.bbox), score))
    return DetectionBatch(_with_unique_ids(found))


def detections_from_3d(message: Message, camera_from_frame: Mat4 | None = None) -> DetectionBatch:
    """Return a Detection3DArray as detections with boxes in the colour optical frame.

    Args:
        message: the array.
        camera_from_frame: (4, 4) from the message's frame to the colour optical frame; None where they are one.
    """
    found, rejected = [], []
    for index, item in enumerate(message.detections):
        label, score = _best(item.results)
        name = _id(item, label, index)
        try:
            box = box3d_from_message(item.bbox)
        except InputError as error:
            rejected.append(f"{name}: {error}")
            continue
        box = box if camera_from_frame is None else box.transformed(camera_from_frame)
        found.append(Detection(name, label, None, score, box3d=box))
    return DetectionBatch(_with_unique_ids(found), tuple(rejected))


def merged_batches(flat: DetectionBatch, solid: DetectionBatch) -> DetectionBatch:
    """Return 2D and 3D detections of one image together: the same id and label is the same object."""
    boxes = {(d.id, d.label): d.box3d for d in solid.detections}
    both = [replace(d, box3d=boxes.pop((d.id, d.label), None)) for d in flat.detections]
    alone = [d for d in solid.detections if (d.id, d.label) in boxes]
    return DetectionBatch(_with_unique_ids([*both, *alone]), flat.rejected + solid.rejected)


def _best(results: Iterable[Message]) -> tuple[str, float]:
    """Return label and score of the likeliest hypothesis; no name and full score where there is none."""
    best = max(results, key=lambda r: float(r.hypothesis.score), default=None)
    return ("", 1.0) if best is None else (str(best.hypothesis.class_id), float(best.hypothesis.score))


def _id(item: Message, label: str, index: int) -> str:
    return str(item.id) or f"{label or 'object'}_{index}"


def _with_unique_ids(detections: list[Detection]) -> tuple[Detection, ...]:
    """Return the detections with a number behind an id that came before: detectors often put the class there."""
    given = {d.id for d in detections}
    used: set[str] = set()
    result = []
    for detection in detections:
        name, number = detection.id, 2
        while name in used or (name != detection.id and name in given):
            name = f"{detection.id}_{number}"
            number += 1
        used.add(name)
        result.append(replace(detection, id=name))
    return tuple(result)


def detections_2d_message(factory: MessageFactory, header: Message, detections: Iterable[Detection]) -> Message:
    """Return a Detection2DArray of the detections that have a pixel box."""
    items = [
        factory("vision_msgs/msg/Detection2D")(
            header=header,
            results=[_hypothesis(factory, d.label, d.score)],
            bbox=box2d_message(factory, d.box),
            id=d.id,
        )
        for d in detections
        if d.box is not None
    ]
    return factory("vision_msgs/msg/Detection2DArray")(header=header, detections=items)


def detections_3d_message(factory: MessageFactory, header: Message, detections: Iterable[Detection]) -> Message:
    """Return a Detection3DArray of the detections that have a 3D box, in the header's frame."""
    items = []
    for d in detections:
        if d.box3d is not None:
            box = box3d_message(factory, d.box3d)
            hypothesis = _hypothesis(factory, d.label, d.score, pose=box.center)
            items.append(factory("vision_msgs/msg/Detection3D")(header=header, results=[hypothesis], bbox=box, id=d.id))
    return factory("vision_msgs/msg/Detection3DArray")(header=header, detections=items)


def objects_message(factory: MessageFactory, header: Message, scene: Scene) -> Message:
    """Return a scene's objects as a Detection3DArray (with the covariance of each centre), for tools at large."""
    items = [_object_detection(factory, header, item) for item in scene.objects]
    return factory("vision_msgs/msg/Detection3DArray")(header=header, detections=items)


def _object_detection(factory: MessageFactory, header: Message, item: SceneObject) -> Message:
    box = box3d_message(factory, item.obb)
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = np.diag(np.square(item.center_sigma))
    hypothesis = _hypothesis(factory, item.label, item.score, pose=box.center, covariance=covariance)
    return factory("vision_msgs/msg/Detection3D")(header=header, results=[hypothesis], bbox=box, id=item.id)


def _hypothesis(
    factory: MessageFactory, label: str, score: float, *, pose: Message | None = None, covariance: Mat4 | None = None
) -> Message:
    known = {} if pose is None else {"pose": pose}
    if covariance is not None:
        known["covariance"] = covariance.reshape(-1)
    return factory("vision_msgs/msg/ObjectHypothesisWithPose")(
        hypothesis=factory("vision_msgs/msg/ObjectHypothesis")(class_id=label, score=float(score)),
        pose=factory("geometry_msgs/msg/PoseWithCovariance")(**known),
    )

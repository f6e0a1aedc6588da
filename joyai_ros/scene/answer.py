"""Answer: text with the structured value, the evidence and the geometric check behind it."""

from __future__ import annotations

from dataclasses import dataclass

from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.types import SpatialRelation, Status


@dataclass(frozen=True)
class Answer:
    """An answer to one question about one or more frames.

    Attributes:
        question, task: what was asked, and as which task.
        text: for people.
        choice: the chosen option, where the task has options.
        value, unit, sigma: the number, where the task measures; None without one.
        boxes, points: pixels in the colour image, where the task grounds.
        pose: (4, 4), where the task answers with one, in the first frame's optical frame.
        evidence_objects: ids of the objects used.
        evidence_views: how many frames were used, imagined ones included.
        evidence: relations that support or contradict it.
        confidence: 0 to 1; NaN where uncalibrated.
        status: the geometric check.
        model_value, geometry_value: what each source measured, in ``unit``.
        model: card name, empty where geometry alone answered.
        stamp, frame_id: of the first frame.
    """

    question: str
    text: str
    task: str = ""
    choice: str = ""
    value: float | None = None
    unit: str = ""
    sigma: float | None = None
    boxes: tuple[Box2D, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    pose: Mat4 | None = None
    evidence_objects: tuple[str, ...] = ()
    evidence_views: int = 1
    evidence: tuple[SpatialRelation, ...] = ()
    confidence: float = float("nan")
    status: Status = Status.UNCHECKED
    model_value: float | None = None
    geometry_value: float | None = None
    model: str = ""
    stamp: int = 0
    frame_id: str = ""

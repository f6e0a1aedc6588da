"""What geometry says to one question."""

from __future__ import annotations

from dataclasses import dataclass

from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.types import SpatialRelation


@dataclass(frozen=True)
class Measured:
    """A measurement, or the choice that follows from measurements.

    Attributes:
        choice: one of the question's options; empty where it asks for none.
        value, unit, sigma: the number behind it; None where there is none.
        confidence: 0 to 1, that the choice is right; 1 where it asks for none.
        boxes, points: pixels in the first image.
        pose: (4, 4) of the second camera in the first one's optical frame.
        evidence: the relations that it follows from.
    """

    choice: str = ""
    value: float | None = None
    unit: str = ""
    sigma: float | None = None
    confidence: float = 1.0
    boxes: tuple[Box2D, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    pose: Mat4 | None = None
    evidence: tuple[SpatialRelation, ...] = ()

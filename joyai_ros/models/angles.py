"""How a model that moves the camera counts angles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Angles:
    """How a model counts the angles of a camera motion, and how far it can go at once (fields of its card).

    Attributes:
        yaw_sign, pitch_sign: 1 where its angles count as those of ``CameraMotion``, -1 where the other way round.
        most_yaw, most_pitch: degrees in one request.
    """

    yaw_sign: int = 1
    pitch_sign: int = 1
    most_yaw: float = 90.0
    most_pitch: float = 60.0

    def __post_init__(self) -> None:
        if {abs(self.yaw_sign), abs(self.pitch_sign)} != {1} or not (self.most_yaw > 0 and self.most_pitch > 0):
            raise ValueError("signs are 1 or -1, and the most degrees positive")

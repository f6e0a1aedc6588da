"""The model's answer against the measurement: agree, contradict, or not decidable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.reasoning.measured import Measured
from joyai_ros.scene.types import Status
from joyai_ros.settings import setting

_SAME_BOX, _OTHER_BOX = 0.5, 0.1  # overlap with a measured object's box


@dataclass(frozen=True)
class CompareConfig:
    """When a model's answer agrees with a measurement, and when it contradicts it."""

    tolerance: float = setting(0.02, "numbers this close agree, m (rad for angles)", 0.0, 10.0)
    tolerance_share: float = setting(0.10, "numbers this close agree, share of the measured one", 0.0, 1.0)
    sigmas: float = setting(3.0, "standard deviations of the measurement that are added to both", 0.0, 10.0)
    doubt: float = setting(2.0, "numbers that differ by so many times that contradict each other", 1.0, 10.0)
    least_confidence: float = setting(
        0.98, "confidence of a measured choice from which it contradicts another", 0.5, 1.0
    )
    pose_angle: float = setting(0.17, "poses whose rotations differ by less agree, rad", 0.0, 3.14)
    pose_share: float = setting(0.20, "poses whose places differ by less agree, share of the way", 0.0, 1.0)


@dataclass(frozen=True)
class Said:
    """What a model said, in the terms of :class:`Measured`: a choice, a number, boxes or points in pixels, or a pose."""

    choice: str = ""
    value: float | None = None
    boxes: tuple[Box2D, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    pose: Mat4 | None = None


def compare(said: Said, measured: Measured | None, config: CompareConfig) -> Status:
    """Return how a model's answer fares against geometry; UNCHECKED where geometry has no say or is not sure enough."""
    if measured is None:
        return Status.UNCHECKED
    if said.choice:
        return _choices(said.choice, measured, config)
    if said.pose is not None and measured.pose is not None:
        return _poses(said.pose, measured.pose, config)
    if said.boxes or said.points:
        return _places(said, measured)
    if said.value is not None and measured.value is not None:
        return _numbers(said.value, measured, config)
    return Status.UNCHECKED


def _choices(choice: str, measured: Measured, config: CompareConfig) -> Status:
    if not measured.choice:
        return Status.UNCHECKED
    if choice == measured.choice:
        return Status.AGREE
    return Status.CONTRADICT if measured.confidence >= config.least_confidence else Status.UNCHECKED


def _numbers(value: float, measured: Measured, config: CompareConfig) -> Status:
    assert measured.value is not None
    tolerance = 0.0
    if measured.unit != "1":
        tolerance = max(config.tolerance, config.tolerance_share * abs(measured.value))
        tolerance += config.sigmas * (measured.sigma or 0.0)
    apart = abs(value - measured.value)
    if apart <= tolerance:
        return Status.AGREE
    return Status.CONTRADICT if apart > config.doubt * tolerance else Status.UNCHECKED


def _poses(said: Mat4, measured: Mat4, config: CompareConfig) -> Status:
    turned = rigid.rotation_angle(said[:3, :3].T @ measured[:3, :3])
    away = float(np.linalg.norm(said[:3, 3] - measured[:3, 3]))
    way = float(np.linalg.norm(measured[:3, 3]))
    near = away <= max(config.tolerance, config.pose_share * way)
    return Status.AGREE if turned <= config.pose_angle and near else Status.CONTRADICT


def _places(said: Said, measured: Measured) -> Status:
    """Boxes must each lie on a measured object of that name, points within one; one that hits none contradicts."""
    if not measured.boxes:
        return Status.UNCHECKED
    shares = [max(box2d_iou(box, known) for known in measured.boxes) for box in said.boxes]
    shares += [max(_holds(known, point) for known in measured.boxes) for point in said.points]
    if min(shares) >= _SAME_BOX:
        return Status.AGREE
    return Status.CONTRADICT if min(shares) < _OTHER_BOX else Status.UNCHECKED


def _holds(box: Box2D, point: tuple[float, float]) -> float:
    return float(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def pose_from_fields(fields: dict[str, float | str]) -> Mat4:
    """Return the (4, 4) pose of the second camera in the first one's optical frame that a model's numbers describe.

    Yaw is to the right, pitch up, roll clockwise, in this order, in degrees; right, up and forward in metres.
    """
    number = {name: float(value) for name, value in fields.items()}
    x, y, z = np.eye(3)
    yaw, pitch, roll = (math.radians(number[name]) for name in ("yaw_deg", "pitch_deg", "roll_deg"))
    rotation = rigid.axis_angle(y, yaw) @ rigid.axis_angle(x, pitch) @ rigid.axis_angle(z, roll)
    return rigid.make_transform(rotation, np.array([number["right_m"], -number["up_m"], number["forward_m"]]))


def fields_from_pose(pose: Mat4) -> dict[str, float]:
    """Return the numbers that describe a pose to a tenth of a degree and a centimetre; :func:`pose_from_fields` reads them."""
    rotation = pose[:3, :3]
    yaw = math.atan2(rotation[0, 2], rotation[2, 2])
    pitch = math.asin(max(-1.0, min(1.0, -float(rotation[1, 2]))))
    roll = math.atan2(rotation[1, 0], rotation[1, 1])
    right, down, forward = pose[:3, 3].tolist()
    angles = {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll}
    places = {"right_m": right, "up_m": -down, "forward_m": forward}
    degrees = {name: round(math.degrees(value), 1) + 0.0 for name, value in angles.items()}
    return degrees | {name: round(value, 2) + 0.0 for name, value in places.items()}

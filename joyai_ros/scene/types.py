"""Scene, SceneObject and SpatialRelation: what the engine says, with units and uncertainty."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import Mask, Mat3, Mat4, Points, Vec3
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.scene.level import level_basis


class LabelSource(enum.IntEnum):
    """Who named an object."""

    NONE = 0  # nobody: a cluster found in the depth image
    DETECTOR = 1
    USER = 2
    MODEL = 3


class UpSource(enum.IntEnum):
    """Where the direction of gravity comes from."""

    UNKNOWN = 0  # nothing that depends on gravity is stated
    TF = 1
    CLOUD = 2
    GIVEN = 3


class Frame(enum.IntEnum):
    """The frame in which a relation holds."""

    VIEWER = 0  # the camera, levelled by gravity
    WORLD = 1
    OBJECT = 2  # the reference object's own axes


class Source(enum.IntEnum):
    """Who states a relation."""

    GEOMETRY = 0
    MODEL = 1


class Status(enum.IntEnum):
    """How a statement fared against another source."""

    UNCHECKED = 0
    AGREE = 1
    CONTRADICT = 2


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        id: persistent within a sequence.
        label, label_source, score: its name, who gave it, and how sure they were.
        box: (x0, y0, x1, y1) pixels in the colour image; None for a remembered object out of view.
        obb: gravity-aligned box (length, width, height) in the colour optical frame. Where up is unknown its axes are the
            principal axes of the points, and height is NaN.
        center_sigma, size_sigma: (3,) metres, one standard deviation of ``obb.center`` along the optical axes x, y, z and
            of ``obb.size`` along the box axes.
        height: vertical extent of the object itself in metres; NaN where up is unknown.
        height_sigma: metres; NaN where height is.
        points: depth pixels it was measured from.
        mask: (h, w) bool, its measured pixels within ``box`` rounded outwards; None where there are none.
        truncated: it reaches over the image border.
        visible: seen in this observation (false: remembered).
        age: seconds since it was last seen.
        views: observations fused into its box.
        moved: seen to have moved since its box was first measured.
        hollow: a cavity was seen in it, so that other things may be inside.
        front: (3,) unit direction of its front in the optical frame; None where none is known.
    """

    id: str
    label: str
    obb: OrientedBox
    box: Box2D | None = None
    label_source: LabelSource = LabelSource.NONE
    score: float = 1.0
    center_sigma: Vec3 = field(default_factory=lambda: np.zeros(3))
    size_sigma: Vec3 = field(default_factory=lambda: np.zeros(3))
    height: float = float("nan")
    height_sigma: float = float("nan")
    points: int = 0
    mask: Mask | None = None
    truncated: bool = False
    visible: bool = True
    age: float = 0.0
    views: int = 1
    moved: bool = False
    hollow: bool = False
    front: Vec3 | None = None

    @property
    def sigma(self) -> float:
        """One standard deviation of the centre's position in metres, root mean square over the axes."""
        return float(np.sqrt(np.mean(np.square(self.center_sigma))))


class SpatialRelation(NamedTuple):
    """One statement about objects, with the measured value behind it.

    A tuple, because a scene of a dozen objects has a thousand of them.

    Attributes:
        subject: object id.
        predicate: name in :mod:`joyai_ros.scene.predicates`.
        objects: ids of the others: none for a property, one for a pair, two for *between*.
        value, unit, sigma: the measurement behind the statement; None, "" and None where there is none.
        frame: where it holds.
        confidence: 0 to 1; NaN where uncalibrated.
        source, status: who says so, and how it fared against the other source.
        model_value: what the model said, in ``unit``; None where it was not asked.
    """

    subject: str
    predicate: str
    objects: tuple[str, ...] = ()
    value: float | None = None
    unit: str = ""
    sigma: float | None = None
    frame: Frame = Frame.WORLD
    confidence: float = float("nan")
    source: Source = Source.GEOMETRY
    status: Status = Status.UNCHECKED
    model_value: float | None = None


@dataclass(frozen=True)
class SupportPlane:
    """A horizontal surface that things can stand on.

    Attributes:
        normal, offset: ``normal @ p + offset == 0`` in the colour optical frame, metres; ``normal`` (3,) points up.
        polygon: (N, 3) its visible outline (convex hull), in order, in the same frame.
        sigma: one standard deviation of ``offset`` in metres.
        points: depth pixels on it.
    """

    normal: Vec3
    offset: float
    polygon: Points
    sigma: float = 0.0
    points: int = 0

    @cached_property
    def level_outline(self) -> tuple[Mat3, NDArray[np.float32]]:
        """(3, 3) level from optical over this plane, and the outline (N, 2) in its right and forward axes, metres."""
        basis = level_basis(self.normal)
        return basis, (self.polygon @ basis[:2].T).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """Objects and relations of one observation or of a fused sequence, in one colour optical frame.

    Attributes:
        stamp, frame_id: of the observation.
        objects, relations, support_planes: what was found.
        up: (3,) unit, optical frame; None where unknown.
        up_source: where ``up`` comes from.
        world_from_camera, world_frame: the camera pose; None and "" without TF.
        abstentions: pairs and predicates inside their margin, on which nothing is stated.
        rejected: detections that could not be used, as "id: reason".
        seconds: compute time; diagnostic only, never data.
    """

    stamp: int
    frame_id: str
    objects: tuple[SceneObject, ...] = ()
    relations: tuple[SpatialRelation, ...] = ()
    support_planes: tuple[SupportPlane, ...] = ()
    up: Vec3 | None = None
    up_source: UpSource = UpSource.UNKNOWN
    world_from_camera: Mat4 | None = None
    world_frame: str = ""
    abstentions: int = 0
    rejected: tuple[str, ...] = ()
    seconds: float = 0.0

    def object(self, object_id: str) -> SceneObject:
        """Return the object with this id.

        Raises:
            KeyError: there is none.
        """
        for candidate in self.objects:
            if candidate.id == object_id:
                return candidate
        raise KeyError(object_id)

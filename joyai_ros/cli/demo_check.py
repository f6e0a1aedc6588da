"""What the demo measured against what is true in its simulated world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import ColorImage, GrayImage, Vec3
from joyai_ros.geometry.view import SEEN
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.predicates import CONVERSE, Predicate
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation
from joyai_ros.sim.truth import FrameTruth, ViewTruth

PEAK = 255.0


@dataclass(frozen=True)
class ObjectCheck:
    """One object, measured and true; metres.

    Attributes:
        id, label: as in the scene.
        size, true_size: (3,) length, width, height.
        height_sigma: one standard deviation of the measured height.
        center_error: distance between the centres.
        visible: share of the object that the camera sees, 0 to 1.
    """

    id: str
    label: str
    size: Vec3
    true_size: Vec3
    height_sigma: float
    center_error: float
    visible: float

    @property
    def height_error(self) -> float:
        """Measured less true height in metres."""
        return float(self.size[2] - self.true_size[2])


@dataclass(frozen=True)
class RelationCheck:
    """One statement and whether it is true; None where the simulator does not know."""

    relation: SpatialRelation
    holds: bool | None


@dataclass(frozen=True)
class ViewCheck:
    """An imagined view beside the true one: peak signal-to-noise ratios in dB, over measured pixels and over all."""

    psnr_seen: float
    psnr_all: float
    seen: float


def check_objects(scene: Scene, truth: FrameTruth) -> list[ObjectCheck]:
    """Return each true object that the scene has under its id beside what was measured, in the order of the truth."""
    known = {item.id: item for item in scene.objects}
    return [_check(known[view.id], view) for view in truth.views if view.id in known]


def _check(item: SceneObject, view: ViewTruth) -> ObjectCheck:
    return ObjectCheck(
        id=item.id,
        label=item.label or item.id,
        size=item.obb.size,
        true_size=view.camera_box.size,
        height_sigma=item.height_sigma,
        center_error=float(np.linalg.norm(item.obb.center - view.camera_box.center)),
        visible=view.visible_fraction,
    )


def check_relations(scene: Scene, truth: FrameTruth) -> list[RelationCheck]:
    """Return each statement about pairs with its verdict, by predicate; of a converse pair only the first is kept."""
    told: set[tuple[str, str, str]] = set()
    checks = []
    for relation in scene.relations:
        if len(relation.objects) != 1:
            continue
        predicate, other = Predicate(relation.predicate), relation.objects[0]
        if (CONVERSE.get(predicate, predicate).value, other, relation.subject) in told:
            continue
        told.add((predicate.value, relation.subject, other))
        checks.append(RelationCheck(relation, _holds(predicate, relation, truth)))
    order = [predicate.value for predicate in Predicate]
    return sorted(checks, key=lambda check: order.index(check.relation.predicate))


def check_view(image: ColorImage, validity: GrayImage, true: ColorImage) -> ViewCheck:
    """Return how near an imagined image (H, W, 3) comes to the true one of the same camera."""
    error = np.square(image.astype(np.float64) - true).mean(axis=2)
    seen = validity == SEEN
    return ViewCheck(_psnr(error[seen]), _psnr(error.reshape(-1)), float(seen.mean()))


def _psnr(squared: np.ndarray) -> float:
    if not squared.size:
        return float("nan")
    return float(10.0 * np.log10(PEAK**2 / max(float(squared.mean()), 1e-12)))


@dataclass(frozen=True)
class _Pair:
    """Two true boxes: centres in the viewer's level frame (x right, y forward, z up), sizes, distances to it."""

    truth: FrameTruth
    ids: tuple[str, str]
    centers: tuple[Vec3, Vec3]
    sizes: tuple[Vec3, Vec3]
    distances: tuple[float, float]


# Is the statement "first PREDICATE second" true? Converses are asked the other way round.
_TESTS: dict[Predicate, Callable[[_Pair], bool]] = {
    Predicate.LEFT_OF: lambda p: p.centers[0][0] < p.centers[1][0],
    Predicate.IN_FRONT_OF: lambda p: p.centers[0][1] < p.centers[1][1],
    Predicate.ABOVE: lambda p: p.centers[0][2] > p.centers[1][2],
    Predicate.TALLER_THAN: lambda p: p.sizes[0][2] > p.sizes[1][2],
    Predicate.BIGGER_THAN: lambda p: bool(p.sizes[0].max() > p.sizes[1].max()),
    Predicate.CLOSER_THAN: lambda p: p.distances[0] < p.distances[1],
    Predicate.ON: lambda p: p.truth.world.object(p.ids[0]).stands_on == p.ids[1],
    Predicate.INSIDE: lambda p: p.truth.world.object(p.ids[0]).inside == p.ids[1],
    Predicate.TOUCHING: lambda p: {p.ids, p.ids[::-1]} & set(p.truth.world.contacts) != set(),
}


def _holds(predicate: Predicate, relation: SpatialRelation, truth: FrameTruth) -> bool | None:
    first, second = relation.subject, relation.objects[0]
    if predicate not in _TESTS and CONVERSE.get(predicate) in _TESTS:
        predicate, first, second = CONVERSE[predicate], second, first
    known = {view.id: view.camera_box for view in truth.views}
    if predicate not in _TESTS or first not in known or second not in known:
        return None
    basis = level_basis(truth.up)
    boxes = known[first], known[second]
    pair = _Pair(
        truth,
        (first, second),
        (basis @ boxes[0].center, basis @ boxes[1].center),
        (boxes[0].size, boxes[1].size),
        (float(np.linalg.norm(boxes[0].center)), float(np.linalg.norm(boxes[1].center))),
    )
    return bool(_TESTS[predicate](pair))

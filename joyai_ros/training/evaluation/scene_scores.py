"""What a measured scene of a simulated frame got right: boxes, statements, and how large its errors are in sigmas.

The truth is exact (docs/tabletop-v1.md), and margins are those of the engine's configuration, applied to true values
without uncertainty. Objects that the camera sees to less than 30% are left out, and so are pairs with one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from joyai_ros.geometry.arrays import Float
from joyai_ros.geometry.box_pairs import pair_boxes
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.scene.config import RelationConfig, SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.layout import layout_of
from joyai_ros.scene.level import level_basis
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.predicates import CONVERSE, Predicate
from joyai_ros.scene.types import Scene, SceneObject
from joyai_ros.sim.frames import SimSettings, observe
from joyai_ros.sim.relations import MEASUREMENTS, Statement, statement, true_objects, true_relations
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.truth import FrameTruth

LEAST_VISIBLE = 0.3
LEAST_OVERLAP = 0.5  # of 2D boxes, for a cluster to be taken for an object
LEAST_SIGMA = 1e-9  # metres; a sigma of nothing is an infinite claim, not a division by zero
SETTINGS = {
    "true": "true boxes",
    "jittered": "jittered boxes",
    "none": "no boxes",
}  # what simulate() calls them, what we do
QUANTITIES = (
    "height", "length", "width", "centre across", "centre along", "centre up", "camera distance", "centre distance",
    "box distance",
)  # fmt: skip
# Of two things that differ by less than the margin neither is true, and neither is far from true.
COMPARISONS = frozenset(
    {
        Predicate.LEFT_OF, Predicate.RIGHT_OF, Predicate.IN_FRONT_OF, Predicate.BEHIND, Predicate.TALLER_THAN,
        Predicate.SHORTER_THAN, Predicate.BIGGER_THAN, Predicate.SMALLER_THAN, Predicate.CLOSER_THAN,
        Predicate.FARTHER_THAN,
    }
)  # fmt: skip
_PAIRS = {Predicate.CENTER_DISTANCE: "centre distance", Predicate.DISTANCE: "box distance"}


@dataclass(frozen=True)
class Look:
    """The first frame of a scene of ``tabletop-v1``: what is true, and what a robot knows in each setting."""

    seed: int
    truth: FrameTruth
    observations: Mapping[str, Observation]


@dataclass(frozen=True)
class ObjectScore:
    """One object that the camera sees; metres.

    Attributes:
        seed, id, kind: which.
        visible: share of it that the camera sees.
        truncated: it reaches over the image border.
        place: ``table``, ``inside`` or ``on`` something else.
        iou: 3D intersection over union of measured and true box; 0 where it was not found.
        found: whether the scene has it.
        height: the true one.
        size_error: (3,) measured less true length, width, height; NaN where it was not found.
        center_error: (3,) the same of the centre in the level frame: right, forward, up.
    """

    seed: int
    id: str
    kind: str
    visible: float
    truncated: bool
    place: str
    height: float
    iou: float
    found: bool
    size_error: tuple[float, ...] = (float("nan"),) * 3
    center_error: tuple[float, ...] = (float("nan"),) * 3


@dataclass
class SceneScore:
    """One scene against the truth.

    Attributes:
        seed: which.
        objects: those that the camera sees to at least 30%.
        right, wrong, missed: statements by predicate.
        outright: those of ``wrong`` that are not comparisons which are true but for their margin: of "left of" and its
            like, those whose converse is true; of all others, all.
        ratios: errors over their sigmas, by quantity.
        extra: objects of the scene that are none, where nobody pointed at objects.
    """

    seed: int
    objects: list[ObjectScore] = field(default_factory=list)
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    outright: Counter[str] = field(default_factory=Counter)
    ratios: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUANTITIES})
    extra: int = 0


def look(seed: int) -> Look:
    """Return the first frame of a scene in all settings; the sensors' noise is the same in each."""
    with TabletopSim(seed) as sim:
        truth = sim.truth()
        seen = observe(sim.description, truth, 0, 1, SimSettings(), "none")
        found = {
            boxes: observe(sim.description, truth, 0, 1, SimSettings(noise=False), boxes).detections
            for boxes in SETTINGS
        }
    return Look(seed, truth, {boxes: replace(seen, detections=found[boxes]) for boxes in SETTINGS})


def score_seed(seed: int) -> dict[str, SceneScore]:
    """Return the scores of one seed's first frame in each setting."""
    seen, config = look(seed), SceneConfig()
    return {
        boxes: score(seed, seen.truth, SceneEngine(config).process(observation), boxes != "none", config.relations)
        for boxes, observation in seen.observations.items()
    }


def score(seed: int, truth: FrameTruth, scene: Scene, pointed_at: bool, config: RelationConfig) -> SceneScore:
    """Compare one scene with the truth.

    Args:
        seed: which.
        truth: of the frame.
        scene: what was measured in it.
        pointed_at: whether its objects bear the true ids; else clusters are matched by their boxes in the image.
        config: the margins.
    """
    known = {item.id for item in truth.views}
    names = {o.id: o.id for o in scene.objects if o.id in known} if pointed_at else matches(truth, scene)
    result = SceneScore(seed, extra=len(scene.objects) - len(names))
    measured = {names[o.id]: o for o in scene.objects if o.id in names}
    visible = {view.id for view in truth.views if view.visible_fraction >= LEAST_VISIBLE}
    result.objects = list(_objects(seed, truth, {k: v for k, v in measured.items() if k in visible}))
    _count(result, _statements(scene, names), true_relations(truth, config), visible)
    _compare(result.ratios, truth, scene, [measured[name] for name in sorted(measured.keys() & visible)], names)
    return result


def matches(truth: FrameTruth, scene: Scene) -> dict[str, str]:
    """Return the true object of each cluster: one to one, with the largest sum of overlaps of at least a half."""
    objects = [o for o in scene.objects if o.box is not None]
    views = [view for view in truth.views if view.box is not None]
    pairs = pair_boxes([o.box for o in objects], [view.box for view in views], LEAST_OVERLAP)
    return {objects[i].id: views[j].id for i, j in pairs}


def _objects(seed: int, truth: FrameTruth, measured: Mapping[str, SceneObject]) -> Iterator[ObjectScore]:
    level = level_basis(truth.up)
    for view, owner in zip(truth.views, truth.world.objects, strict=True):
        if view.visible_fraction < LEAST_VISIBLE:
            continue
        place = "inside" if owner.inside else "table" if owner.stands_on == "table" else "on"
        height = float(view.camera_box.size[2])
        about = (seed, view.id, owner.kind, view.visible_fraction, view.truncated, place, height)
        if view.id not in measured:
            yield ObjectScore(*about, 0.0, False)
            continue
        box = measured[view.id].obb
        size, center = box.size - view.camera_box.size, level @ (box.center - view.camera_box.center)
        yield ObjectScore(
            *about, upright_iou(box, view.camera_box), True, tuple(map(float, size)), tuple(map(float, center))
        )


def _statements(scene: Scene, names: Mapping[str, str]) -> set[Statement]:
    """Return what a scene states of true objects, under their true ids; measurements apart."""
    found = set()
    for subject, predicate, others in map(statement, scene.relations):
        if Predicate(predicate) not in MEASUREMENTS and all(name in names for name in (subject, *others)):
            found.add((names[subject], predicate, tuple(names[other] for other in others)))
    return found


def _count(result: SceneScore, stated: set[Statement], true: set[Statement], visible: set[str]) -> None:
    stated, true = (set(_of(visible, group)) for group in (stated, true))
    result.right.update(s[1] for s in stated & true)
    result.wrong.update(s[1] for s in stated - true)
    result.missed.update(s[1] for s in true - stated)
    for subject, predicate, others in stated - true:
        named = Predicate(predicate)
        if named not in COMPARISONS or (subject, CONVERSE[named].value, others) in true:
            result.outright[predicate] += 1


def _of(visible: set[str], statements: set[Statement]) -> Iterator[Statement]:
    """Yield the statements between visible objects; the outer two that something is between have no order."""
    for subject, predicate, others in statements:
        if visible.issuperset((subject, *others)):
            yield subject, predicate, tuple(sorted(others))


def _compare(
    ratios: dict[str, list[float]],
    truth: FrameTruth,
    scene: Scene,
    measured: list[SceneObject],
    names: Mapping[str, str],
) -> None:
    """Divide the errors of objects and of pairs of them by the sigmas that were given with the values."""
    if not measured:
        return
    exact = {item.id: item for item in true_objects(truth)}
    level = level_basis(truth.up)
    ours, true = layout_of(tuple(measured), level), layout_of(tuple(exact[names[o.id]] for o in measured), level)
    errors = {"height": (ours.height - true.height, ours.height_sigma)}
    errors["camera distance"] = ours.distance - true.distance, ours.distance_sigma
    for axis, name in enumerate(("across", "along", "up")):
        errors[f"centre {name}"] = ours.center[:, axis] - true.center[:, axis], ours.sigma[:, axis]
    for axis, name in enumerate(("length", "width")):
        errors[name] = ours.size[:, axis] - true.size[:, axis], ours.size_sigma[:, axis]
    for name, (error, sigma) in errors.items():
        ratios[name] += (error / np.maximum(sigma, LEAST_SIGMA)).tolist()
    index = {item.id: row for row, item in enumerate(measured)}
    between = np.linalg.norm(true.center[None] - true.center[:, None], axis=-1)
    for predicate, values in ((Predicate.CENTER_DISTANCE, between), (Predicate.DISTANCE, true.box_distance)):
        ratios[_PAIRS[predicate]] += list(_pair_ratios(scene, predicate, index, values))


def _pair_ratios(scene: Scene, predicate: Predicate, index: Mapping[str, int], true: Float) -> Iterator[float]:
    """Yield the error of each pair's measurement once, in its sigmas; ``true`` (n, n) metres."""
    for relation in scene.relations:
        if relation.predicate != predicate.value or relation.value is None or relation.sigma is None:
            continue
        first, second = index.get(relation.subject, -1), index.get(relation.objects[0], -1)
        if 0 <= first < second:
            yield float(relation.value - true[first, second]) / max(relation.sigma, LEAST_SIGMA)

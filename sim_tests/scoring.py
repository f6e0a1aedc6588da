"""Scenes and views against what is true, from messages alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.view import SEEN, View
from joyai_ros.messages.boxes import box3d_from_message
from joyai_ros.messages.images import decode_color
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.predicates import CONVERSE, Predicate
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import Scene, SceneObject

COMPARED = frozenset(
    {
        Predicate.LEFT_OF,
        Predicate.RIGHT_OF,
        Predicate.IN_FRONT_OF,
        Predicate.BEHIND,
        Predicate.TALLER_THAN,
        Predicate.SHORTER_THAN,
        Predicate.CLOSER_THAN,
        Predicate.FARTHER_THAN,
    }
)
_SAME = 0.08  # metres between centres, up to which a cluster is taken for a true object
_LEAST_VISIBLE = 0.3  # of the outline of an object's box, where the simulator tells how much of it is seen
_UP = np.array([0.0, 0.0, 1.0])
Statement = tuple[str, str, tuple[str, ...]]


@dataclass
class Score:
    """Statements against the truth, over any number of scenes.

    Attributes:
        right: stated and true.
        wrong: stated and not true, though perhaps by a hair.
        contradicted: of these, those whose converse is true beyond the margin.
        missed: true beyond the margin and not stated.
        objects: matched objects, by scene.
    """

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    contradicted: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    objects: list[int] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of what was stated that is true."""
        stated = self.right.total() + self.wrong.total()
        return self.right.total() / stated if stated else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true beyond the margins that was stated; silence counts as a miss."""
        true = self.right.total() + self.missed.total()
        return self.right.total() / true if true else 1.0

    def add(self, message: Any, boxes: Any, camera_pose: Any, visible: set[str] | None = None) -> None:
        """Compare one Scene with the true boxes and the true camera pose of its stamp.

        Args:
            message: joyai_ros/Scene.
            boxes: vision_msgs/Detection3DArray in the fixed frame.
            camera_pose: geometry_msgs/PoseStamped of the optical frame in the fixed frame.
            visible: ids of the objects that the camera sees well enough; None for all.
        """
        scene = scene_from_message(message)
        pose = pose_from_message(camera_pose.pose)
        true = [o for o in true_objects(boxes, pose) if visible is None or o.id in visible]
        names = matches(scene, true)
        self.objects.append(len(names))
        found = {o.id for o in true if o.id in names.values()}
        up = pose[2, :3]
        exact = {s for s in _statements(relate(tuple(true), up, RelationConfig()).stated) if _about(s, found)}
        stated = set()
        for subject, predicate, others in _statements(scene.relations):
            if subject in names and all(o in names for o in others):
                stated.add((names[subject], predicate, tuple(names[o] for o in others)))
        self.right.update(s[1] for s in stated & exact)
        self.missed.update(s[1] for s in exact - stated)
        for subject, predicate, others in stated - exact:
            self.wrong[predicate] += 1
            if (subject, CONVERSE[Predicate(predicate)].value, others) in exact:
                self.contradicted[predicate] += 1

    def summary(self) -> str:
        """Return precision, recall, what is contradicted and the number of statements in one line."""
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.contradicted.items()))
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}, "
            f"{self.contradicted.total()} contradicted{f' ({kinds})' if kinds else ''}, "
            f"{self.right.total() + self.wrong.total()} statements in {len(self.objects)} scenes of "
            f"{np.mean(self.objects) if self.objects else 0:.1f} objects"
        )


def true_objects(boxes: Any, map_from_camera: Mat4) -> list[SceneObject]:
    """Return the true boxes as objects without uncertainty in the camera's optical frame."""
    camera_from_map = rigid.inverse(map_from_camera)
    objects = []
    for item in boxes.detections:
        box = box3d_from_message(item.bbox)
        height = box.extent_along(_UP)
        objects.append(SceneObject(str(item.id), "", box.transformed(camera_from_map), height=height, height_sigma=0.0))
    return objects


def matches(scene: Scene, true: list[SceneObject]) -> dict[str, str]:
    """Return the true id of each object of a scene: its own, else that of the nearest true centre."""
    known = {o.id for o in true}
    names = {o.id: o.id for o in scene.objects if o.id in known}
    rest = [o for o in scene.objects if o.id not in names]
    left = [o for o in true if o.id not in names.values()]
    if rest and left:
        gaps = np.array([[np.linalg.norm(a.obb.center - b.obb.center) for b in left] for a in rest])
        for i, j in zip(*linear_sum_assignment(gaps), strict=True):
            if gaps[i, j] < _SAME:
                names[rest[i].id] = left[j].id
    return names


def well_visible(truth: str, boxes: Any, map_from_camera: Mat4, camera: Any) -> set[str]:
    """Return the ids of objects of which the camera sees enough, from the simulator's own account of visible pixels."""
    pixels = {o["id"]: o["visible_pixels"] for o in json.loads(truth)["objects"]}
    enough = set()
    for item in true_objects(boxes, map_from_camera):
        corners = item.obb.corners()
        if item.id not in pixels or (corners[:, 2] < 0.05).any():
            continue
        outline = cv2.convexHull(camera.project(corners).astype(np.float32))
        if pixels[item.id] >= _LEAST_VISIBLE * cv2.contourArea(outline):
            enough.add(item.id)
    return enough


def psnr_where_seen(view: View, image: Any) -> float:
    """Return the peak signal to noise ratio in dB of a view against a real image, over what the sensor had seen.

    Both are blurred by a pixel first: what is compared is the picture, not the camera's grain.
    """
    seen = view.validity == SEEN
    ours, real = (cv2.GaussianBlur(i, (0, 0), 1.0).astype(np.float64) for i in (view.image, decode_color(image)))
    error = float(np.mean(np.square(ours[seen] - real[seen])))
    return 10.0 * np.log10(255.0**2 / max(error, 1e-9))


def _statements(relations: Iterable[Any]) -> set[Statement]:
    wanted = {p.value for p in COMPARED}
    return {(r.subject, r.predicate, tuple(r.objects)) for r in relations if r.predicate in wanted}


def _about(statement: Statement, ids: set[str]) -> bool:
    return ids.issuperset((statement[0], *statement[2]))

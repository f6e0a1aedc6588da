"""A scene as visualization_msgs/MarkerArray, for RViz and Foxglove."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from joyai_ros.geometry.arrays import Vec3
from joyai_ros.geometry.rigid import make_transform
from joyai_ros.messages import headers
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.poses import point_message, pose_message, vector3_message
from joyai_ros.scene.drawing import Color, object_colors
from joyai_ros.scene.predicates import Predicate
from joyai_ros.scene.types import Scene, SceneObject

_ADD, _DELETE_ALL = 0, 3  # visualization_msgs/Marker.action
_ARROW, _CUBE, _LINE_LIST, _TEXT = 0, 1, 5, 9  # visualization_msgs/Marker.type
_TEXT_HEIGHT = 0.025  # metres
_WHITE: Color = (255, 255, 255)
# The corners at the two ends of each of the twelve edges; neighbours differ in one bit of their number.
_EDGE_ENDS = tuple(end for a in range(8) for bit in (1, 2, 4) if not a & bit for end in (a, a | bit))
# Statements drawn as arrows, each in a namespace of its own so that a viewer can hide it. Of a converse pair one is enough,
# and of a predicate that holds for many pairs the nearest one of each subject: the rest would only hide the scene.
_ARROWS: dict[Predicate, Color] = {
    Predicate.ON: (120, 220, 120),
    Predicate.INSIDE: (250, 200, 80),
    Predicate.TOUCHING: (255, 140, 140),
    Predicate.ABOVE: (190, 160, 255),
    Predicate.LEFT_OF: (110, 190, 255),
    Predicate.IN_FRONT_OF: (240, 150, 220),
}


def markers_message(factory: MessageFactory, scene: Scene, *, lifetime: float = 0.0) -> Message:
    """Return boxes, names and relation arrows of a scene.

    The array begins by deleting what the one before drew. Namespaces are ``boxes``, ``edges``, ``labels`` and one per
    predicate (``left_of`` ...); ids count within a namespace.

    Args:
        factory: makes the messages.
        scene: in its header's frame.
        lifetime: seconds after which a viewer forgets the markers where no further array comes; 0 for never.
    """
    header = headers.header(factory, scene.stamp, scene.frame_id)
    painter = _Painter(factory, header, lifetime)
    colors = object_colors(scene)
    markers = [painter.marker("", 0, _ARROW, action=_DELETE_ALL)]
    for number, item in enumerate(scene.objects):
        markers.extend(_object_markers(painter, number, item, colors[item.id], _label_place(item, scene.up)))
    for predicate, pairs in _nearest_pairs(scene).items():
        for number, (subject, other) in enumerate(pairs):
            start, end = subject.obb.center, other.obb.center
            markers.append(painter.arrow(predicate.value, number, start, end, _ARROWS[predicate]))
    return factory("visualization_msgs/msg/MarkerArray")(markers=markers)


class _Painter:
    """Makes markers of one array: the same header and lifetime for all."""

    def __init__(self, factory: MessageFactory, header: Message, lifetime: float) -> None:
        self.factory = factory
        self._header = header
        # What all markers share is made once: a marker has many fields, and a scene many markers.
        self._shared = {
            "lifetime": headers.duration_message(factory, lifetime),
            "pose": factory("geometry_msgs/msg/Pose")(),
            "texture": factory("sensor_msgs/msg/CompressedImage")(),
            "mesh_file": factory("visualization_msgs/msg/MeshFile")(),
        }

    def marker(self, namespace: str, number: int, kind: int, *, action: int = _ADD, **fields: object) -> Message:
        return self.factory("visualization_msgs/msg/Marker")(
            header=self._header,
            ns=namespace,
            id=number,
            type=kind,
            action=action,
            **{**self._shared, **fields},
        )

    def color(self, color: Color, alpha: float = 1.0) -> Message:
        red, green, blue = (channel / 255.0 for channel in color)
        return self.factory("std_msgs/msg/ColorRGBA")(r=red, g=green, b=blue, a=alpha)

    def scale(self, x: float, y: float = 0.0, z: float = 0.0) -> Message:
        return vector3_message(self.factory, np.array([x, y, z]))

    def arrow(self, namespace: str, number: int, start: Vec3, end: Vec3, color: Color) -> Message:
        points = [point_message(self.factory, start), point_message(self.factory, end)]
        scale = self.scale(0.004, 0.012, 0.02)  # shaft diameter, head diameter, head length, metres
        return self.marker(namespace, number, _ARROW, points=points, scale=scale, color=self.color(color, 0.9))


def _object_markers(painter: _Painter, number: int, item: SceneObject, color: Color, label: Vec3) -> Iterator[Message]:
    fade = 1.0 if item.visible else 0.35
    factory = painter.factory
    pose = pose_message(factory, make_transform(item.obb.rotation, item.obb.center))
    size = vector3_message(factory, np.maximum(item.obb.size, 1e-3))  # viewers warn of a scale of zero
    yield painter.marker("boxes", number, _CUBE, pose=pose, scale=size, color=painter.color(color, 0.25 * fade))
    corners = [point_message(factory, corner) for corner in item.obb.corners()]
    edges = [corners[end] for end in _EDGE_ENDS]
    yield painter.marker(
        "edges", number, _LINE_LIST, points=edges, scale=painter.scale(0.002), color=painter.color(color, fade)
    )
    yield painter.marker(
        "labels",
        number,
        _TEXT,
        pose=pose_message(factory, make_transform(np.eye(3), label)),
        scale=painter.scale(0.0, 0.0, _TEXT_HEIGHT),
        color=painter.color(_WHITE, fade),
        text=_label(item),
    )


def _label(item: SceneObject) -> str:
    name = item.label or item.id
    return name if math.isnan(item.height) else f"{name}\n{item.height:.3f} m"


def _label_place(item: SceneObject, up: Vec3 | None) -> Vec3:
    """Return where the label stands: above the box; above is -y of the camera where gravity is unknown."""
    direction = np.array([0.0, -1.0, 0.0]) if up is None else np.asarray(up)
    return np.asarray(item.obb.center + direction * (item.obb.extent_along(direction) / 2 + 1.5 * _TEXT_HEIGHT))


def _nearest_pairs(scene: Scene) -> dict[Predicate, list[tuple[SceneObject, SceneObject]]]:
    """Return subject and object by predicate; for each subject the nearest object that the predicate holds for."""
    by_id = {item.id: item for item in scene.objects}
    centers = {item.id: item.obb.center.tolist() for item in scene.objects}
    drawn = {predicate.value: predicate for predicate in _ARROWS}
    nearest: dict[tuple[Predicate, str], tuple[float, SceneObject]] = {}
    for relation in scene.relations:
        predicate = drawn.get(relation.predicate)
        if predicate is None or len(relation.objects) != 1:
            continue
        subject, other = by_id.get(relation.subject), by_id.get(relation.objects[0])
        if subject is not None and other is not None:
            distance = math.dist(centers[subject.id], centers[other.id])
            key = (predicate, subject.id)
            if key not in nearest or distance < nearest[key][0]:
                nearest[key] = (distance, other)
    pairs: dict[Predicate, list[tuple[SceneObject, SceneObject]]] = {predicate: [] for predicate in _ARROWS}
    for predicate, name in sorted(nearest, key=lambda key: key[1]):
        pairs[predicate].append((by_id[name], nearest[predicate, name][1]))
    return pairs

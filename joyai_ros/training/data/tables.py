"""Records as Arrow tables. Lengths in metres, angles in degrees where the name says so, boxes in pixels."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.scene.types import LabelSource, SceneObject
from joyai_ros.training.data.records import Frame, Item, Pair, SeenObject

Row = dict[str, Any]

_TEXT, _REAL, _WHOLE, _YES = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_REALS, _TEXTS = pa.list_(pa.float64()), pa.list_(pa.string())

FRAMES = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "scene", "image", "depth", "image_hash", "depth_hash")),
        *((name, _WHOLE) for name in ("stamp", "width", "height")),
        *((name, _REAL) for name in ("fx", "fy", "cx", "cy", "middle_depth")),
        ("world_from_camera", _REALS),
        ("up", _REALS),
    ]
)
OBJECTS = pa.schema(
    [
        *((name, _TEXT) for name in ("frame", "id", "label", "kind", "color")),
        ("mark", _WHOLE),
        ("points", _WHOLE),
        *((name, _YES) for name in ("visible", "truncated", "hollow", "moved", "exact")),
        ("visibility", _REAL),
        ("box", _REALS),
        ("mask_runs", pa.list_(pa.int32())),
        *((name, _REALS) for name in ("center", "rotation", "size", "center_sigma", "size_sigma")),
        ("height", _REAL),
        ("height_sigma", _REAL),
        ("cloud", pa.list_(pa.float32())),
        ("gap_to", _TEXTS),
        ("gap_m", _REALS),
    ]
)
ITEMS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "scene", "task")),
        ("frames", _TEXTS),
        ("objects", _TEXTS),
        *((name, _TEXT) for name in ("about", "words")),
        ("template", _WHOLE),
        ("named", _YES),
        *((name, _TEXT) for name in ("prompt", "answer", "key")),
    ]
)
PAIRS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "scene", "source", "target")),
        ("source_from_target", _REALS),
        ("pivot", _REALS),
        *((name, _REAL) for name in ("yaw_deg", "pitch_deg", "zoom", "off_m", "off_deg", "seen")),
    ]
)


def frame_table(frames: Iterable[Frame]) -> pa.Table:
    """Return the frames without their objects and pixels."""
    rows = []
    for item in frames:
        camera = {name: getattr(item.camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
        plain = {name: getattr(item, name) for name in FRAMES.names if hasattr(item, name)}
        rows.append({**plain, **camera, "world_from_camera": item.world_from_camera.ravel(), "up": item.up})
    return pa.Table.from_pylist(rows, FRAMES)


def object_table(frames: Iterable[Frame]) -> pa.Table:
    """Return the objects of all frames."""
    rows = [_object_row(frame.id, mark, item) for frame in frames for mark, item in enumerate(frame.objects, start=1)]
    return pa.Table.from_pylist(rows, OBJECTS)


def item_table(items: Iterable[Item]) -> pa.Table:
    """Return the questions."""
    return pa.Table.from_pylist([dataclasses.asdict(item) for item in items], ITEMS)


def pair_table(pairs: Iterable[Pair]) -> pa.Table:
    """Return the pairs of views."""
    rows = [
        {
            **{name: getattr(item, name) for name in PAIRS.names if hasattr(item, name)},
            "source_from_target": item.source_from_target.ravel(),
            "yaw_deg": item.motion.yaw_deg,
            "pitch_deg": item.motion.pitch_deg,
            "zoom": item.motion.zoom,
        }
        for item in pairs
    ]
    return pa.Table.from_pylist(rows, PAIRS)


def frames_of(frames: pa.Table, objects: pa.Table) -> tuple[Frame, ...]:
    """Return the frames of two tables.

    Raises:
        InputError, ValueError, KeyError: a row is none.
    """
    seen: dict[str, list[tuple[int, SeenObject]]] = defaultdict(list)
    for row in objects.to_pylist():
        seen[row["frame"]].append((row["mark"], _object(row)))
    found = []
    for row in frames.to_pylist():
        camera = Camera(*(row.pop(name) for name in ("width", "height", "fx", "fy", "cx", "cy")))
        pose, up = np.array(row.pop("world_from_camera")).reshape(4, 4), np.array(row.pop("up"))
        in_order = sorted(seen.get(row["id"], []), key=lambda pair: pair[0])
        things = tuple(item for _, item in in_order)
        found.append(Frame(**row, camera=camera, world_from_camera=pose, up=up, objects=things))
    return tuple(found)


def items_of(table: pa.Table) -> tuple[Item, ...]:
    """Return the questions of a table."""
    rows = table.to_pylist()
    return tuple(Item(**{**row, "frames": tuple(row["frames"]), "objects": tuple(row["objects"])}) for row in rows)


def pairs_of(table: pa.Table) -> tuple[Pair, ...]:
    """Return the pairs of a table.

    Raises:
        InputError, ValueError: a row is none.
    """
    found = []
    for row in table.to_pylist():
        motion = CameraMotion(*(row.pop(name) for name in ("yaw_deg", "pitch_deg", "zoom")))
        pose = np.array(row.pop("source_from_target")).reshape(4, 4)
        found.append(Pair(**{**row, "pivot": np.array(row["pivot"])}, motion=motion, source_from_target=pose))
    return tuple(found)


def _object_row(frame: str, mark: int, item: SeenObject) -> Row:
    measured = item.measured
    return {
        "frame": frame,
        "mark": mark,
        **{name: getattr(item, name) for name in ("id", "kind", "color", "exact", "visibility")},
        **{name: getattr(measured, name) for name in ("label", "points", "visible", "truncated", "hollow", "moved")},
        "box": None if measured.box is None else list(measured.box),
        "mask_runs": item.runs,
        "center": measured.obb.center,
        "rotation": measured.obb.rotation.ravel(),
        "size": measured.obb.size,
        "center_sigma": measured.center_sigma,
        "size_sigma": measured.size_sigma,
        "height": measured.height,
        "height_sigma": measured.height_sigma,
        "cloud": np.asarray(item.cloud, np.float32).ravel(),
        "gap_to": [name for name, _ in item.gaps],
        "gap_m": [metres for _, metres in item.gaps],
    }


def _object(row: Row) -> SeenObject:
    rotation = np.array(row["rotation"]).reshape(3, 3)
    measured = SceneObject(
        **{name: row[name] for name in ("id", "label", "points", "visible", "truncated", "hollow", "moved")},
        **{name: row[name] for name in ("height", "height_sigma")},
        obb=OrientedBox(np.array(row["center"]), rotation, np.array(row["size"])),
        box=None if row["box"] is None else _box(row["box"]),
        label_source=LabelSource.DETECTOR if row["label"] else LabelSource.NONE,
        center_sigma=np.array(row["center_sigma"]),
        size_sigma=np.array(row["size_sigma"]),
    )
    cloud = np.array(row["cloud"], np.float32).reshape(-1, 3)
    plain = {name: row[name] for name in ("kind", "color", "visibility", "exact")}
    gaps = tuple(zip(row["gap_to"], row["gap_m"], strict=True))
    return SeenObject(measured, runs=tuple(row["mask_runs"]), cloud=cloud, gaps=gaps, **plain)


def _box(values: list[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = values
    return x0, y0, x1, y1

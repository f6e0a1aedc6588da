"""``joyai-ros scene``: the metric scene of one RGB-D frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from joyai_ros.cli.files import observation_from_files
from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.cli.values import parse_vector
from joyai_ros.geometry import rigid
from joyai_ros.scene.drawing import draw_scene
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation, SupportPlane


def command(
    rgb: Annotated[Path, typer.Option("--rgb", help="Colour image.")],
    depth: Annotated[Path, typer.Option("--depth", help="Depth image, 16-bit or float metres.")],
    camera: Annotated[Path, typer.Option("--camera", help="Camera file (JSON).")],
    boxes: Annotated[Path | None, typer.Option("--boxes", help="2D boxes of the objects (JSON).")] = None,
    up: Annotated[
        str | None, typer.Option("--up", help="Direction against gravity, x,y,z in the colour camera's optical frame.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the scene here as JSON; - for standard output.")
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write an annotated picture here.")] = None,
) -> None:
    """Measure the objects of one RGB-D frame and state how they lie to each other."""
    direction = None if up is None else parse_vector(up, "--up")
    observation = observation_from_files(rgb, depth, camera, boxes, direction)
    scene = SceneEngine().process(observation)
    if picture is not None:
        write_picture(picture, draw_scene(observation.color, scene, observation.camera))
    if json_file is not None:
        write_json(json_file, scene_to_json(scene))
    if json_file is None or str(json_file) != "-":
        _print_table(scene)


def scene_to_json(scene: Scene) -> dict[str, Any]:
    """Return a scene as plain values: metres, the colour optical frame; null where a value is unknown."""
    return {
        "up": None if scene.up is None else scene.up.tolist(),
        "up_source": scene.up_source.name.lower(),
        "objects": [_object_to_json(item) for item in scene.objects],
        "relations": [relation_to_json(item) for item in scene.relations],
        "support_planes": [_plane_to_json(item) for item in scene.support_planes],
        "abstentions": scene.abstentions,
        "rejected": list(scene.rejected),
    }


def _object_to_json(item: SceneObject) -> dict[str, Any]:
    return {
        "id": item.id,
        "label": item.label,
        "label_source": item.label_source.name.lower(),
        "score": item.score,
        "box": None if item.box is None else list(item.box),
        "center_m": item.obb.center.tolist(),
        "size_m": item.obb.size.tolist(),
        "rotation": rigid.quaternion_from_matrix(item.obb.rotation).tolist(),
        "height_m": _number(item.height),
        "height_sigma_m": _number(item.height_sigma),
        "sigma_m": item.sigma,
        "center_sigma_m": list(map(float, item.center_sigma)),
        "size_sigma_m": list(map(float, item.size_sigma)),
        "points": item.points,
        "truncated": item.truncated,
    }


def relation_to_json(item: SpatialRelation) -> dict[str, Any]:
    """Return a relation as plain values."""
    return {
        "subject": item.subject,
        "predicate": item.predicate,
        "objects": list(item.objects),
        "value": item.value,
        "unit": item.unit,
        "sigma": item.sigma,
        "frame": item.frame.name.lower(),
        "confidence": _number(item.confidence),
        "source": item.source.name.lower(),
        "status": item.status.name.lower(),
    }


def _plane_to_json(item: SupportPlane) -> dict[str, Any]:
    return {
        "normal": item.normal.tolist(),
        "offset_m": item.offset,
        "sigma_m": item.sigma,
        "polygon_m": item.polygon.tolist(),
        "points": item.points,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _print_table(scene: Scene) -> None:
    console = Console()
    table = Table(title="Objects (metres, colour optical frame)")
    for heading in ("id", "label", "x", "y", "z", "length", "width", "height", "sigma", "points"):
        table.add_column(heading, justify="left" if heading in ("id", "label") else "right")
    for item in scene.objects:
        numbers = (*item.obb.center, *item.obb.size[:2], item.height, item.sigma)
        table.add_row(item.id, item.label, *(f"{value:.3f}" for value in numbers), str(item.points))
    console.print(table)
    pairs = [relation for relation in scene.relations if relation.objects]
    console.print(
        f"{len(scene.objects)} objects, {len(pairs)} relations between them, "
        f"{scene.abstentions} comparisons too close to call, {len(scene.support_planes)} support planes; "
        f"up {'unknown' if scene.up is None else 'from ' + scene.up_source.name.lower()}"
    )
    for reason in scene.rejected:
        console.print(f"rejected {reason}", markup=False)

"""From a seed to the description of a scene; nothing is simulated or drawn here."""

from __future__ import annotations

import math

import numpy as np

from joyai_ros.errors import ConfigError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.sim.description import (
    CameraPlacement,
    ColorNoise,
    DepthNoise,
    Light,
    ObjectDescription,
    SceneDescription,
    Table,
    Texture,
    Triple,
    Wall,
)
from joyai_ros.sim.draws import Draws
from joyai_ros.sim.placement import Placed, Placement
from joyai_ros.sim.shapes import Dimensions
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1, KindRanges, Tabletop

_CAMERA_TRIES = 200


def describe(seed: int, style: Tabletop = TABLETOP_V1) -> SceneDescription:
    """Return the scene that a seed means.

    Args:
        seed: 0 or more.
        style: the distribution; a frozen one, unless the result is for trying things out.

    Raises:
        ConfigError: the seed is not an integer from 0 on.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"scene seed {seed!r} is not an integer from 0 on")
    draws = Draws(style.name, int(seed))
    dense = draws.chance(style.dense)
    table = _table(draws, style)
    objects = _objects(draws, style, table, dense)
    view = _view(draws, style, table, objects)
    depth_model = next(s.depth_model for s in style.sensors if s.name == view.sensor)
    return SceneDescription(
        name=style.name,
        seed=int(seed),
        dense=dense,
        objects=tuple(p.description for p in objects),
        table=table,
        floor=_plain_texture(draws, style, draws.choice(style.floor_colors), (0.3, 0.8)),
        walls=_walls(draws, style, table, view.azimuth),
        lights=_lights(draws, style, table),
        ambient=draws.uniform(style.ambient),
        view=view,
        depth_noise=DepthNoise(
            depth_model,
            draws.uniform(style.noise_strength),
            draws.uniform(style.edge_loss),
            draws.uniform(style.hole_density),
        ),
        color_noise=ColorNoise(draws.uniform(style.exposure), draws.uniform(style.blur), draws.uniform(style.grain)),
    )


def _objects(draws: Draws, style: Tabletop, table: Table, dense: bool) -> list[Placed]:
    count = draws.integer(style.counts_dense if dense else style.counts_sparse)
    spread = draws.uniform(style.spread_dense if dense else style.spread_sparse)
    clearance = style.clearance_dense if dense else style.clearance_sparse
    placement = Placement(style, table, spread, clearance, draws)
    for _ in range(4 * count):
        if len(placement.placed) >= count:
            break
        _place_one(placement)
    return placement.placed


def _place_one(placement: Placement) -> None:
    """Draw one object and put it inside, on, beside or between the others."""
    draws, style = placement.draws, placement.style
    taken = [p.description.id for p in placement.placed]
    containers = placement.containers()
    container = draws.choice(containers) if containers else None
    is_mug = container is not None and container.description.kind == "mug"
    if container is not None and draws.chance(style.mug_containment if is_mug else style.containment):
        if is_mug:
            wanted = _object(draws, style, "marker", style.mug_content, taken)
        else:
            kind, ranges = draws.weighted([((k, r), r.weight) for k, r in style.contents])
            wanted = _object(draws, style, kind, ranges, taken)
        if placement.put_inside(wanted, container):
            return
    kind, ranges = draws.weighted([((k, r), r.weight) for k, r in style.kinds])
    wanted = _object(draws, style, kind, ranges, taken)
    if draws.chance(style.stacking) and placement.stack(wanted):
        return
    placement.put_down(wanted, touching=draws.chance(style.touching))


def _object(draws: Draws, style: Tabletop, kind: str, ranges: KindRanges, taken: list[str]) -> ObjectDescription:
    number = 1 + sum(name.rpartition("_")[0] == kind for name in taken)
    name, base = draws.choice(style.colors)
    dimensions = _dimensions(draws, kind, ranges)
    return ObjectDescription(
        id=f"{kind}_{number}",
        kind=kind,
        color=name,
        dimensions=dimensions,
        texture=_object_texture(draws, style, base),
        position=(0.0, 0.0, 0.0),
        quaternion=(0.0, 0.0, 0.0, 1.0),
        placed="table",
        reflective=draws.chance(style.reflective),
        lying=draws.chance(ranges.lying),
    )


def _dimensions(draws: Draws, kind: str, ranges: KindRanges) -> Dimensions:
    sizes = {name: draws.uniform(bounds) for name, bounds in ranges.dimensions}
    if kind == "bottle":  # its ranges are of the body, the shoulder above it and the neck above that
        sizes["shoulder_height"] += sizes["body_height"]
        sizes["height"] += sizes["shoulder_height"]
    if "length" in sizes and "width" in sizes and sizes["length"] < sizes["width"]:
        sizes["length"], sizes["width"] = sizes["width"], sizes["length"]
    return tuple(sizes.items())


def _object_texture(draws: Draws, style: Tabletop, base: Triple) -> Texture:
    color = _jittered(draws, base, style.color_jitter)
    pattern = draws.weighted(style.patterns)
    return Texture(
        pattern,
        color,
        color if pattern == "plain" else _shaded(draws, color),
        draws.uniform(style.pattern_scale),
        draws.integer((0, 2**30)),
        draws.uniform(style.gloss),
    )


def _plain_texture(draws: Draws, style: Tabletop, base: Triple, scale: tuple[float, float]) -> Texture:
    """A table's, floor's or wall's look."""
    color = _jittered(draws, base, style.color_jitter)
    pattern = draws.weighted(style.patterns)
    second = color if pattern == "plain" else _shaded(draws, color)
    return Texture(pattern, color, second, draws.uniform(scale), draws.integer((0, 2**30)), draws.uniform((0.0, 0.2)))


def _jittered(draws: Draws, base: Triple, jitter: float) -> Triple:
    red, green, blue = (min(max(v + draws.uniform((-jitter, jitter)), 0.0), 1.0) for v in base)
    return red, green, blue


def _shaded(draws: Draws, color: Triple) -> Triple:
    """The same colour lighter or darker, so that the colour's name still holds."""
    shade = draws.uniform((0.62, 0.85)) if max(color) > 0.3 else draws.uniform((1.5, 2.2))
    red, green, blue = (min(v * shade, 1.0) for v in color)
    return red, green, blue


def _table(draws: Draws, style: Tabletop) -> Table:
    is_round = draws.chance(style.table_round)
    diameter = draws.uniform(style.table_diameter)
    length = diameter if is_round else draws.uniform(style.table_length)
    width = diameter if is_round else draws.uniform(style.table_width)
    return Table(
        length=length,
        width=width,
        height=draws.uniform(style.table_height),
        thickness=draws.uniform(style.table_thickness),
        round=is_round,
        yaw=draws.uniform((-math.pi, math.pi)),
        texture=_plain_texture(draws, style, draws.choice(style.table_colors), (0.15, 0.5)),
    )


def _walls(draws: Draws, style: Tabletop, table: Table, azimuth: float) -> tuple[Wall, ...]:
    """Walls on the far side of the table, seen from the camera."""
    walls = []
    reach = math.hypot(table.length, table.width) / 2 if not table.round else table.length / 2
    far = azimuth + math.pi + draws.uniform((-0.35, 0.35))
    side = draws.choice((-1.0, 1.0))
    for k in range(draws.weighted(style.walls)):
        direction = far + k * side * math.pi / 2
        distance = reach + draws.uniform(style.wall_gap) + 0.9 * k
        position = (distance * math.cos(direction), distance * math.sin(direction), 0.0)
        texture = _plain_texture(draws, style, draws.choice(style.wall_colors), (0.3, 1.0))
        walls.append(Wall(position, direction + math.pi, texture))
    return tuple(walls)


def _lights(draws: Draws, style: Tabletop, table: Table) -> tuple[Light, ...]:
    count = draws.weighted(style.lights)
    total = draws.uniform(style.light_total)
    shares = [1.0, 0.6, 0.4][:count]
    lights = []
    for k in range(count):
        azimuth = draws.uniform((-math.pi, math.pi))
        elevation = math.radians(draws.uniform(style.light_elevation))
        back = np.array(
            [math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)]
        )
        x, y, z = (float(v) for v in np.array([0.0, 0.0, table.height]) + 2.0 * back)
        dx, dy, dz = (float(v) for v in -back)
        lights.append(Light((x, y, z), (dx, dy, dz), total * shares[k] / sum(shares), shadow=k == 0))
    return tuple(lights)


def _view(draws: Draws, style: Tabletop, table: Table, objects: list[Placed]) -> CameraPlacement:
    """A view that keeps clear of the objects and has most of them in the image."""
    best: tuple[float, CameraPlacement] | None = None
    for _ in range(_CAMERA_TRIES):
        sensor = draws.weighted([(s, s.weight) for s in style.sensors])
        angle, radius = draws.uniform((-math.pi, math.pi)), style.target_radius * math.sqrt(draws.unit())
        view = CameraPlacement(
            sensor=sensor.name,
            camera=sensor.camera,
            target=(
                radius * math.cos(angle),
                radius * math.sin(angle),
                table.height + draws.uniform(style.target_rise),
            ),
            distance=draws.uniform(style.distance),
            azimuth=draws.uniform((-math.pi, math.pi)),
            elevation=math.radians(draws.uniform(style.elevation)),
            roll=math.radians(draws.uniform(style.roll)),
        )
        score = min(share_in_view(view, objects) / style.in_view, 1.0)
        score += min(clearance(camera_pose(view), objects) / style.clear_of_objects, 1.0)
        if best is None or score > best[0]:
            best = score, view
        if score >= 2.0:
            break
    assert best is not None
    return best[1]


def camera_pose(view: CameraPlacement) -> Mat4:
    """Return world_from_camera (4, 4) of the optical frame of a view."""
    cosine = math.cos(view.elevation)
    back = np.array([cosine * math.cos(view.azimuth), cosine * math.sin(view.azimuth), math.sin(view.elevation)])
    return look_at(np.array(view.target) + view.distance * back, np.array(view.target), view.roll)


def look_at(eye: Vec3, target: Vec3, roll: float = 0.0) -> Mat4:
    """Return world_from_camera (4, 4) of an optical frame at ``eye`` whose z axis passes through ``target``."""
    forward = rigid.unit(np.asarray(target) - np.asarray(eye), "view direction")
    right = rigid.unit(np.cross(forward, [0.0, 0.0, 1.0]), "view direction across gravity")
    rotation = np.column_stack([right, np.cross(forward, right), forward])
    return rigid.make_transform(rotation @ rigid.axis_angle(np.array([0.0, 0.0, 1.0]), roll), np.asarray(eye))


def clearance(world_from_camera: Mat4, objects: list[Placed]) -> float:
    """Return the distance in metres from a camera to the nearest upright prism round an object."""
    eye = world_from_camera[:3, 3]
    nearest = math.inf
    for placed in objects:
        center = placed.outline.mean(axis=0)
        radius = float(np.linalg.norm(placed.outline - center, axis=1).max())
        across = max(0.0, float(np.linalg.norm(eye[:2] - center)) - radius)
        above = max(0.0, float(eye[2]) - placed.high)
        nearest = min(nearest, math.hypot(across, above))
    return nearest


def share_in_view(view: CameraPlacement, objects: list[Placed]) -> float:
    """Return the share of the objects whose middle lies in the image."""
    camera_from_world = rigid.inverse(camera_pose(view))
    middles = np.array([[*p.outline.mean(axis=0), (p.low + p.high) / 2] for p in objects])
    points = rigid.apply(camera_from_world, middles)
    pixels = view.camera.project(points)
    limit = np.array(view.camera.size) - 1
    inside = (points[:, 2] > 0) & (pixels >= 0).all(axis=1) & (pixels <= limit).all(axis=1)
    return float(inside.mean())

"""What is true in a simulated scene: boxes, contacts, supports, containment, visibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Float, Mask, Mat4, Points, Vec3
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim import footprints
from joyai_ros.sim.graphics import load_mujoco
from joyai_ros.sim.shapes import Cavity
from joyai_ros.sim.world import World, object_shape

TOUCHING = 0.001  # metres; nearer than this counts as touching
FAR_APART = 5.0  # metres up to which distances are measured
TABLE, FLOOR = "table", "floor"
_UPWARD = 0.5  # a contact carries where its normal rises by more than this (cosine)
_TOP_AREA = 0.0015  # square metres that a surface needs to be called a support
_INSIDE_DEPTH = 0.003  # metres below the rim at which something is inside


@dataclass(frozen=True)
class ObjectTruth:
    """One object of the world, whoever looks.

    Attributes:
        id, label, kind, color: as described.
        world_from_body: (4, 4) pose of its body.
        box: exact gravity-aligned box in the world, (length, width, height), tightest in area over the heading.
        stands_on: what carries it: ``table``, an object id, ``floor``, or empty where nothing does.
        inside: the id of the container it is in, or empty.
    """

    id: str
    label: str
    kind: str
    color: str
    world_from_body: Mat4
    box: OrientedBox
    stands_on: str
    inside: str


@dataclass(frozen=True)
class SupportTruth:
    """A level surface: whose it is (``table`` or an object id), its height in metres, its outline (K, 3) in the world."""

    owner: str
    height: float
    outline: Points


@dataclass(frozen=True)
class WorldTruth:
    """What is true whoever looks.

    Attributes:
        objects: in the description's order.
        distances: (n, n) float64 metres between the closest points of each pair; negative where they press into each
            other, 0 on the diagonal.
        contacts: pairs of ids closer than :data:`TOUCHING`, ``table`` among them.
        supports: the table, level tops of objects, the floor of trays.
    """

    objects: tuple[ObjectTruth, ...]
    distances: Float
    contacts: tuple[tuple[str, str], ...]
    supports: tuple[SupportTruth, ...]

    def object(self, object_id: str) -> ObjectTruth:
        """Return the object with this id.

        Raises:
            KeyError: there is none.
        """
        return self.objects[self.index(object_id)]

    def index(self, object_id: str) -> int:
        """Return the place of the object with this id.

        Raises:
            KeyError: there is none.
        """
        for index, candidate in enumerate(self.objects):
            if candidate.id == object_id:
                return index
        raise KeyError(object_id)

    def distance(self, first: str, second: str) -> float:
        """Return the distance in metres between the closest points of two objects."""
        return float(self.distances[self.index(first), self.index(second)])


@dataclass(frozen=True)
class ViewTruth:
    """One object as one camera sees it.

    Attributes:
        id: of the object.
        camera_box: its exact gravity-aligned box in the optical frame.
        visible_pixels: pixels of the image that show it.
        whole_pixels: pixels that it would cover if nothing hid it and the image had no border; -1 where not asked for.
        visible_fraction: their ratio; NaN where not asked for.
        box: (x0, y0, x1, y1) round its visible pixels, x1 and y1 one past the last; None where none is visible.
        whole_box: the same of all it would cover, over the image border too; None where not asked for.
        truncated: whether it reaches over the image border.
    """

    id: str
    camera_box: OrientedBox
    visible_pixels: int
    whole_pixels: int
    visible_fraction: float
    box: Box2D | None
    whole_box: Box2D | None
    truncated: bool


@dataclass(frozen=True)
class FrameTruth:
    """Everything true about one frame.

    Attributes:
        world: what is true whoever looks.
        views: the objects as seen, in the same order.
        color: (H, W, 3) uint8 without noise.
        depth: (H, W) float32 metres without noise, 0 where nothing is seen.
        instances: (H, W) uint8: 0 room, 1 to n the objects in order, 255 table.
        camera: whose image it is.
        world_from_camera: (4, 4) exact pose of the optical frame.
        up: (3,) unit, against gravity, optical frame.
    """

    world: WorldTruth
    views: tuple[ViewTruth, ...]
    color: ColorImage
    depth: DepthImage
    instances: NDArray[np.uint8]
    camera: Camera
    world_from_camera: Mat4
    up: Vec3

    def mask(self, object_id: str) -> Mask:
        """Return the (H, W) bool visible pixels of an object.

        Raises:
            KeyError: there is no such object.
        """
        return np.asarray(self.instances == self.world.index(object_id) + 1)

    def view(self, object_id: str) -> ViewTruth:
        """Return an object as seen.

        Raises:
            KeyError: there is no such object.
        """
        return self.views[self.world.index(object_id)]


def upright_box(points: Points) -> OrientedBox:
    """Return the gravity-aligned box of points (N, 3) in a z-up frame whose footprint has the smallest area.

    Along one side of the smallest rectangle lies an edge of the convex hull (Freeman and Shapira 1975), so all hull edges
    are tried.
    """
    hull = footprints.outline(points)
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.unique(np.round(np.mod(np.arctan2(edges[:, 1], edges[:, 0]), np.pi / 2), 12))
    along = np.stack([np.cos(angles), np.sin(angles)])  # (2, K)
    across = np.stack([-along[1], along[0]])
    first, second = hull @ along, hull @ across
    spans = np.ptp(first, axis=0), np.ptp(second, axis=0)
    best = int(np.argmin(spans[0] * spans[1]))
    middle = (first[:, best].max() + first[:, best].min()) / 2 * along[:, best] + (
        second[:, best].max() + second[:, best].min()
    ) / 2 * across[:, best]
    low, high = points[:, 2].min(), points[:, 2].max()
    size = np.array([spans[0][best], spans[1][best], high - low])
    x = along[:, best]
    if size[1] > size[0]:
        size[:2] = size[1::-1]
        x = across[:, best]
    rotation = np.array([[x[0], -x[1], 0.0], [x[1], x[0], 0.0], [0.0, 0.0, 1.0]])
    return OrientedBox(np.array([*middle, (low + high) / 2]), rotation, size)


def world_truth(world: World) -> WorldTruth:
    """Return what is true in a world as it stands now."""
    vertices = [world.vertices(i) for i in range(len(world.objects))]
    distances, table_distance = _distances(world)
    carriers = _carriers(world)
    objects = tuple(
        ObjectTruth(
            id=described.id,
            label=described.label,
            kind=described.kind,
            color=described.color,
            world_from_body=world.pose(i),
            box=upright_box(vertices[i]),
            stands_on=carriers.get(described.id, ""),
            inside=_container(world, i, vertices[i]),
        )
        for i, described in enumerate(world.objects)
    )
    ids = [o.id for o in objects]
    contacts = [(ids[i], ids[j]) for i in range(len(ids)) for j in range(i + 1, len(ids)) if distances[i, j] < TOUCHING]
    contacts += [(name, TABLE) for name, distance in zip(ids, table_distance, strict=True) if distance < TOUCHING]
    return WorldTruth(objects, distances, tuple(contacts), _supports(world, vertices))


def _distances(world: World) -> tuple[Float, list[float]]:
    """Closest distances between all pairs of objects, and of each to the table."""
    count = len(world.objects)
    geoms = [world.collision_geoms(i) for i in range(count)]
    table = [world.table_geom()]
    distances = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1, count):
            distances[i, j] = distances[j, i] = _closest(world, geoms[i], geoms[j])
    return distances, [_closest(world, geoms[i], table) for i in range(count)]


def _closest(world: World, first: list[int], second: list[int]) -> float:
    """The smallest distance over pairs of parts; pairs whose bounding spheres are farther than the best are skipped."""
    mujoco, model, data = load_mujoco(), world.model, world.data
    centers = data.geom_xpos
    radii = model.geom_rbound
    gaps = np.linalg.norm(centers[first][:, None] - centers[second][None], axis=2)
    gaps = gaps - radii[first][:, None] - radii[second][None]
    best = FAR_APART
    for flat in np.argsort(gaps, axis=None):
        i, j = divmod(int(flat), len(second))
        if gaps[i, j] >= best:
            break
        best = min(best, mujoco.mj_geomDistance(model, data, first[i], second[j], best, None))
    return best


def _carriers(world: World) -> dict[str, str]:
    """What each object stands on: of all that push it up, the one that pushes hardest."""
    mujoco, model, data = load_mujoco(), world.model, world.data
    names = {g: described.id for i, described in enumerate(world.objects) for g in world.collision_geoms(i)}
    names[world.table_geom()] = TABLE
    pushes: dict[tuple[str, str], float] = {}
    force = np.zeros(6)
    for number in range(data.ncon):
        contact = data.contact[number]
        bodies = [names.get(int(g), FLOOR) for g in contact.geom]
        mujoco.mj_contactForce(model, data, number, force)
        rise = float(contact.frame[2])  # the normal points from the first geom to the second
        if abs(rise) > _UPWARD and force[0] > 0:
            below, above = bodies if rise > 0 else bodies[::-1]
            pushes[above, below] = pushes.get((above, below), 0.0) + force[0] * abs(rise)
    return {above: below for (above, below), _ in sorted(pushes.items(), key=lambda item: item[1])}


def _container(world: World, index: int, vertices: Points) -> str:
    """The container in whose room the object's lowest point lies."""
    lowest = vertices[np.argmin(vertices[:, 2])]
    for other, described in enumerate(world.objects):
        cavity = object_shape(described).cavity
        if other == index or cavity is None or not cavity.encloses:
            continue
        if _holds(cavity, rigid.apply(rigid.inverse(world.pose(other)), lowest)):
            return described.id
    return ""


def _holds(cavity: Cavity, point: Vec3) -> bool:
    x, y, z = point
    if not cavity.floor - _INSIDE_DEPTH < z < cavity.rim - _INSIDE_DEPTH:
        return False
    if cavity.round:
        return bool(np.hypot(x / cavity.rim_half_length, y / cavity.rim_half_width) < 1.0)
    return bool(abs(x) < cavity.rim_half_length and abs(y) < cavity.rim_half_width)


def _supports(world: World, vertices: list[Points]) -> tuple[SupportTruth, ...]:
    supports = [_table_support(world)]
    for index, described in enumerate(world.objects):
        shape = object_shape(described)
        pose = world.pose(index)
        points = vertices[index]
        rising = shape.surface.normals @ pose[2, :3]
        heights = [float(points[:, 2].max())]
        if described.kind == "tray" and shape.cavity is not None:
            heights = [float(pose[2, 3] + pose[2, 2] * shape.cavity.floor)]
        for height in heights:
            level = points[(rising > 0.999) & (np.abs(points[:, 2] - height) < 0.001)]
            if (
                described.kind in ("mug", "bowl", "plate")
                or np.linalg.matrix_rank(np.diff(level[:, :2], axis=0), 1e-4) < 2
            ):
                continue
            outline = footprints.outline(level)
            if _area(outline) > _TOP_AREA:
                supports.append(
                    SupportTruth(described.id, height, np.column_stack([outline, np.full(len(outline), height)]))
                )
    return tuple(supports)


def _table_support(world: World) -> SupportTruth:
    table = world.description.table
    if table.round:
        angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        flat = table.length / 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    else:
        flat = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array([table.length, table.width]) / 2
    cosine, sine = np.cos(table.yaw), np.sin(table.yaw)
    flat = flat @ np.array([[cosine, sine], [-sine, cosine]])
    return SupportTruth(TABLE, table.height, np.column_stack([flat, np.full(len(flat), table.height)]))


def _area(outline: Float) -> float:
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)

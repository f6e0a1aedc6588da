"""The debug picture: a scene drawn over its image, with a table of what is stated beside it."""

from __future__ import annotations

import colorsys
import itertools
import math
import zlib
from functools import lru_cache

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.predicates import CONVERSE, SYMMETRIC, Predicate
from joyai_ros.scene.types import Scene, SceneObject, SpatialRelation, UpSource

Color = tuple[int, int, int]  # RGB, 0 to 255

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK: Color = (238, 240, 243)
_FAINT: Color = (150, 156, 166)
_PAPER: Color = (24, 27, 33)
_RULE: Color = (62, 68, 78)
_EDGES = np.array([(a, b) for a, b in itertools.combinations(range(8), 2) if (a ^ b) in (1, 2, 4)])
_NEAR = 0.05  # metres; edges of a box are cut here before they are projected
_HUE_GAP = 0.08  # two objects closer than this on the colour circle look alike
_PANEL = 300  # width of the table for an image 480 pixels high
# What a glance should find first; of a converse pair only the form listed here is written.
_ORDER = (
    Predicate.ON, Predicate.INSIDE, Predicate.TOUCHING, Predicate.BETWEEN, Predicate.LEFT_OF, Predicate.IN_FRONT_OF,
    Predicate.ABOVE, Predicate.TALLER_THAN, Predicate.BIGGER_THAN, Predicate.ALIGNED, Predicate.FACING, Predicate.NEAR,
    Predicate.FAR, Predicate.CLOSER_THAN,
)  # fmt: skip


def draw_scene(color: ColorImage, scene: Scene, camera: Camera) -> ColorImage:
    """Return the picture: the image with objects drawn over it, and to its right the table of relations.

    Args:
        color: (H, W, 3) uint8 RGB; it is not changed.
        scene: of that image.
        camera: its undistorted camera.

    Returns:
        (H, W + panel, 3) uint8 RGB; the image part keeps its pixels, so it lies under the camera's CameraInfo still.
    """
    height, width = color.shape[:2]
    scale = max(0.6, height / 480.0)
    picture = np.empty((height, width + round(_PANEL * scale), 3), dtype=np.uint8)
    image = picture[:, :width]
    image[:] = color
    shown = sorted((o for o in scene.objects if o.visible), key=lambda o: -float(o.obb.center[2]))
    colors = object_colors(scene)
    for item in shown:
        _tint(image, item, colors[item.id])
    for item in shown:
        _wireframe(image, item.obb, camera, colors[item.id])
        if item.box is not None:
            _brackets(image, item.box, colors[item.id], scale)
    chips: list[tuple[int, int, int, int]] = []
    for item in reversed(shown):  # the nearest object chooses its place first
        if item.box is not None:
            _chip(image, item, colors[item.id], scale, chips)
    _fill_panel(picture[:, width:], scene, colors, scale)
    return picture


def object_colors(scene: Scene) -> dict[str, Color]:
    """Return a colour for each object of a scene, far apart on the colour circle and bound to the ids.

    A colour follows from the id alone, unless another object has nearly the same: then it moves on.
    """
    return dict(_colors(tuple(sorted(o.id for o in scene.objects))))


@lru_cache(maxsize=64)  # a frame's objects are mostly those of the frame before
def _colors(names: tuple[str, ...]) -> dict[str, Color]:
    taken: list[float] = []
    colors = {}
    for name in names:
        start = zlib.crc32(name.encode()) / 2**32
        hues = [(start + step * 0.6180339887) % 1.0 for step in range(12)]  # the golden ratio leaves the widest gaps
        gaps = [min((min(abs(hue - h), 1 - abs(hue - h)) for h in taken), default=1.0) for hue in hues]
        hue = next((hue for hue, gap in zip(hues, gaps, strict=True) if gap > _HUE_GAP), hues[int(np.argmax(gaps))])
        taken.append(hue)
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.62, 1.0)
        colors[name] = (round(red * 255), round(green * 255), round(blue * 255))
    return colors


def _tint(image: ColorImage, item: SceneObject, color: Color) -> None:
    """Shade the object's own pixels."""
    if item.mask is None or item.box is None:
        return
    left, top = math.floor(item.box[0]), math.floor(item.box[1])
    x0, y0 = max(left, 0), max(top, 0)
    region = image[y0 : max(top + item.mask.shape[0], y0), x0 : max(left + item.mask.shape[1], x0)]
    mask = item.mask[y0 - top : y0 - top + region.shape[0], x0 - left : x0 - left + region.shape[1]]
    if region.size:
        cv2.copyTo(cv2.LUT(region, _shades(color)), mask.view(np.uint8), region)


@lru_cache(maxsize=256)
def _shades(color: Color) -> ColorImage:
    """Return (1, 256, 3) uint8: what each value of each channel becomes under a colour."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    return np.asarray(cv2.addWeighted(values, 0.78, np.full_like(values, color), 0.22, 0.0), dtype=np.uint8)


def _wireframe(image: ColorImage, box: OrientedBox, camera: Camera, color: Color) -> None:
    """Draw the twelve edges of a 3D box, as far as they lie in front of the camera."""
    corners = box.corners()
    pairs = corners[_EDGES]  # (12, 2, 3)
    pairs = pairs[(pairs[..., 2] > _NEAR).any(axis=1)]
    # An edge that reaches behind the near plane is cut there.
    depth = pairs[..., 2]
    step = np.where(depth == depth[:, ::-1], 1.0, depth[:, ::-1] - depth)
    share = np.where(depth < _NEAR, np.clip((_NEAR - depth) / step, 0.0, 1.0), 0.0)
    ends = camera.project((pairs + share[..., None] * (pairs[:, ::-1] - pairs)).reshape(-1, 3)).reshape(-1, 2, 2)
    fixed = np.rint(ends * 16)  # OpenCV takes sub-pixel ends as whole sixteenths
    fixed = fixed[np.abs(fixed).max(axis=(1, 2)) < 1 << 18]  # and beyond this they run over
    for start, end in fixed.astype(np.int64).tolist():
        cv2.line(image, start, end, color, 1, cv2.LINE_AA, 4)


def _brackets(image: ColorImage, box: Box2D, color: Color, scale: float) -> None:
    """Draw the corners of a 2D box."""
    x0, y0, x1, y1 = (round(v) for v in box)
    arm = round(min(12 * scale, (x1 - x0) / 3, (y1 - y0) / 3))
    thickness = max(1, round(2 * scale))
    for x, dx in ((x0, arm), (x1, -arm)):
        for y, dy in ((y0, arm), (y1, -arm)):
            cv2.line(image, (x, y), (x + dx, y), color, thickness, cv2.LINE_AA)
            cv2.line(image, (x, y), (x, y + dy), color, thickness, cv2.LINE_AA)


def _chip(
    image: ColorImage, item: SceneObject, color: Color, scale: float, taken: list[tuple[int, int, int, int]]
) -> None:
    """Write name, height and distance beside the object, where no other text stands yet."""
    assert item.box is not None
    measures = [] if math.isnan(item.height) else [f"h {item.height:.3f}"]
    lines = (item.label or item.id, "  ".join([*measures, f"d {float(np.linalg.norm(item.obb.center)):.2f} m"]))
    sizes = (0.42 * scale, 0.36 * scale)
    width = max(_text_width(text, size) for text, size in zip(lines, sizes, strict=True)) + round(12 * scale)
    height = round(29 * scale)
    x, y = _place(image.shape[:2], item.box, (width, height), taken)
    taken.append((x, y, x + width, y + height))
    region = image[y : y + height, x : x + width]
    region[:] = cv2.addWeighted(region, 0.25, np.full_like(region, _PAPER), 0.75, 0.0)
    region[:, : round(3 * scale)] = color
    left = x + round(8 * scale)
    _text(image, lines[0], (left, y + round(12 * scale)), sizes[0], _INK)
    _text(image, lines[1], (left, y + round(24 * scale)), sizes[1], (205, 210, 218))


def _place(
    shape: tuple[int, ...], box: Box2D, size: tuple[int, int], taken: list[tuple[int, int, int, int]]
) -> tuple[int, int]:
    """Return the top left corner of a label: above the box, below it or inside, with the least overlap of others."""
    x0, y0, x1, y1 = (round(v) for v in box)
    width, height = size
    wishes = [
        (x0, y0 - height - 2),
        (x1 - width, y0 - height - 2),
        (x0, y1 + 2),
        (x1 - width, y1 + 2),
        (x0 + 2, y0 + 2),
    ]
    wishes += [(x1 + 3, y0), (x0 - width - 3, y0), (x1 + 3, y1 - height), (x0 - width - 3, y1 - height)]
    inside = [(min(max(x, 0), shape[1] - width), min(max(y, 0), shape[0] - height)) for x, y in wishes]
    corners = [(max(x, 0), max(y, 0)) for x, y in inside]
    moved = [abs(x - w[0]) + abs(y - w[1]) for (x, y), w in zip(corners, wishes, strict=True)]
    best, least = corners[0], math.inf
    for rank, ((x, y), move) in enumerate(zip(corners, moved, strict=True)):
        if rank >= least:
            break  # no later wish costs less
        cost = 100 * sum(_overlap((x, y, x + width, y + height), other) for other in taken) + move + rank
        if cost < least:
            best, least = (x, y), cost
    return best


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _fill_panel(panel: ColorImage, scene: Scene, colors: dict[str, Color], scale: float) -> None:
    """Draw the table: a head line, then relations by predicate with their values, as many as there is room for."""
    cv2.rectangle(panel, (0, 0), (panel.shape[1], panel.shape[0]), _PAPER, cv2.FILLED)
    margin, step = round(12 * scale), round(16 * scale)
    pairs = [r for r in scene.relations if r.objects]
    _text(
        panel, f"{len(scene.objects)} objects, {len(pairs)} relations", (margin, round(22 * scale)), 0.46 * scale, _INK
    )
    up = {UpSource.UNKNOWN: "up unknown", UpSource.TF: "up from tf", UpSource.CLOUD: "up from depth"}
    line = f"{scene.stamp / 1e9:.2f} s   {up.get(scene.up_source, 'up given')}   {scene.abstentions} left open"
    _text(panel, line, (margin, round(38 * scale)), 0.36 * scale, _FAINT)
    y = round(48 * scale)
    panel[y : y + 1, margin:-margin] = _RULE
    rows, left = _rows(_groups(scene), room=(len(panel) - y - margin) // step - 1)
    for row in rows:
        y += step
        if isinstance(row, str):
            _text(panel, row, (margin, y), 0.38 * scale, _FAINT)
        else:
            _row(panel, row, scene, colors, (margin, y), scale)
    if left:
        _text(panel, f"and {left} more", (margin, y + step), 0.36 * scale, _FAINT)


def _groups(scene: Scene) -> dict[str, list[SpatialRelation]]:
    """Return the relations to show by predicate, those between neighbours first."""
    centers = {o.id: o.obb.center.tolist() for o in scene.objects}
    known = frozenset(centers)
    by_name: dict[str, list[SpatialRelation]] = {}
    for relation in scene.relations:
        if relation.objects and relation.subject in known and known.issuperset(relation.objects):
            by_name.setdefault(relation.predicate, []).append(relation)
    groups = {}
    for predicate in _ORDER:
        found = by_name.get(predicate.value, [])
        if not found and predicate in CONVERSE:
            found = [_turned(r) for r in by_name.get(CONVERSE[predicate].value, [])]
        if predicate in SYMMETRIC:
            found = [r for r in found if r.subject <= min(r.objects)]
        if found:
            away = {
                pair: math.dist(centers[pair[0]], centers[pair[1]])
                for pair in ((r.subject, r.objects[0]) for r in found)
            }
            groups[predicate.value.replace("_", " ")] = sorted(found, key=lambda r: away[r.subject, r.objects[0]])
    return groups


def _rows(groups: dict[str, list[SpatialRelation]], room: int) -> tuple[list[str | SpatialRelation], int]:
    """Return headings and relations that fit into ``room`` lines, shared fairly, and how many relations do not."""
    lines = dict.fromkeys(list(groups)[: room // 2], 0)
    free = room - len(lines)
    while free > 0 and any(lines[name] < len(groups[name]) for name in lines):
        for name in lines:
            if free > 0 and lines[name] < len(groups[name]):
                lines[name] += 1
                free -= 1
    rows: list[str | SpatialRelation] = []
    for name, count in lines.items():
        rows.append(name)
        rows.extend(groups[name][:count])
    return rows, sum(map(len, groups.values())) - sum(lines.values())


def _turned(relation: SpatialRelation) -> SpatialRelation:
    """Return the converse statement of a pair."""
    converse = CONVERSE[Predicate(relation.predicate)]
    return SpatialRelation(
        relation.objects[0], converse.value, (relation.subject,), relation.value, relation.unit, relation.sigma
    )


def _row(
    panel: ColorImage,
    relation: SpatialRelation,
    scene: Scene,
    colors: dict[str, Color],
    at: tuple[int, int],
    scale: float,
) -> None:
    """Write one relation: subject, objects and the measured value, each name behind a dot of its object's colour."""
    names = {o.id: o.label or o.id for o in scene.objects}
    x, y = at
    size = 0.38 * scale
    value = "" if relation.value is None else _measure(relation.value, relation.unit)
    value_x = panel.shape[1] - round(12 * scale) - _text_width(value, size)
    each = (value_x - x - round(6 * scale)) // (1 + len(relation.objects))
    for index, name in enumerate((relation.subject, *relation.objects)):
        left = x + index * each
        radius = round(3.2 * scale)
        cv2.circle(panel, (left + radius, y - round(4 * scale)), radius, colors[name], -1, cv2.LINE_AA)
        text = _shortened(names.get(name, name), size, each - round(14 * scale))
        _text(panel, text, (left + round(10 * scale), y), size, _INK)
    _text(panel, value, (value_x, y), size, _FAINT)


def _measure(value: float, unit: str) -> str:
    return f"{value:.2f}x" if unit == "1" else f"{value:.3f} {unit}"


def _shortened(text: str, size: float, room: int) -> str:
    if _text_width(text, size) <= room:
        return text
    while text and _text_width(text + "..", size) > room:
        text = text[:-1]
    return text + ".."


@lru_cache(maxsize=4096)
def _text_width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, _FONT, size, 1)[0][0])


def _text(image: ColorImage, text: str, at: tuple[int, int], size: float, color: Color) -> None:
    cv2.putText(image, text, at, _FONT, size, color, 1, cv2.LINE_AA)

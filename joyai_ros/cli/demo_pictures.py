"""Pictures of the demo's report: the table from above, and panels side by side under captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage, DepthImage, GrayImage, Mat4, Points, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.view import FILLED, UNKNOWN

Color = tuple[int, int, int]

PAPER: Color = (250, 249, 246)
INK: Color = (45, 48, 54)
TABLE: Color = (233, 226, 214)
TRUTH: Color = (150, 150, 150)
CAMERA: Color = (60, 110, 180)
_LEGEND = 130  # pixels on the left that stay free for it
_FINER = 2  # drawn so much larger and then shrunk, which smooths what OpenCV draws
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class MapItem:
    """One object on the map: its boxes in the world, metres (the measured one may be missing), and its colour."""

    label: str
    measured: OrientedBox | None
    true: OrientedBox
    color: Color


@dataclass(frozen=True)
class _Scale:
    """From the world to pixels of the enlarged picture, seen from above with one level direction up.

    Attributes:
        axes: (2, 2) rows are the world's x, y of the picture's right and up.
        left, top: metres along these axes at the picture's corner.
        pixels: for a metre.
    """

    axes: np.ndarray
    left: float
    top: float
    pixels: float

    def __call__(self, points: Points) -> np.ndarray:
        """Map (N, 3) points in the world to (N, 2) int32 pixels."""
        flat = np.asarray(points, dtype=np.float64)[:, :2] @ self.axes.T
        return np.round(np.stack([flat[:, 0] - self.left, self.top - flat[:, 1]], axis=1) * self.pixels).astype(
            np.int32
        )


def draw_map(
    items: Sequence[MapItem], table: Points, path: Sequence[Mat4], camera: Camera, width: int, height: int
) -> ColorImage:
    """Return a (height, width, 3) RGB map of the table from above, the camera at the bottom looking up.

    Args:
        items: the objects; the measured footprint is drawn over the true one.
        table: (K, 3) outline in the world, metres.
        path: poses of the camera in the world; the last is drawn with its field of view.
        camera: whose field of view it is.
        width, height: pixels.
    """
    picture = np.full((height * _FINER, width * _FINER, 3), PAPER, dtype=np.uint8)
    shown = np.vstack([path[-1][None, :3, 3], *(item.true.corners() for item in items)])
    scale = _fit(shown, path[-1], width, height)
    cv2.fillPoly(picture, [scale(table)], TABLE, cv2.LINE_AA)
    _draw_camera(picture, scale, path, camera)
    for item in items:
        cv2.fillPoly(picture, [scale(_footprint(item.true))], _lighter(TRUTH), cv2.LINE_AA)
    for item in items:
        cv2.polylines(picture, [scale(_footprint(item.true))], True, TRUTH, _FINER, cv2.LINE_AA)
    for item in items:
        if item.measured is not None:
            cv2.polylines(picture, [scale(_footprint(item.measured))], True, item.color, 2 * _FINER, cv2.LINE_AA)
    for number, item in enumerate(items):
        _draw_number(picture, scale(item.true.center[None])[0], number, item.color)
    _draw_legend(picture, items, scale)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_depth(depth: DepthImage) -> ColorImage:
    """Return a depth image (H, W) metres in colours, near warm and far cold, black where there is none."""
    valid = depth > 0
    if not valid.any():
        return np.zeros((*depth.shape, 3), dtype=np.uint8)
    near, far = np.percentile(depth[valid], [1, 90])  # what is far off would take all colours
    share = np.clip((far - depth) / max(float(far - near), 1e-6), 0.0, 1.0)
    colors = cv2.cvtColor(cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    colors[~valid] = 0
    return np.asarray(colors, dtype=np.uint8)


def draw_validity(image: ColorImage, validity: GrayImage) -> ColorImage:
    """Return a view with what was not measured tinted: filled in yellow, invented in magenta."""
    shown = np.array(image, dtype=np.uint8)
    for value, tint in ((FILLED, (240, 200, 40)), (UNKNOWN, (200, 40, 160))):
        where = validity == value
        shown[where] = (0.35 * shown[where] + 0.65 * np.array(tint)).astype(np.uint8)
    return shown


def contact_sheet(rows: Sequence[Sequence[tuple[str, ColorImage]]], width: int, gap: int = 12) -> ColorImage:
    """Return captioned panels in rows of equal width, (H, width, 3) RGB; a row's panels share one height.

    Args:
        rows: each a sequence of (caption, image).
        width: pixels of the sheet.
        gap: pixels between panels.
    """
    strips = [_row(row, width, gap) for row in rows]
    strips.append(np.full((gap, width, 3), PAPER, dtype=np.uint8))
    return np.asarray(np.concatenate(strips), dtype=np.uint8)


def _row(panels: Sequence[tuple[str, ColorImage]], width: int, gap: int) -> ColorImage:
    caption = 30
    shares = [image.shape[1] / image.shape[0] for _, image in panels]
    height = int((width - gap * (len(panels) + 1)) / sum(shares))
    row = np.full((gap + caption + height, width, 3), PAPER, dtype=np.uint8)
    left = gap
    for (text, image), share in zip(panels, shares, strict=True):
        wide = int(height * share)
        row[gap + caption :, left : left + wide] = cv2.resize(image, (wide, height), interpolation=cv2.INTER_AREA)
        cv2.putText(row, text, (left, gap + caption - 10), _FONT, 0.52, INK, 1, cv2.LINE_AA)
        left += wide + gap
    return row


def _fit(points: Points, pose: Mat4, width: int, height: int) -> _Scale:
    """Return the scale that shows all (N, 3) points with a margin, the camera's direction pointing up."""
    ahead = _level(pose[:3, 2])[:2]
    axes = np.array([[ahead[1], -ahead[0]], ahead])
    flat = points[:, :2] @ axes.T
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle, extent = (low + high) / 2, np.maximum(high - low, 0.2) * 1.12
    free = width - _LEGEND
    pixels = float(min(free / extent[0], height / extent[1])) * _FINER
    left, top = middle + np.array([-free / 2 - _LEGEND, height / 2]) * _FINER / pixels
    return _Scale(axes, float(left), float(top), pixels)


def _footprint(box: OrientedBox) -> Points:
    """The (4, 3) corners of the lower face, in order."""
    corners = box.corners()
    lower = corners[np.argsort(corners[:, 2], kind="stable")[:4]]
    spokes = lower - lower.mean(axis=0)
    return lower[np.argsort(np.arctan2(spokes[:, 1], spokes[:, 0]))]


def _draw_camera(picture: ColorImage, scale: _Scale, path: Sequence[Mat4], camera: Camera) -> None:
    eyes = np.stack([pose[:3, 3] for pose in path])
    cv2.polylines(picture, [scale(eyes)], False, _lighter(CAMERA), 2 * _FINER, cv2.LINE_AA)
    pose = path[-1]
    half = camera.width / 2 / camera.fx
    wedge = [pose[:3, 3] + 0.16 * _level(pose[:3, :3] @ np.array([side * half, 0.0, 1.0])) for side in (-1, 1)]
    cv2.fillPoly(picture, [scale(np.stack([pose[:3, 3], *wedge]))], CAMERA, cv2.LINE_AA)


def _level(direction: Vec3) -> Vec3:
    flat = np.array([direction[0], direction[1], 0.0])
    return flat / max(float(np.linalg.norm(flat)), 1e-9)


def _draw_number(picture: ColorImage, at: np.ndarray, number: int, color: Color) -> None:
    text = str(number + 1)
    center = int(at[0]), int(at[1])
    cv2.circle(picture, center, 9 * _FINER, color, -1, cv2.LINE_AA)
    (wide, high), _ = cv2.getTextSize(text, _FONT, 0.4 * _FINER, _FINER)
    cv2.putText(picture, text, (center[0] - wide // 2, center[1] + high // 2), _FONT, 0.4 * _FINER, PAPER, _FINER)


def _draw_legend(picture: ColorImage, items: Sequence[MapItem], scale: _Scale) -> None:
    x, y = 12 * _FINER, 20 * _FINER
    for number, item in enumerate(items):
        _draw_number(picture, np.array([x + 6 * _FINER, y + number * 22 * _FINER]), number, item.color)
        _write(picture, (x + 20 * _FINER, y + number * 22 * _FINER + 5 * _FINER), item.label)
    bottom = picture.shape[0] - 14 * _FINER
    end = x + int(0.2 * scale.pixels)
    cv2.line(picture, (x, bottom), (end, bottom), INK, 2 * _FINER, cv2.LINE_AA)
    _write(picture, (x, bottom - 7 * _FINER), "20 cm; grey: true, coloured: measured")


def _write(picture: ColorImage, at: tuple[int, int], text: str) -> None:
    cv2.putText(picture, text, at, _FONT, 0.45 * _FINER, INK, _FINER, cv2.LINE_AA)


def _lighter(color: Color) -> Color:
    return (color[0] + 2 * 255) // 3, (color[1] + 2 * 255) // 3, (color[2] + 2 * 255) // 3

"""What one frame sees of another: the share of a surface that two share, and objects that come back to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mask, Mat4, Points
from joyai_ros.training.data.records import Frame, SeenObject

_STEP = 8  # pixels between samples of a surface
_NEAR, _SHARE = 0.02, 0.02  # metres, and share of the depth, by which two depths of one surface may differ
_EXACT = 1e-3  # metres by which resting things of a simulator may differ: bags round their numbers
_ONE_PLACE, _SIGMAS = 0.03, 4.0  # metres and sigmas by which measured ones may
_LEAST = 8  # points of an object that another view must measure to have a say
_COMES_BACK = 0.5  # share of them that must lie in its mask there


def relative_pose(source: Frame, target: Frame) -> Mat4:
    """Return the (4, 4) pose of the target's camera in the source's optical frame."""
    return rigid.inverse(source.world_from_camera) @ target.world_from_camera


def seen_share(source: Frame, target: Frame) -> float:
    """Return which share of the target's measured surface the source measures too; both with their pixels."""
    assert target.pixels is not None
    cloud = target.camera.cloud(target.pixels.depth)[::_STEP, ::_STEP].reshape(-1, 3)
    points = cloud[cloud[:, 2] > 0]
    if not len(points):
        return 0.0
    seen, _ = _measured_by(source, rigid.apply(relative_pose(source, target), points))
    return float(seen.mean())


def without_strays(frames: Sequence[Frame]) -> tuple[list[Frame], int]:
    """Return the frames without masks that do not come back through the other views, and how many these were.

    The points of an object are carried into every other frame. Where that frame measures the same surface, it must have
    given it to the same object; an object whose points most frames give to something else was cut out wrongly.
    """
    kept, dropped = [], 0
    for frame in frames:
        others = [other for other in frames if other.id != frame.id]
        objects = tuple(item for item in frame.objects if _comes_back(item.id, item.cloud, frame, others))
        dropped += len(frame.objects) - len(objects)
        kept.append(replace(frame, objects=objects))
    return kept, dropped


def without_wanderers(frames: Sequence[Frame]) -> tuple[list[Frame], int]:
    """Return the frames without objects that resting things would have to move for, and how many these were.

    What has not moved stands at one place of the world: where a frame measures it elsewhere than most frames do, that frame's
    measurement is wrong. Two that are kept are within :func:`apart_at_rest` of each other.
    """
    places: dict[str, list[Points]] = {}
    for frame in frames:
        for item in frame.objects:
            place = rigid.apply(frame.world_from_camera, item.measured.obb.center)
            places.setdefault(item.id, []).append(place)
    middles = {name: np.median(found, axis=0) for name, found in places.items()}
    kept, dropped = [], 0
    for frame in frames:
        objects = tuple(item for item in frame.objects if item.measured.moved or _is_at(middles[item.id], item, frame))
        dropped += len(frame.objects) - len(objects)
        kept.append(replace(frame, objects=objects))
    return kept, dropped


def apart_at_rest(first: SeenObject, second: SeenObject) -> float:
    """Return by how many metres one resting object may stand elsewhere in another frame."""
    if first.exact and second.exact:
        return _EXACT
    return _ONE_PLACE + _SIGMAS * (first.measured.sigma + second.measured.sigma)


def _is_at(place: Points, item: SeenObject, frame: Frame) -> bool:
    away = np.linalg.norm(rigid.apply(frame.world_from_camera, item.measured.obb.center) - place)
    return bool(away <= apart_at_rest(item, item) / 2.0)


def _comes_back(name: str, cloud: Points, frame: Frame, others: Sequence[Frame]) -> bool:
    for_it = against = 0
    for other in others:
        seen, pixels = _measured_by(other, rigid.apply(relative_pose(other, frame), cloud))
        if np.count_nonzero(seen) < _LEAST:
            continue
        mask = _mask(name, other)
        columns, rows = pixels[seen].T
        share = float(mask[rows, columns].mean())
        for_it, against = for_it + (share >= _COMES_BACK), against + (share < _COMES_BACK)
    return for_it >= against


def _mask(name: str, frame: Frame) -> Mask:
    """Return the (H, W) mask of an object; empty where the frame does not show it."""
    full = np.zeros(frame.camera.shape, dtype=bool)
    for item in frame.objects:
        if item.id == name and item.measured.box is not None:
            x0, y0, x1, y1 = (round(value) for value in item.measured.box)
            full[y0:y1, x0:x1] = item.mask()
    return full


def _measured_by(frame: Frame, points: Points) -> tuple[Mask, NDArray[np.int64]]:
    """Return which points (N, 3) of a frame's optical frame its depth image measures, (N,) bool, and their pixels (N, 2)."""
    assert frame.pixels is not None
    depth = frame.pixels.depth
    height, width = depth.shape
    ahead = points[:, 2] > 0.05
    pixels = np.zeros((len(points), 2), dtype=np.int64)
    pixels[ahead] = np.clip(np.rint(frame.camera.project(points[ahead])), -1, max(width, height)).astype(np.int64)
    inside = ahead & (pixels >= 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    pixels[~inside] = 0
    found = depth[pixels[:, 1], pixels[:, 0]]
    return inside & (found > 0) & (abs(found - points[:, 2]) < _NEAR + _SHARE * points[:, 2]), pixels

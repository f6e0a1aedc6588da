"""From tracks to the scene's objects, in the optical frame of the moment."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from joyai_ros.scene.track_state import Place, Sight, Track
from joyai_ros.scene.types import SceneObject

NANOSECONDS = 1e9


def seen_object(track: Track, sight: Sight, place: Place) -> SceneObject:
    """Return an object that this frame shows: as measured, with the fused box where there is one."""
    item = replace(sight.measured.object, id=track.id, label=track.label, views=max(track.fused, 1), moved=track.moved)
    return _with_box(item, track, place) if track.sigma is not None else item


def remembered_object(track: Track, place: Place, growth: float) -> SceneObject:
    """Return an object that this frame does not show.

    Args:
        track: what is known of it.
        place: where the camera is now.
        growth: metres per second by which nobody knows where it is any more.
    """
    age = max((place.stamp - track.last) / NANOSECONDS, 0.0)
    item = replace(
        track.object,
        id=track.id,
        label=track.label,
        box=None,
        center_sigma=np.full(3, float(track.object.center_sigma.max())),  # its axes were those of another moment
        points=0,
        mask=None,
        truncated=False,
        visible=False,
        age=age,
        views=max(track.fused, 1),
        moved=track.moved,
    )
    item = _with_box(item, track, place)
    return replace(item, center_sigma=np.hypot(item.center_sigma, growth * age))


def _with_box(item: SceneObject, track: Track, place: Place) -> SceneObject:
    center, size = item.center_sigma, item.size_sigma
    if track.sigma is not None:
        center, size = track.sigma.center(place.world_from_camera[:3, :3]), track.sigma.size
    known = math.isfinite(item.height)
    return replace(
        item,
        obb=track.box.transformed(place.camera_from_world),
        center_sigma=center,
        size_sigma=size,
        height=float(track.box.size[2]) if known else item.height,
        height_sigma=float(size[2]) if known else item.height_sigma,
    )

"""What one frame says about objects, brought into the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Vec3
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.fuse_views import KeyView
from joyai_ros.scene.track_look import AGREED, THROUGH
from joyai_ros.scene.track_match import Looked
from joyai_ros.scene.track_state import Measured, Now, Sight, Track

_SAMPLE = 200  # points kept of an object in one view
_VOTES = 4  # most that a point can be ahead
_LUMA_CHROMA = np.array([[0.299, 0.587, 0.114], [0.5, -0.4187, -0.0813], [-0.1687, -0.3313, 0.5]])  # ITU-R BT.601
_NEW_COLOR = 0.2  # weight of a new view's colour


def owners_image(groups: list[NDArray[np.int64]], frame: FrameGeometry) -> NDArray[np.int16]:
    """Return (H, W): which group of flat pixel indices each pixel belongs to, -1 for none."""
    owners = np.full(frame.depth.size, -1, dtype=np.int16)
    for index, pixels in enumerate(groups):
        owners[pixels] = index
    return owners.reshape(frame.depth.shape)


def sights_of(measured: list[Measured], color: ColorImage, now: Now) -> list[Sight]:
    """Return measured objects in the world, in their order, with a sample of their points and their mean colour.

    Args:
        measured: as the frame shows them.
        color: (H, W, 3) uint8 RGB of the frame.
        now: the frame.
    """
    if not measured:
        return []
    some = [item.patch.sample(_SAMPLE) for item in measured]
    sizes = np.array([len(pixels) for pixels in some])
    ends, pixels = np.cumsum(sizes)[:-1], np.concatenate(some)
    local = now.frame.points(pixels)
    rays = (local / np.linalg.norm(local, axis=1, keepdims=True)) @ now.world_from_camera[:3, :3].T
    points = np.split(rigid.apply(now.world_from_camera, local), ends)
    sums = np.add.reduceat(color.reshape(-1, 3)[pixels], np.append(0, ends), axis=0, dtype=np.int64)
    mean = (sums / sizes[:, None]) @ _LUMA_CHROMA.T
    return [
        Sight(item, item.object.obb.transformed(now.world_from_camera), points[k], ray, mean[k])
        for k, (item, ray) in enumerate(zip(measured, np.split(rays, ends), strict=True))
    ]


def take_in(track: Track, sight: Sight, stamp: int) -> None:
    """Note that an object was measured, and as what."""
    item = sight.measured.object
    track.measured += 1
    track.denied = track.missed = 0
    track.object = item
    track.source_id = item.id
    track.last = max(track.last, stamp)
    track.color = (1.0 - _NEW_COLOR) * track.color + _NEW_COLOR * sight.color
    if item.label:
        track.labels[item.label] = track.labels.get(item.label, 0.0) + item.score


def key_view(sight: Sight, up: Vec3, now: Now) -> KeyView:
    """Return what is kept of a measured object for fusion.

    Args:
        sight: the object.
        up: (3,) unit, world.
        now: the frame.
    """
    item, extent, box = sight.measured.object, sight.measured.extent, sight.box
    toward = now.world_from_camera[:3, 3] - box.center
    rotation = now.world_from_camera[:3, :3]
    center, half = float(box.center @ up), float(box.size[2]) / 2.0
    return KeyView(
        points=sight.points,
        rays=sight.rays,
        noise=extent.noise,
        pitch=extent.pitch,
        low=center - half,
        high=center + half,
        low_sigma=extent.bottom_sigma,
        high_sigma=extent.top_sigma,
        spread=(rotation * np.square(item.center_sigma)) @ rotation.T,
        size_sigma=item.size_sigma,
        seen=sight.measured.patch.box,
        cut=extent.occlusion,
        camera=now.frame.camera,
        camera_from_world=now.camera_from_world,
        toward=toward / max(float(np.linalg.norm(toward)), 1e-9),
        pixels=len(sight.measured.patch.pixels),
        whole=not item.truncated,
        completed=box if extent.completed else None,
    )


def vote(track: Track, looked: Looked, index: int) -> None:
    """Let a frame confirm or deny each point that earlier ones gave an object.

    Args:
        track: the object.
        looked: what the frame shows at its points.
        index: of the object among those measured in the frame.
    """
    if len(track.views) == 0:
        return
    agreed, mine = looked.looks == AGREED, looked.owners == index
    change = (agreed & mine).astype(np.int32)
    change -= (looked.looks == THROUGH) | (agreed & (looked.owners >= 0) & ~mine)
    votes = np.minimum(np.concatenate([view.votes for view in track.views.views]) + change, _VOTES)
    start = 0
    for view in track.views.views:
        view.votes = votes[start : start + len(view.points)]
        start += len(view.points)

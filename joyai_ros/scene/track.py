"""Objects through time: lasting ids, fused boxes, memory of what is out of sight.

The words (remembered, moved, gone) and the rules for ids, stamps and poses are defined in docs/sequences.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.scene.config import TrackingConfig
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.fuse import fuse
from joyai_ros.scene.fuse_box import level_axes
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.track_ids import IdBook
from joyai_ros.scene.track_look import AGREED, Looker
from joyai_ros.scene.track_match import Looked, match_moved, match_places
from joyai_ros.scene.track_publish import NANOSECONDS, remembered_object, seen_object
from joyai_ros.scene.track_regroup import regroup, same_place
from joyai_ros.scene.track_sight import key_view, owners_image, sights_of, take_in, vote
from joyai_ros.scene.track_state import Measured, Now, Place, Sight, Track
from joyai_ros.scene.types import LabelSource, SceneObject

_MOVED_SHARE = 0.35  # of an object's places in sight that are empty: it has moved
_JUMP_SHARE, _JUMP_LEAST = 0.6, 3  # of the objects that seem to have moved at once: it is the camera's pose that jumped
_OUTSIDE_SHARE = 0.4  # of a view's points outside the fused box: the view does not fit
_OFF_LIMIT = 4  # consecutive views that do not fit, after which the history is given up
_EMPTY_SHARE = 0.5  # of an unmeasured object's places in sight that are empty: it is not there
_TAKEN_SHARE = 0.6  # of its surface that belongs to another object: it is a part of that
_IN_SIGHT = 0.2  # of its surface that must show for that
_MARGIN = 0.01  # metres, and three sigmas, by which a box is grown before points count as outside
_RETHINK = 4  # fits of a box after which all shapes are tried again
_SETTLED = 8  # fits of a box after which one more view changes little: of such, one is fitted in a frame
_NEW_UP = 0.1  # weight of a new frame's gravity
_UNCONFIRMED_FRAMES = 30  # unmeasured frames after which an unconfirmed object is dropped, whatever the stamps say


class ObjectTracker:
    """Follows objects over one sequence.

    Args:
        config: thresholds and rates.
    """

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self.config = config or TrackingConfig()
        self._restart()

    def _restart(self) -> None:
        self._tracks: list[Track] = []
        self._gone: list[Track] = []
        self._ids = IdBook()
        self._up: Vec3 | None = None
        self._newest: int | None = None
        self._world: str | None = None
        self._pose: tuple[int, Mat4] | None = None

    def update(
        self, measured: list[Measured], frame: FrameGeometry, observation: Observation
    ) -> tuple[SceneObject, ...]:
        """Take one frame in; return its objects, measured ones first and in their order, then remembered ones.

        Args:
            measured: what this frame shows.
            frame: its geometry.
            observation: with the camera's pose, where it is known.
        """
        now = self._arrive(frame, observation)
        sights = sights_of(measured, observation.color, now)
        owners = owners_image([item.patch.pixels for item in measured], frame)
        looked = self._look(Looker(frame, now.world_from_camera, owners))
        pairs = match_places(sights, self._tracks, looked, self._ids.trusted)
        self._learn_ids(pairs, sights)
        of_sight = self._meet(pairs, sights, looked, now)
        missed = [
            (track, look)
            for j, (track, look) in enumerate(zip(self._tracks, looked, strict=True))
            if j not in {j for _, j in pairs}
        ]
        self._find_moved(sights, of_sight, missed, now)
        self._miss([(t, look) for t, look in missed if all(t is not track for track in of_sight.values())], now)
        for i, sight in enumerate(sights):
            if i not in of_sight:
                of_sight[i] = self._begin(sight, now)
        self._refit()
        shown = {id(track) for track in of_sight.values()}
        hidden = [track for track in self._tracks if id(track) not in shown]
        seen = [seen_object(of_sight[i], sight, now) for i, sight in enumerate(sights)]
        self._unite()
        return (*seen, *self._memory(hidden, now))

    def unseen(self, observation: Observation) -> tuple[SceneObject, ...]:
        """Return what is remembered at a frame that shows nothing: without depth nothing is measured, or denied."""
        self._is_new(observation.stamp)
        pose, _ = self._locate(observation)
        place = Place(observation.stamp, pose, rigid.inverse(pose))
        self._tracks = [track for track in self._tracks if not self._is_forgotten(track, place)]
        return tuple(self._memory(self._tracks, place))

    def regroup(
        self, groups: list[NDArray[np.int64]], frame: FrameGeometry, observation: Observation
    ) -> list[NDArray[np.int64]]:
        """Return the pieces of a frame in which nobody points at objects, joined and divided as known objects say.

        Call it before :meth:`update` for the same frame. Without a pose, or with nothing known, they stay as they are.

        Args:
            groups: flat pixel indices of each piece.
            frame: the frame's geometry.
            observation: with the camera's pose, where it is known.
        """
        pose = observation.world_from_camera
        if pose is None or observation.world_frame != self._world:
            return groups
        looked = self._look(Looker(frame, pose, owners_image(groups, frame)))
        return regroup(groups, self._tracks, looked, frame, pose)

    def _arrive(self, frame: FrameGeometry, observation: Observation) -> Now:
        """Take the frame's stamp, pose and gravity in."""
        stamp, fresh = observation.stamp, self._is_new(observation.stamp)
        pose, posed = self._locate(observation)
        if posed and frame.up is not None:
            up = pose[:3, :3] @ frame.up
            self._up = up if self._up is None else rigid.unit((1.0 - _NEW_UP) * self._up + _NEW_UP * up)
        fuses = posed and fresh and frame.up is not None
        return Now(stamp, pose, rigid.inverse(pose), frame, posed, fuses)

    def _is_new(self, stamp: int) -> bool:
        """Take a stamp in: return whether it is newer than all before, and begin a new sequence where it jumps back."""
        fresh = True
        if self._newest is not None and stamp != 0:
            if stamp < self._newest - self.config.time_jump * NANOSECONDS:
                self._restart()
            else:
                fresh = stamp > self._newest
        self._newest = stamp if self._newest is None else max(stamp, self._newest)
        reach = self.config.reacquire_within * NANOSECONDS
        self._gone = [track for track in self._gone if stamp - track.last <= reach]
        return fresh

    def _locate(self, observation: Observation) -> tuple[Mat4, bool]:
        """Return the camera's pose, and whether it is this frame's own.

        Where TF has a gap the last pose stands in for a while. Without any, the optical frame stands in for the world.
        """
        pose = observation.world_from_camera
        last = self._pose
        if pose is None and last is not None and observation.stamp - last[0] <= self.config.hold_pose * NANOSECONDS:
            return last[1], False
        world = observation.world_frame if pose is not None else None
        place = pose if pose is not None else np.eye(4)
        if world != self._world:
            self._tracks, self._gone, self._up = self._carried(place), [], None
        self._world = world
        self._pose = (observation.stamp, pose) if pose is not None else None
        return place, pose is not None

    def _carried(self, world_from_camera: Mat4) -> list[Track]:
        """Return the objects of the last frame in another world, where it saw them; what is out of sight is lost.

        How the two worlds lie to each other nobody says, so the camera is taken to have moved little between the two frames.
        """
        seen = [track for track in self._tracks if not track.missed]
        for track in seen:
            track.restart()
            track.box = track.object.obb.transformed(world_from_camera)
        return seen

    def _look(self, looker: Looker) -> list[Looked]:
        """Look at all tracks' surface points in one go."""
        views = [view for track in self._tracks for view in track.views.views]
        if not views:
            return [Looked.nothing() for _ in self._tracks]
        looks, owners = looker.look(np.concatenate([view.points for view in views]))
        sizes = [len(view.points) for view in views]
        areas = np.repeat([view.pixels / max(len(view.points), 1) for view in views], sizes).astype(np.float32)
        found, start = [], 0
        for track in self._tracks:
            part = slice(start, start + sum(len(view.points) for view in track.views.views))
            found.append(Looked(looks[part], owners[part], areas[part] / np.float32(max(len(track.views), 1))))
            start = part.stop
        return found

    def _learn_ids(self, pairs: list[tuple[int, int]], sights: list[Sight]) -> None:
        named = [(i, j) for i, j in pairs if sights[i].measured.object.label_source is not LabelSource.NONE]
        self._ids.compare([(self._tracks[j].source_id, sights[i].measured.object.id) for i, j in named])

    def _meet(
        self, pairs: list[tuple[int, int]], sights: list[Sight], looked: list[Looked], now: Now
    ) -> dict[int, Track]:
        """Take in the objects that are where they were, or near it; return the track of each sight."""
        left = {j for _, j in pairs if now.fuse and looked[j].share_through > _MOVED_SHARE}
        jumped = len(left) >= _JUMP_LEAST and len(left) > _JUMP_SHARE * len(pairs)
        for i, j in pairs:
            track, sight = self._tracks[j], sights[i]
            if now.fuse:
                if j in left:
                    track.restart()
                    track.moved |= not jumped
                elif self._fits(track, sight):
                    vote(track, looked[j], i)
                if track.off == 0:
                    self._add_view(track, sight, now)
            if not track.fused:
                track.box = sight.box
            take_in(track, sight, now.stamp)
        return {i: self._tracks[j] for i, j in pairs}

    def _fits(self, track: Track, sight: Sight) -> bool:
        """Whether a view shows the object where and as it is known; after several that do not, its history restarts."""
        margin = _MARGIN + 3.0 * sight.measured.extent.noise
        outside = 1.0 - float(np.mean(track.box.contains(sight.points, margin)))
        if not track.fused or sight.measured.object.truncated or outside <= _OUTSIDE_SHARE:
            track.off = 0
            return True
        track.off += 1
        if track.off >= _OFF_LIMIT:
            track.restart()
            track.moved = True
        return False

    def _add_view(self, track: Track, sight: Sight, now: Now) -> None:
        assert self._up is not None
        track.fused += 1
        if track.views.add(key_view(sight, self._up, now)):
            track.stale = max(track.stale, 1)
        if len(track.views) < 2:
            track.box = sight.box

    def _find_moved(
        self, sights: list[Sight], of_sight: dict[int, Track], missed: list[tuple[Track, Looked]], now: Now
    ) -> None:
        """Find objects again that are elsewhere now, among those missed and those gone, and add them to ``of_sight``."""
        if self._world is not None and not now.posed:
            return  # with a borrowed pose places cannot be compared
        new = [i for i in range(len(sights)) if i not in of_sight]
        candidates = [track for track, _ in missed] + self._gone
        looks = [look for _, look in missed] + [None] * len(self._gone)
        for i, j in match_moved([sights[k] for k in new], candidates, looks, self._ids.trusted):
            track, sight = candidates[j], sights[new[i]]
            if j >= len(missed):
                self._gone = [gone for gone in self._gone if gone is not track]
                self._tracks.append(track)
            track.restart()
            track.moved = True
            track.box = sight.box
            if now.fuse:
                self._add_view(track, sight, now)
            take_in(track, sight, now.stamp)
            of_sight[new[i]] = track

    def _miss(self, missed: list[tuple[Track, Looked]], now: Now) -> None:
        """Decide what becomes of the objects that this frame did not show."""
        dropped: set[int] = set()
        for track, look in missed:
            track.missed += 1
            empty = look.share_through > _EMPTY_SHARE
            taken = (
                look.share_agreed > _IN_SIGHT and float(np.mean(look.owners[look.looks == AGREED] >= 0)) > _TAKEN_SHARE
            )
            if now.posed:
                track.denied = track.denied + 1 if empty or taken else 0
            if track.denied >= (self.config.gone_after if empty else self.config.taken_after):
                dropped.add(id(track))
                if empty and self._is_confirmed(track):
                    self._gone.append(track)
            elif self._is_forgotten(track, now):
                dropped.add(id(track))
        self._tracks = [track for track in self._tracks if id(track) not in dropped]
        self._limit()

    def _is_confirmed(self, track: Track) -> bool:
        return track.measured >= self.config.confirmed_after

    def _is_forgotten(self, track: Track, now: Place) -> bool:
        lasting = self._is_confirmed(track) and self._world is not None
        limit = self.config.forget_after if lasting else self.config.unconfirmed_for
        return now.stamp - track.last > limit * NANOSECONDS or (not lasting and track.missed >= _UNCONFIRMED_FRAMES)

    def _limit(self) -> None:
        """Keep the memory bounded: the objects unseen for the longest go first."""
        for kept in (self._tracks, self._gone):
            unseen = sorted((track for track in kept if track.missed), key=lambda track: -track.missed)
            for track in unseen[: max(len(unseen) - self.config.most_remembered, 0)]:
                kept.remove(track)

    def _begin(self, sight: Sight, now: Now) -> Track:
        item = sight.measured.object
        wanted = "" if item.label_source is LabelSource.NONE else item.id
        live = {track.id for track in self._tracks} | {track.id for track in self._gone}
        name, box = self._ids.issue(wanted, live), sight.box
        track = Track(name, item.id, item, box, box.size, sight.color, now.stamp, now.stamp)
        take_in(track, sight, now.stamp)
        if now.fuse:
            self._add_view(track, sight, now)
        self._tracks.append(track)
        return track

    def _refit(self) -> None:
        """Fit the boxes that wait longest for it; the others wait for a later frame."""
        if self._up is None:
            return
        axes = level_axes(self._up)
        waiting = sorted((t for t in self._tracks if t.stale and len(t.views) >= 2), key=lambda t: -t.stale)
        chosen = waiting[: self.config.fits_per_frame]
        chosen = [track for place, track in enumerate(chosen) if place == 0 or track.fits < _SETTLED]
        for track in waiting:
            track.stale += 1
        for track in chosen:
            fused = fuse(track.views, axes, track.shape if track.fits % _RETHINK else "")
            track.stale = 0
            track.fits += 1
            if fused is not None:
                track.box, track.size = fused.box, fused.box.size
                track.shape, track.sigma = fused.shape, fused.sigma

    def _unite(self) -> None:
        """Make one track of two that fill one place; the younger one's id is given up from the next frame on."""
        for kept, other in same_place(self._tracks):
            for view in other.views.views:
                kept.views.add(view)
            kept.united = True
            kept.stale = max(kept.stale, 1)
            self._tracks = [track for track in self._tracks if track is not other]

    def _memory(self, tracks: list[Track], place: Place) -> list[SceneObject]:
        """Return what is remembered of tracks that are not in sight; nothing without a world to remember it in."""
        if self._world is None:
            return []
        return [
            remembered_object(track, place, self.config.sigma_growth) for track in tracks if self._is_confirmed(track)
        ]

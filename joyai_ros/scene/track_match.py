"""Which measured object is which known one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.overlap import upright_iou
from joyai_ros.scene.track_look import AGREED, THROUGH
from joyai_ros.scene.track_state import Sight, Track

_PLACE, _OVERLAP, _CLOSENESS = 1.0, 0.5, 0.25  # weights of the three ways to tell that two boxes are one object
_LABEL, _ID = 0.3, 0.3  # for the same label (less for another one), and for the same id where ids are trusted
_LEAST = 0.35  # of the sum, for two to be one
_NEAR = 0.02  # metres, added to half the boxes' diagonals: farther apart they are not compared
_SIZE_RATIO = 1.6  # largest ratio between the sizes of a moved object before and after
_SIZE_SLACK = 0.01  # metres added to both: thin sides are measured badly
_COLOR = 40.0  # distance in luma and chroma between the mean colours of a moved object before and after
_IN_SIGHT, _IN_SIGHT_SHARE = 8, 0.2  # points, and share of a track's points, that must be in sight for a verdict
_EMPTY = 0.4  # share of the visible places of an object that must be empty for it to have moved away

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Looked:
    """What a frame shows at a track's surface points.

    Attributes:
        looks: (N,) what shows there (:mod:`joyai_ros.scene.track_look`).
        owners: (N,) index of the measured object at their pixels, -1 for none.
        areas: (N,) how many pixels each point stood for when it was measured.
    """

    looks: NDArray[np.int8]
    owners: NDArray[np.int16]
    areas: NDArray[np.float32]

    @classmethod
    def nothing(cls) -> Looked:
        """What a frame shows at a track without points."""
        return cls(np.zeros(0, np.int8), np.zeros(0, np.int16), np.zeros(0, np.float32))

    @cached_property
    def through(self) -> int:
        """How many points whose place is empty."""
        return int(np.count_nonzero(self.looks == THROUGH))

    @cached_property
    def agreed(self) -> int:
        """How many points at which a surface is seen."""
        return int(np.count_nonzero(self.looks == AGREED))

    @property
    def share_through(self) -> float:
        """Share of the points in sight whose place is empty; 0 where too few are in sight."""
        in_sight = self.through + self.agreed
        return self.through / in_sight if in_sight >= max(_IN_SIGHT, _IN_SIGHT_SHARE * len(self.looks)) else 0.0

    @property
    def share_agreed(self) -> float:
        """Share of all points at which a surface is seen."""
        return self.agreed / len(self.looks) if len(self.looks) else 0.0

    def counts_of(self, count: int) -> NDArray[np.int64]:
        """(count,) at how many of the points the surface seen belongs to each measured object."""
        mine = (self.looks == AGREED) & (self.owners >= 0)
        return np.bincount(self.owners[mine], minlength=count)

    def areas_of(self, count: int) -> Matrix:
        """(count,) the same in pixels: large pieces of a surface count for more than small ones."""
        mine = (self.looks == AGREED) & (self.owners >= 0)
        return np.asarray(np.bincount(self.owners[mine], weights=self.areas[mine], minlength=count), dtype=np.float64)

    @cached_property
    def agreed_area(self) -> float:
        """How many pixels the points stood for at which a surface is seen."""
        return float(self.areas[self.looks == AGREED].sum())


def match_places(
    sights: list[Sight], tracks: list[Track], looked: list[Looked], ids_trusted: bool
) -> list[tuple[int, int]]:
    """Return pairs (sight, track) that are in one place: a maximum-weight assignment (Hungarian algorithm)."""
    if not sights or not tracks:
        return []
    score = np.zeros((len(sights), len(tracks)))
    areas = np.column_stack([look.areas_of(len(sights)) for look in looked])
    known = areas.sum(axis=1, keepdims=True)  # of each sight, the surface that is known of any object
    place = areas / np.maximum(known + [look.agreed_area for look in looked] - areas, 1e-6)  # overlap of the two
    centers = np.stack([s.box.center for s in sights])[:, None] - np.stack([t.box.center for t in tracks])
    halves = np.add.outer([_half(s.box) for s in sights], [_half(t.box) for t in tracks])
    closeness = 1.0 - 2.0 * np.sqrt(np.square(centers).sum(axis=2)) / (halves + _NEAR)
    for i, j in zip(*np.nonzero((place > 0.0) | (closeness > 0.0)), strict=True):
        near = _OVERLAP * upright_iou(sights[i].box, tracks[j].box) + _CLOSENESS * max(closeness[i, j], 0.0)
        score[i, j] = _PLACE * place[i, j] + near + _names_score(sights[i], tracks[j], ids_trusted)
    rows, columns = linear_sum_assignment(-score)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if score[i, j] >= _LEAST]


def _half(box: OrientedBox) -> float:
    """Return half of a box's diagonal in metres."""
    return 0.5 * float(np.sqrt(box.size @ box.size))


def _names_score(sight: Sight, track: Track, ids_trusted: bool) -> float:
    score = 0.0
    label, known = sight.measured.object.label, track.label
    if label and known:
        score += _LABEL if label == known else -_LABEL
    if ids_trusted:
        score += _ID if sight.measured.object.id == track.source_id else -_ID
    return score


def match_moved(
    sights: list[Sight], tracks: list[Track], looked: list[Looked | None], ids_trusted: bool
) -> list[tuple[int, int]]:
    """Return pairs (sight, track) of objects that are not where they were.

    The track's place must be seen empty (or the detector's trusted ids say that it is the same object); label, size and
    colour must agree.

    Args:
        sights: measured objects that are in no known place.
        tracks: those not found in their places, and those that are gone.
        looked: what is seen at the tracks' places; None for those that are gone already.
        ids_trusted: whether the detections' ids stay with their objects.
    """
    cost = np.full((len(sights), len(tracks)), np.inf)
    for j, (track, look) in enumerate(zip(tracks, looked, strict=True)):
        if look is not None and look.share_agreed > 0.5:
            continue
        empty = look is None or look.share_through >= _EMPTY
        for i, sight in enumerate(sights):
            same_id = ids_trusted and sight.measured.object.id == track.source_id
            if (empty or same_id) and sight.measured.object.label == track.label:
                cost[i, j] = _difference(sight, track) - (1.0 if same_id else 0.0)
    if not np.isfinite(cost).any():
        return []
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if np.isfinite(cost[i, j])]


def _difference(sight: Sight, track: Track) -> float:
    """Return how unlike two objects are: about 0 for the same, up to 2 for barely alike; infinite for unlike ones.

    An object in a hand may seem to reach down to the table: more height than before says nothing.
    """
    ratio = (sight.box.size + _SIZE_SLACK) / (track.size + _SIZE_SLACK)
    ratio[2] = min(ratio[2], 1.0)
    size = float(np.abs(np.log(ratio)).max()) / np.log(_SIZE_RATIO)
    color = float(np.linalg.norm(sight.color - track.color)) / _COLOR
    return size + color if size <= 1.0 and color <= 1.0 else np.inf

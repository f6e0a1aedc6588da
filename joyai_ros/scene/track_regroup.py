"""Known objects guide how a frame is cut into pieces, where nobody points at objects.

One frame joins objects that touch, and cuts an object in two where another stands before it. The next frame, from
another side, may do it differently. Known surfaces tell: pieces that carry points of one known object are joined, a piece
that carries points of several is divided among them. How often the frames by themselves held an object together, or apart
from its neighbours, decides which of the two is believed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Points
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.overlap import footprint_iou, shared_height, upright_iou
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.track_match import Looked, Matrix
from joyai_ros.scene.track_state import Track
from joyai_ros.scene.types import LabelSource

Pixels = NDArray[np.int64]

_LEAST = 12  # known points that must show on a piece before it is a part of the object
_PART = 0.05  # of the known points that show: least share of a part
_BROKEN = 0.2  # share of them on a second piece from which an object counts as broken
_MAIN = 0.6  # share of them on one piece from which it holds the object
_WITHIN = 0.7  # share of a piece that must lie in the object's box
_MARGIN = 0.015  # metres by which the box is grown for that
_SAMPLE = 100  # points of a piece that are tested
_SAME_SPACE = 0.5  # overlap of two boxes from which they are one object, or
_SAME_FOOTPRINT = 0.65  # overlap of their footprints, where
_SAME_LEVEL = 0.5  # of the lower one's height is shared
_INDIVISIBLE = 0.35  # overlap of two footprints from which a piece is not divided between them
_SAY = 0.25  # of the surface that the best known object shows on a piece: with less, one has no say in dividing it
_UNITED_AFTER = 2  # measurements of each
_MIN_PIXELS = 40  # least part of a divided piece


def regroup(
    groups: list[Pixels], tracks: list[Track], looked: list[Looked], frame: FrameGeometry, world_from_camera: Mat4
) -> list[Pixels]:
    """Return the pieces joined and divided as the known objects say, largest first.

    The tracks' counts of being seen whole, broken, alone and shared are brought up to date.

    Args:
        groups: flat pixel indices of each piece.
        tracks: known objects.
        looked: what the frame shows at their points; owners are indices into ``groups``.
        frame: the frame's geometry.
        world_from_camera: (4, 4).
    """
    if not groups or not tracks:
        return groups
    counts = np.stack([look.counts_of(len(groups)) for look in looked])
    areas = np.stack([look.areas_of(len(groups)) for look in looked])
    keeps_whole = [track.united or track.whole >= track.broken for track in tracks]
    stands_alone = [track.alone > track.shared for track in tracks]
    parts = _parts(counts, areas, tracks, groups, frame, world_from_camera)
    held = _held(counts, areas)
    _count(tracks, parts, held, counts)
    divided: dict[int, list[Pixels]] = {}
    for piece, holders in held.items():
        alone = [j for j in holders if stands_alone[j]]
        alone = _apart(sorted(alone, key=lambda j: -areas[j, piece]), tracks)
        if len(alone) >= 2:
            divided[piece] = _divide(groups[piece], [tracks[j] for j in alone], frame, world_from_camera)
    result: list[Pixels] = [part for pieces in divided.values() for part in pieces]
    used = set(divided)
    for j, own in enumerate(parts):
        joined = [g for g in own if g not in used]
        if keeps_whole[j] and len(joined) >= 2:
            result.append(np.concatenate([groups[g] for g in joined]))
            used.update(joined)
    result += [group for g, group in enumerate(groups) if g not in used]
    return sorted(result, key=len, reverse=True)


def same_place(tracks: list[Track]) -> list[tuple[Track, Track]]:
    """Return pairs (kept, other) of unlabelled tracks whose boxes fill one place: two halves of one object.

    Two solid objects cannot be in one place; a hollow one has a wider footprint than what it holds.
    """
    known = [t for t in tracks if t.object.label_source is LabelSource.NONE and t.measured >= _UNITED_AFTER]
    known.sort(key=lambda t: -t.measured)
    pairs: list[tuple[Track, Track]] = []
    taken: set[int] = set()
    for k, track in enumerate(known):
        for other in known[k + 1 :]:
            if id(track) in taken or id(other) in taken:
                continue
            if _is_same_place(track, other):
                pairs.append((track, other))
                taken.add(id(other))
    return pairs


def _is_same_place(track: Track, other: Track) -> bool:
    if np.linalg.norm(track.box.center - other.box.center) > 0.5 * track.box.size.max():
        return False
    if upright_iou(track.box, other.box) > _SAME_SPACE:
        return True
    return _fill_one_place(track.box, other.box, _SAME_FOOTPRINT)


def _fill_one_place(box: OrientedBox, other: OrientedBox, share: float) -> bool:
    """Whether two boxes have so much of their footprints in common, at one level."""
    level = shared_height(box, other) >= _SAME_LEVEL * min(float(box.size[2]), float(other.size[2]))
    return level and footprint_iou(box, other) > share


def _apart(holders: list[int], tracks: list[Track]) -> list[int]:
    """Return those tracks, in order, that stand clear of the ones before: only between such can a piece be divided."""
    kept: list[int] = []
    for j in holders:
        if all(not _fill_one_place(tracks[j].box, tracks[k].box, _INDIVISIBLE) for k in kept):
            kept.append(j)
    return kept


def _parts(
    counts: NDArray[np.int64],
    areas: Matrix,
    tracks: list[Track],
    groups: list[Pixels],
    frame: FrameGeometry,
    pose: Mat4,
) -> list[list[int]]:
    """Return for each track the pieces that are parts of it: each piece is a part of one track at most."""
    parts: list[list[int]] = [[] for _ in tracks]
    for piece in np.flatnonzero(counts.max(axis=0) >= _LEAST):
        j = int(np.argmax(areas[:, piece]))
        if counts[j, piece] < max(_LEAST, _PART * counts[j].sum()):
            continue
        points = _world(groups[piece][:: max(len(groups[piece]) // _SAMPLE, 1)], frame, pose)
        if np.mean(tracks[j].box.contains(points, _MARGIN)) >= _WITHIN:
            parts[j].append(int(piece))
    return parts


def _held(counts: NDArray[np.int64], areas: Matrix) -> dict[int, list[int]]:
    """Return the tracks whose main part each piece holds, for pieces that hold several; small fragments have no say."""
    held: dict[int, list[int]] = {}
    for j, row in enumerate(counts):
        piece = int(np.argmax(row))
        if row[piece] >= max(_LEAST, _MAIN * row.sum()) and areas[j, piece] >= _SAY * areas[:, piece].max():
            held.setdefault(piece, []).append(j)
    return {piece: holders for piece, holders in held.items() if len(holders) >= 2}


def _count(tracks: list[Track], parts: list[list[int]], held: dict[int, list[int]], counts: NDArray[np.int64]) -> None:
    sharing = {j for holders in held.values() for j in holders}
    for j, track in enumerate(tracks):
        total = int(counts[j].sum())
        if total < _LEAST:
            continue
        shares = sorted((counts[j, g] / total for g in parts[j]), reverse=True)
        if len(shares) >= 2 and shares[1] >= _BROKEN:
            track.broken += 1
        else:
            track.whole += 1
        if j in sharing:
            track.shared += 1
        else:
            track.alone += 1


def _divide(piece: Pixels, tracks: list[Track], frame: FrameGeometry, pose: Mat4) -> list[Pixels]:
    """Give each pixel of a piece to the object in whose box it lies deepest, or to which it is nearest."""
    points = _world(piece, frame, pose)
    depth = np.stack([np.max(np.abs(t.box.local(points)) - t.box.size / 2.0, axis=1) for t in tracks])
    owner = np.argmin(depth, axis=0)
    parts = [piece[owner == k] for k in range(len(tracks))]
    return [part for part in parts if len(part) >= _MIN_PIXELS]


def _world(pixels: Pixels, frame: FrameGeometry, pose: Mat4) -> Points:
    return rigid.apply(pose, frame.points(pixels))

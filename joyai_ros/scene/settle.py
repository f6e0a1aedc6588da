"""Where hidden lower parts end: things stand on something.

A single view often hides the foot of an object. Its bottom then is the top of the object under it, the floor of the
container it is in, or the support plane, whichever the visible geometry allows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.geometry.order import median
from joyai_ros.scene.footprint import Footprint
from joyai_ros.scene.frame import FrameGeometry
from joyai_ros.scene.lift import Lifted
from joyai_ros.scene.patch import Patch

_CONTACT = 0.03  # metres between an object's lowest visible point and the top that carries it
_NARROW = 0.7  # of a carrier's width up to which something may stand in it
_OPEN_DOUBT = 0.3  # of a carrier's height: sigma of what stands on or in it where its top was not seen
_RIM_BEFORE = 0.5  # share of an object's lower outline cut by something nearer
_UNSURE = 0.1  # sigma of a bottom that was concluded, per metre of hidden height
_BELOW_SHARE = 0.5  # of the pixels under an object's lower outline that must show what carries it
_SUNK = 0.02  # metres
_LEANING = 0.12  # metres aside per metre up: a stick that leans so stands on nothing, but in something
_STRAIGHT = 0.5  # of a stick's hidden length: it may lean no other way than it is seen to
_HIDDEN_TOP = 0.25  # metres of an object's upper end that one standing on it may hide
_HIDDEN_RIM = 0.015  # metres that the bottom may lie below the lowest point seen
_OVERHANG = 0.015  # metres beyond what is seen of its carrier, from which more of that seems to be hidden
_FLOOR = 0.005  # metres, thickness of a container's floor
_BELOW = (3, 10)  # pixels under an object's lower rim where what carries it would be seen
_SAME_DEPTH = 0.03  # metres: what is nearer than this hides the foot, what is not carries it
_OFF_PLANE = 0.015  # metres above the plane from which it is something else


def settle(items: list[Lifted], patches: list[Patch], boxes: list[Box2D | None], frame: FrameGeometry) -> list[Lifted]:
    """Return the objects put where they stand: those with hidden bottoms, and those on a thin thing or in another.

    Args:
        items: measured extents.
        patches: the pixels of each.
        boxes: the 2D box drawn for each, if any.
        frame: the frame they were measured in.
    """
    settled = list(items)
    for i in (int(k) for k in np.argsort([item.bottom for item in items])):
        item = settled[i]
        if not item.surface.is_support:
            continue
        carrier = _carrier(i, settled)
        if item.bottom_seen and carrier is None:
            continue
        if carrier is None and item.occlusion.lower < _RIM_BEFORE:
            below = _owner_below(i, patches, frame)
            if below is not None and _over_each_other(item, settled[below]):
                # It stands on that object, whose own top it hides: what is seen of its foot is its foot.
                settled[i] = replace(item, bottom_seen=True)
                settled[below] = _overhung(_topped(settled[below], item.bottom, item.noise), item)
                continue
        hidden = _hidden_carrier(i, settled) if carrier is None else None
        if carrier is not None:
            around = settled[carrier]
            sunk = item.low < around.top - _SUNK or item.occlusion.lower > _RIM_BEFORE
            if around.hollow or ((sunk or _leans(item)) and _fits_into(item, around)):
                # Nearer than the object right under it is the rim of what it stands in.
                settled[carrier] = around = replace(around, hollow=True)
            floor = around.bottom + _FLOOR if around.hollow else around.top
            certain = around.hollow or around.closed or not _fits_into(item, around) or _foot_shows(item, around)
            doubt = 0.0 if certain else _OPEN_DOUBT * around.height
            put = _put(item, min(floor, item.low + item.noise), around.top_sigma + doubt)
            settled[i] = _extended(put, around) if around.hollow else put
            settled[carrier] = around if around.hollow else _overhung(around, item)
        elif hidden is not None:
            gap = max(item.bottom - settled[hidden].top, 0.0)
            between, sigma = item.bottom - min(gap / 2.0, _HIDDEN_RIM), min(gap, 2.0 * _HIDDEN_RIM) / 3.0 + item.noise
            settled[i] = _put(item, between, sigma)
            settled[hidden] = replace(settled[hidden], top=between, top_sigma=float(sigma))
        elif not _on_something(i, item, patches, boxes[i], frame):
            # Nothing to be seen under it that could carry it: what hides its foot hides the plane's edge of it too.
            settled[i] = _put(item, 0.0, item.surface.sigma)
        else:
            # On something that nobody pointed at; or in it, as far as its lower outline is cut.
            cut = item.occlusion.lower * item.bottom
            settled[i] = replace(item, bottom_sigma=item.bottom_sigma + _OPEN_DOUBT * cut, hidden=0.5 * cut)
    return settled


def _topped(item: Lifted, top: float, noise: float) -> Lifted:
    """Return an object with its hidden top put where something stands on it, unless that is nowhere near."""
    return replace(item, top=top, top_sigma=item.top_sigma + noise) if 0.0 < top - item.top < _HIDDEN_TOP else item


def _overhung(carrier: Lifted, item: Lifted) -> Lifted:
    """Return an object with the doubt about its far side that one standing on it leaves, if that seems to reach beyond it."""
    near, far = _reach(carrier.footprint)
    front, back = _reach(item.footprint)
    hidden = back - far - max(near - front, 0.0)  # what reaches out as much before it stands in its middle
    if hidden < _OVERHANG:
        return carrier
    footprint = carrier.footprint
    across, along = footprint.play
    return replace(carrier, footprint=replace(footprint, play=(across, along + hidden / 2.0)))


def _reach(footprint: Footprint) -> tuple[float, float]:
    """Return the nearest and farthest place of a footprint along the view, metres."""
    half = footprint.depth / 2.0
    return float(footprint.center[1]) - half, float(footprint.center[1]) + half


def _over_each_other(upper: Lifted, lower: Lifted) -> bool:
    return _covers(lower.footprint, upper.footprint.center) or _covers(upper.footprint, lower.footprint.center)


def _owner_below(index: int, patches: list[Patch], frame: FrameGeometry) -> int | None:
    """Return which other object shows directly under most of this one's lower outline, or None."""
    rows, columns = _under_rim(patches[index], frame)
    if len(rows) == 0:
        return None
    best, share = None, 0.0
    for k, other in enumerate(patches):
        if k != index:
            seen = float(np.count_nonzero(other.holds(rows, columns))) / len(rows)
            if seen > share:
                best, share = k, seen
    return best if share > _BELOW_SHARE else None


def _put(item: Lifted, bottom: float, sigma: float) -> Lifted:
    hidden = max(item.bottom - bottom, 0.0)
    return replace(
        item,
        bottom=bottom,
        bottom_seen=True,
        bottom_sigma=sigma + _UNSURE * hidden,
        hidden=hidden,
        top=max(item.top, bottom + 1e-3),
    )


def _extended(item: Lifted, container: Lifted) -> Lifted:
    """Return a stick that stands in a container with its footprint reaching to its lower end."""
    if item.stick is None or item.hidden < _SUNK:
        return item
    footprint = item.stick.footprint(item.top, item.bottom, container.footprint)
    return replace(item, footprint=footprint, hidden=_STRAIGHT * item.hidden, extended=True)


def _carrier(index: int, items: list[Lifted]) -> int | None:
    """Return which object is under or around this one, or None."""
    item = items[index]
    best: int | None = None
    for k, other in enumerate(items):
        if k == index or other.surface is not item.surface or not _covers(other.footprint, _place(item, other.top)):
            continue
        # What is seen well below the top of another object, over its footprint, can only be in it.
        open_above = other.hollow or (item.low < other.top - _SUNK and not (item.bottom_seen and other.closed))
        within = open_above and _fits_into(item, other) and other.bottom - _FLOOR < item.low < other.top + _CONTACT
        on_top = abs(item.low - other.top) < _CONTACT and item.top > other.top
        if item.bottom_seen:  # so near the plane that it may as well stand there, beside what it seems to be over
            on_top = on_top and 2.0 * item.low > other.top and other.closed
        if (within or on_top) and (best is None or other.top > items[best].top):
            best = k
    return best


def _place(item: Lifted, height: float) -> NDArray[np.float64]:
    """Return (2,) where an object is at a height: a stick that leans is elsewhere there than what is seen of it."""
    return item.stick.at(height) if item.stick is not None and _leans(item) else item.footprint.center


def _leans(item: Lifted) -> bool:
    return item.stick is not None and float(np.linalg.norm(item.stick.lean)) > _LEANING


def _foot_shows(item: Lifted, carrier: Lifted) -> bool:
    """Whether an object is seen down to the top of what carries it: within an open rim, it would be seen deeper down."""
    camera_over_top = item.surface.offset - carrier.top
    distance = max(float(np.linalg.norm(carrier.footprint.center)), 1e-3)
    deeper = (carrier.footprint.width - item.footprint.width) / 2.0 * camera_over_top / distance
    return item.low > carrier.top - deeper / 2.0 + item.noise


def _fits_into(item: Lifted, carrier: Lifted) -> bool:
    return item.footprint.width < _NARROW * carrier.footprint.width


def _hidden_carrier(index: int, items: list[Lifted]) -> int | None:
    """Return which object stands under this one's middle with its top out of sight, or None."""
    item = items[index]
    best: int | None = None
    for k, other in enumerate(items):
        below = k != index and other.surface is item.surface and other.top < item.bottom + _CONTACT
        if below and item.bottom - other.top < _HIDDEN_TOP and _covers(item.footprint, other.footprint.center):
            best = k if best is None or other.top > items[best].top else best
    return best


def _covers(footprint: Footprint, point: NDArray[np.float64]) -> bool:
    """Whether a level point lies over a footprint, an eighth of its width beside it included."""
    (x, y), (along, across) = (point - footprint.center).tolist(), footprint.axis.tolist()  # asked of every pair
    margin = footprint.width / 8.0
    return (
        abs(x * along + y * across) < footprint.length / 2.0 + margin
        and abs(y * along - x * across) < footprint.width / 2.0 + margin
    )


def _under_rim(patch: Patch, frame: FrameGeometry) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the pixels a little under an object's lower outline, its lower half of columns."""
    columns, _, last = patch.by_column
    low = last >= median(last)
    under = np.add.outer(last[low], np.arange(*_BELOW))
    inside = under < frame.camera.height
    return under[inside], np.broadcast_to(columns[low][:, None], under.shape)[inside]


def _on_something(index: int, item: Lifted, patches: list[Patch], box: Box2D | None, frame: FrameGeometry) -> bool:
    """Whether a surface that is neither the plane nor an occluder shows directly under the object's lower rim.

    What is nobody's and shows within its own 2D box is its own lower part, not what it stands on.
    """
    z = frame.depth.reshape(-1)
    rows, columns = _under_rim(patches[index], frame)
    under = rows * frame.camera.width + columns
    measured = z[under] > 0
    rows, columns, under = rows[measured], columns[measured], under[measured]
    if len(under) < 10:
        return False
    other = np.ones(len(under), dtype=bool)
    if box is not None:
        other = (rows >= box[3]) | (columns < box[0]) | (columns >= box[2])
        for patch in patches:
            other |= patch.holds(rows, columns)
    points = frame.points(under)
    lifted = points @ item.surface.normal + item.surface.offset > _OFF_PLANE
    least = max(len(patches[index].pixels) // 10, 1)
    lowest = np.partition(patches[index].pixels, len(patches[index].pixels) - least)[-least:]
    z_rim = median(z[lowest])
    return bool((other & lifted & (points[:, 2] > z_rim - _SAME_DEPTH)).mean() > 0.5)

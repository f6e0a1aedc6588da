"""From an object's key views to its box: fit, check against the views, state the uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import Mat3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.fuse_box import FusedBox, fuse_box
from joyai_ros.scene.fuse_check import disagreeing
from joyai_ros.scene.fuse_sigma import FusedSigma, fuse_sigma
from joyai_ros.scene.fuse_views import KeyView, KeyViews, joined

_SETTLED = 1.0 / 3.0  # of the views that contradicted the first box: at most so many may contradict the second
_MOSTLY = 0.3  # of the views must have completed an object's box; more than half where they took it for round
_DOUBT = 2.0  # times its sigma: a box that most of its views contradict


@dataclass(frozen=True)
class Fused:
    """A box that several views agree on.

    Attributes:
        box: in the world.
        shape: how it was found (:mod:`joyai_ros.scene.fuse_box`).
        sigma: how far it may be off.
    """

    box: OrientedBox
    shape: str
    sigma: FusedSigma


def fuse(views: KeyViews, axes: Mat3, expected: str = "") -> Fused | None:
    """Return the box of an object from its key views; None where they hold too few points.

    Where most views contradict the box, some others have stretched it over what is not the object's: it is fitted anew
    from those that contradict it, and the others are given up if that settles it. If it does not, the box is published
    with a doubled sigma.

    Args:
        views: of the object; contradicting ones are removed in place.
        axes: (3, 3) rows: two level axes and up, in the world.
        expected: the shape that an earlier fit found; empty to try all.
    """
    found = fuse_box(views.views, joined(views.views), axes, expected)
    if found is None:
        return None
    against = disagreeing(found.box, found.shape, views.views)
    doubted = 2 * len(against) > len(views)
    if doubted and len(against) >= 2:
        second = fuse_box(against, joined(against), axes)
        if second is not None:
            still = disagreeing(second.box, second.shape, against)
            if len(still) <= _SETTLED * len(against):
                views.views, found, doubted = against, second, False
    if found.shape == "box":
        found = _completed(views.views) or found
    sigma = fuse_sigma(views.views, views.sides())
    return Fused(found.box, found.shape, sigma.times(_DOUBT) if doubted else sigma)


def _completed(views: list[KeyView]) -> FusedBox | None:
    """Return the most usual of the boxes that single views completed; None where few of them did.

    Points alone make a flat box of a cylinder that was seen from one side, and a short one of a pen in a cup. Coarse
    frames take a block for round now and then: that alone must not make a square of its box.
    """
    boxes = [view.completed for view in views if view.completed is not None]
    if len(boxes) < _MOSTLY * len(views):
        return None
    values = np.stack([np.concatenate([box.center, box.size]) for box in boxes])
    usual = int(np.argmin(np.abs(values - np.median(values, axis=0)).sum(axis=1)))
    length, width, _ = boxes[usual].size
    if length == width and 2 * len(boxes) <= len(views):
        return None
    return FusedBox(boxes[usual], "box")

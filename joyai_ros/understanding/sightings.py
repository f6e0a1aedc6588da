"""What of all that windows over an image show is a thing of its own: from how sure they are, and how like others each is.

Several windows show one thing, and their boxes differ. Boxes alone do not tell whether two that overlap are of one thing or of
two of which one hides a part of the other; that they hold the same kind and colour says more. So all of it is weighed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.boxes import Box2D, box2d_area, box2d_iou, box2d_shared

Array = NDArray[np.float64]

_EDGE, _NARROW = 1e-9, 0.005  # least area and width of a box
_LENIENT = 0.75  # put to the log odds: a thing that is hardly in sight is missed more often than one is made up
# What each of these signs adds to the log odds that a sighting is a thing of its own: fitted by benchmarks.sightings_told to
# the first 184 of its scenes, from seed 1750000.
SIGNS = {
    "always": -1.63,
    "sure": 0.61,  # see Sighting
    "seen": 0.24,
    "windows": 0.5,  # logarithm of one more than there are
    "named": 1.78,  # logarithm of how likely it is of the kind and of the colour of which it is likeliest
    "wide": 0.25,  # logarithm of its width
    "overlap": -1.89,  # the most with a thing that is surer, intersection over union
    "covered": -1.3,  # the largest share of it that the box of a surer one covers
    "overlap alike": -2.39,  # the same two, each times how likely both are of one kind and colour
    "covered alike": -2.52,
}


@dataclass(frozen=True)
class Sighting:
    """What may be a thing.

    Attributes:
        box: as shares of the image's width and height.
        sure: log odds that something is there, on average of the closer windows that show it or nothing.
        seen: the same of the window over the image that is surest.
        windows: that show it, of those over the image, each as far as it is sure.
        kinds, colors: (K,) and (C,) how likely it is of each.
    """

    box: Box2D
    sure: float
    seen: float
    windows: float
    kinds: Array
    colors: Array


def told_apart(sightings: Sequence[Sighting]) -> list[Box2D]:
    """Return the boxes of those that are things of their own, the surest first."""
    weights = np.array(list(SIGNS.values()))
    kept: list[Sighting] = []
    for each in surest_first(sightings):
        if signs_of(each, kept) @ weights + _LENIENT > 0.0:
            kept.append(each)
    return [each.box for each in kept]


def surest_first(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return sightings in the order in which they are told apart."""
    return sorted(sightings, key=lambda each: (-each.sure, -each.seen, -each.windows))


def signs_of(sighting: Sighting, surer: Sequence[Sighting]) -> Array:
    """Return what says that a sighting is a thing of its own beside surer ones: (10,) in the order of :data:`SIGNS`."""
    beside = np.zeros((1, 4))
    if surer:
        overlap = np.array([box2d_iou(sighting.box, other.box) for other in surer])
        covered = np.array([_covered(sighting.box, other.box) for other in surer])
        alike = np.array(
            [(sighting.kinds @ other.kinds) * (sighting.colors @ other.colors) for other in surer], dtype=np.float64
        )
        beside = np.column_stack([overlap, covered, overlap * alike, covered * alike])
    named = sum(math.log(max(float(shares.max()), _EDGE)) for shares in (sighting.kinds, sighting.colors))
    wide = math.log(max(sighting.box[2] - sighting.box[0], _NARROW))
    by_itself = [1.0, sighting.sure, sighting.seen, np.log1p(sighting.windows), named, wide]
    return np.array([*by_itself, *beside.max(axis=0)])


def _covered(box: Box2D, other: Box2D) -> float:
    """Return which share of a box another one covers."""
    return box2d_shared(box, other) / max(box2d_area(box), _EDGE)

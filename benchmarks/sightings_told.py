"""How well a listing tells apart what windows over an image show, and the weights of what it tells that by.

python -m benchmarks.sightings_told [--scenes 250] [--seed 1750000] [--model small-und] [--json]

Each scene is one image with the noise of a camera, from a seed that no training has seen, without boxes. What may be a thing is
one if its box overlaps by at least 0.35 (intersection over union, one to one, the surest first) that of a thing of which at
least half is in sight; of one of which a fifth is in sight but not half it counts as listed, neither as found nor as made up,
and no weight is fitted to it. Compared are weights that are fitted to the other half of the scenes and those of the
package (``joyai_ros.understanding.sightings.SIGNS``, fitted to the first 184 of the scenes that are the default here, with
eyes that were the mean of the same three trainings, a third each). Printed are the shares of the things that are found and
of the sightings that are taken for a thing and are none, and how many images, of those that show each of their things well
or not at all, have as many, fewer and more than there are. The fit is a logistic regression, held to small weights a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.listed_scenes import IN_SIGHT, SHOWN, TOGETHER, asked, boxes_shown, frames_of, lister_of, show
from benchmarks.stacks_told import fitted
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.sim.frames import SimFrame
from joyai_ros.understanding import sightings as package
from joyai_ros.understanding import window_reader
from joyai_ros.understanding.sightings import SIGNS, Sighting, signs_of, surest_first, told_apart

SCENES, SEED = 250, 1_750_000
OVERLAP = 0.35
NONE, PARTLY, THING = 0, 1, 2  # what a sighting is of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """What an image shows.

    Attributes:
        things, partly: boxes of what is well in sight, and of what is hardly.
        sightings: what may be a thing, the surest first.
        of: what each sighting is of: :data:`NONE`, :data:`PARTLY` or :data:`THING`.
    """

    things: tuple[Box2D, ...]
    partly: tuple[Box2D, ...]
    sightings: tuple[Sighting, ...]
    of: tuple[int, ...]


def told(scenes: int, seed: int, model: str) -> list[Shown]:
    """Return what the images of some scenes show."""
    lister = lister_of(model)
    given: list[list[Sighting]] = []

    def noted(sightings: Sequence[Sighting]) -> list[Box2D]:
        given.append(surest_first(sightings))
        return []

    found: list[Shown] = []
    for frames in frames_of(scenes, seed):
        with torch.inference_mode(), mock.patch.object(window_reader, "told_apart", noted):
            lister.write([frame.observation.color for frame in frames], [None] * len(frames), TOGETHER)
        found += [_shown(frame, sightings) for frame, sightings in zip(frames, given, strict=True)]
        given.clear()
    return found


def _shown(frame: SimFrame, sightings: Sequence[Sighting]) -> Shown:
    well = boxes_shown(frame, SHOWN)
    left = boxes_shown(frame, IN_SIGHT)
    partly = tuple(box for number, box in left.items() if number not in well)
    of = []
    for each in sightings:
        overlap, number = max(((box2d_iou(each.box, box), number) for number, box in left.items()), default=(0.0, 0))
        if overlap >= OVERLAP:
            of.append(THING if number in well else PARTLY)
            del left[number]
        else:
            of.append(NONE)
    return Shown(tuple(well.values()), partly, tuple(sightings), tuple(of))


def weights_of(images: Sequence[Shown]) -> Array:
    """Return the weights of signs by which it is told best what is a thing of its own, beside the surer ones that are."""
    signs, are = [], []
    for image in images:
        surer: list[Sighting] = []
        for each, of in zip(image.sightings, image.of, strict=True):
            if of != PARTLY:
                signs.append(signs_of(each, surer))
                are.append(of == THING)
            if of != NONE:
                surer.append(each)
    return fitted(np.array(signs), np.array(are))


def figures(images: Sequence[Shown], weights: Sequence[Array]) -> dict[str, float]:
    """Return what images are told to show, each by weights of its own."""
    things = found = taken = made_up = 0
    more = []
    for image, each in zip(images, weights, strict=True):
        with mock.patch.object(package, "SIGNS", dict(zip(SIGNS, each.tolist(), strict=True))):
            boxes = told_apart(image.sightings)
        is_of = {id(sighting.box): of for sighting, of in zip(image.sightings, image.of, strict=True)}
        of = [is_of[id(box)] for box in boxes]
        things, found = things + len(image.things), found + of.count(THING)
        taken, made_up = taken + len(of), made_up + of.count(NONE)
        if not image.partly:
            more.append(len(boxes) - len(image.things))
    differ = np.array(more)
    return {
        "found": found / things,
        "made up": made_up / max(taken, 1),
        "as many": float(np.mean(differ == 0)),
        "fewer": float(np.mean(differ < 0)),
        "more": float(np.mean(differ > 0)),
    }


def main() -> None:
    """Measure, fit and print."""
    given = asked("sightings_told", __doc__, SCENES, SEED)
    images = told(given.scenes, given.seed, given.model)
    every = [of for image in images for of in image.of]
    if min(every.count(NONE), every.count(THING)) < 2 * len(SIGNS) or all(image.partly for image in images):
        raise SystemExit("too few scenes to fit weights to; ask for more")
    halves = [weights_of(images[1 - half :: 2]) for half in (0, 1)]
    found: dict[str, Any] = {
        "images": len(images),
        "that show all well": sum(not image.partly for image in images),
        "things well in sight": sum(len(image.things) for image in images),
        "sightings": len(every),
        "of none": every.count(NONE),
        "fitted to the other half": figures(images, [halves[place % 2] for place in range(len(images))]),
        "as in the package": figures(images, [np.array(list(SIGNS.values()))] * len(images)),
        "weights": dict(zip(SIGNS, weights_of(images).round(2).tolist(), strict=True)),
    }
    show(found, given.json)


if __name__ == "__main__":
    main()

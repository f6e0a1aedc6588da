"""What small-und finds by itself: how many of the things in an image it lists, by their names, and how many it makes up.

python -m benchmarks.listing_found [--scenes 60] [--seed 1600000] [--model small-und] [--json]

Each scene is one image with the noise of a camera, from a seed that no training has seen. A thing counts as shown where at
least half of it is in sight, and as found where a listed box overlaps its box by at least 0.3 (intersection over union, one to
one). A listed box that overlaps nothing of which a fifth is in sight is made up.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.listed_scenes import IN_SIGHT, SHOWN, asked, backend_of, boxes_shown, frames_of, show
from joyai_ros.geometry.box_pairs import pair_boxes
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.sim.frames import SimFrame
from joyai_ros.understanding.listing import box_of, kind_word

SCENES, SEED = 60, 1_600_000
OVERLAP = 0.3
SIZES = (0.0, 0.06, 0.12, 1.0)  # of the longer side of a box, as a share of the image's longer side


@dataclass(frozen=True)
class Listed:
    """One entry of a listing: its box as shares of the image, the words for its kind and colour."""

    box: Box2D
    kind: str
    color: str


@dataclass(frozen=True)
class Thing:
    """One thing that an image shows.

    Attributes:
        size: of the longer side of its box, as a share of the image's longer side.
        found, named: whether it is listed, and by its kind and colour.
    """

    size: float
    found: bool
    named: bool


@dataclass(frozen=True)
class Outcome:
    """What the listings of some images are worth.

    Attributes:
        things: all that are shown.
        listed: how many entries there are.
        made_up: how many of them are of nothing.
        exact: share of the images of which as many things are listed as are shown.
        seconds: processor time of one thread that an image took to be listed.
    """

    things: list[Thing]
    listed: int
    made_up: int
    exact: float
    seconds: float

    def share(self, what: str, least: float = 0.0, most: float = 1.0) -> float:
        """Return the share of the things of a range of sizes that are ``found`` or ``named``; NaN where there are none."""
        of_size = [getattr(thing, what) for thing in self.things if least <= thing.size <= most]
        return float(np.mean(of_size)) if of_size else float("nan")


def measured(scenes: int = SCENES, seed: int = SEED, model: str = "small-und") -> Outcome:
    """List the first image of some scenes and hold the listings against what is true."""
    backend = backend_of(model)
    things: list[Thing] = []
    listed = made_up = exact = 0
    seconds = 0.0
    for frames in frames_of(scenes, seed):
        started = time.process_time()
        texts = backend.listings([frame.observation.color for frame in frames])
        seconds += time.process_time() - started
        for frame, text in zip(frames, texts, strict=True):
            entries = [_entry(words) for words in text.removesuffix(".").split(";") if words]
            shown = _things(frame, entries)
            in_sight = boxes_shown(frame, IN_SIGHT).values()
            things += shown
            listed += len(entries)
            made_up += sum(all(box2d_iou(entry.box, box) < OVERLAP for box in in_sight) for entry in entries)
            exact += len(entries) == len(shown)
    return Outcome(things, listed, made_up, exact / scenes, seconds / scenes)


def _entry(words: str) -> Listed:
    x, y, width, height, kind, color, *_ = words.split()
    return Listed(box_of(f"{x} {y} {width} {height}"), kind, color)


def _things(frame: SimFrame, entries: list[Listed]) -> list[Thing]:
    """Return what a frame shows, and how it is listed."""
    height, width = frame.truth.camera.shape
    shown = boxes_shown(frame, SHOWN)
    pairs = pair_boxes(list(shown.values()), [entry.box for entry in entries], OVERLAP)
    listed_as = {row: entries[column] for row, column in pairs}
    things = []
    for row, (number, (x0, y0, x1, y1)) in enumerate(shown.items()):
        truth, entry = frame.truth.world.objects[number], listed_as.get(row)
        size = max((x1 - x0) * width, (y1 - y0) * height) / max(width, height)
        named = entry is not None and (entry.kind, entry.color) == (kind_word(truth.kind).strip(), truth.color)
        things.append(Thing(size, entry is not None, named))
    return things


def main() -> None:
    """Measure and print."""
    given = asked("listing_found", __doc__, SCENES, SEED)
    found = measured(given.scenes, given.seed, given.model)
    sizes = itertools.pairwise(SIZES)
    figures: dict[str, Any] = {
        "things shown": len(found.things),
        "found": found.share("found"),
        "found and named": found.share("named"),
        "listed": found.listed,
        "made up": found.made_up / max(found.listed, 1),
        "images with as many listed as shown": found.exact,
        "processor seconds an image": found.seconds,
        **{f"found of {least:g} to {most:g} of the image": found.share("found", least, most) for least, most in sizes},
    }
    show(figures, given.json)


if __name__ == "__main__":
    main()

"""What each part of an image shows, known from the masks of its objects: dense supervision for image tokens."""

from __future__ import annotations

import numpy as np

from joyai_ros.geometry.arrays import Mask
from joyai_ros.training.data.records import Frame, SeenObject
from joyai_ros.understanding.listing import box_words, kind_word

NOTHING = "."  # what a part shows that is background
_ENOUGH = 0.2  # share of a part that an object must fill to be what it shows


def shown_cells(frame: Frame, mirrored: bool, rows: int, columns: int) -> list[SeenObject | None]:
    """Return what most of each part of an image shows: an object, or None; row by row.

    Args:
        frame: of a store.
        mirrored: whether left and right are exchanged.
        rows, columns: of parts.
    """
    height, width = frame.camera.shape
    shares = np.zeros((len(frame.objects), rows, columns))
    for number, thing in enumerate(frame.objects):
        if thing.measured.box is not None:
            shares[number] = _shares(thing, height, width, rows, columns)
    if mirrored:
        shares = shares[:, :, ::-1]
    if not len(frame.objects):
        return [None] * (rows * columns)
    best = shares.argmax(0).ravel()
    enough = shares.max(0).ravel() >= _ENOUGH
    return [frame.objects[int(k)] if yes else None for k, yes in zip(best, enough, strict=True)]


def cell_words(frame: Frame, mirrored: bool, thing: SeenObject | None) -> tuple[str, ...]:
    """Return the words for what a part of an image shows, as they stand in a listing: kind, colour, and where its middle is.

    By the numbers of the middle a listing's entry finds the parts of the image that it is about.
    """
    if thing is None or thing.measured.box is None:
        return (NOTHING,)
    x0, y0, x1, y1 = thing.measured.box
    width, height = frame.camera.size
    left, right = (1.0 - x1 / width, 1.0 - x0 / width) if mirrored else (x0 / width, x1 / width)
    place = box_words((left, y0 / height, right, y1 / height))[:2]
    return (kind_word(thing.kind), *((f" {thing.color}",) if thing.color else ()), *place)


def _shares(thing: SeenObject, height: int, width: int, rows: int, columns: int) -> np.ndarray:
    """Return the share of each part that an object fills, (rows, columns)."""
    assert thing.measured.box is not None
    x0, y0, x1, y1 = (round(value) for value in thing.measured.box)
    full: Mask = np.zeros((height, width), dtype=bool)
    full[y0:y1, x0:x1] = thing.mask()
    tops = (np.arange(rows) * height) // rows
    lefts = (np.arange(columns) * width) // columns
    sums = np.add.reduceat(np.add.reduceat(full.astype(np.int32), tops, axis=0), lefts, axis=1)
    return sums / (height / rows * width / columns)

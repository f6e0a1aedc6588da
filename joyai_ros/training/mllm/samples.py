"""What is learned from: prompts with their answers, about images of a store or about none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.store import Store
from joyai_ros.understanding.anchors import draw_marks
from joyai_ros.understanding.listing import cut_out

QUESTIONS = "questions"  # the dataset of a store's own questions


@dataclass(frozen=True)
class ImageRef:
    """An image of a store.

    Attributes:
        store: its folder.
        shard, frame: where it is.
        marked: with its objects numbered.
        mirrored: with left and right exchanged.
        gain: by which it is lighter.
        window: that is cut out of it, (x0, y0, x1, y1) as shares of its width and height; None for the whole image.
        shows: words for what is in the window's middle, each with the token that learns to show it: how many rows below the
            middle one, and how many columns to the right of it.
    """

    store: str
    shard: str
    frame: str
    marked: bool
    mirrored: bool = False
    gain: float = 1.0
    window: Box2D | None = None
    shows: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Sample:
    """A prompt and its answer. Chat template, system text and image size are the processor's.

    Attributes:
        id: unique within its store.
        task: a name in the task table, or of an exercise.
        images: shown before the prompt; none for text alone.
        prompt, answer: as the model reads and writes them; without an answer the images alone are learned from.
        dataset: by which mixtures name it.
        lead: what is known of the images, between them and the prompt; see :mod:`joyai_ros.understanding.listing`.
        more: further prompts with their answers, turn by turn.
        weight: of each token of its answers, beside those of other samples.
        asks: whether it is a question, before which the system text stands.
        given: the beginning of the answer, which is not learned: it cannot be foretold from what stands before it.
    """

    id: str
    task: str
    images: tuple[ImageRef, ...]
    prompt: str
    answer: str
    dataset: str
    lead: str = ""
    more: tuple[tuple[str, str], ...] = ()
    asks: bool = True
    weight: float = 1.0
    given: str = ""


def read_datasets(store: Store, split: str) -> dict[str, Sequence[Sample]]:
    """Return the samples of a split, by dataset.

    Raises:
        StoreError: a shard cannot be read, or there are none.
    """
    found = []
    for entry in store.shards(split):
        for item in store.read(entry).items:
            images = tuple(ImageRef(str(store.folder), entry.name, frame, bool(item.objects)) for frame in item.frames)
            found.append(Sample(item.id, item.task, images, item.prompt, item.answer, QUESTIONS))
    if not found:
        raise StoreError(f"{store.folder} has no questions in the split {split}; choose another, or build more scenes")
    return {QUESTIONS: found}


class Pictures:
    """Reads the images of samples."""

    def __init__(self, stores: Iterable[Store], split: str) -> None:
        """Read what is needed to find them.

        Raises:
            StoreError: a shard cannot be read.
        """
        self._stores = {str(store.folder): store for store in stores}
        self._frames = {
            (name, entry.name, frame.id): (entry, frame)
            for name, store in self._stores.items()
            for entry in store.shards(split)
            for frame in store.read(entry).frames
        }
        self._whole = lru_cache(1)(self._read)  # the windows of a sample are of one image

    def __call__(self, ref: ImageRef) -> ColorImage:
        """Return an image as a question shows it, (H, W, 3) uint8 RGB.

        Raises:
            StoreError: it cannot be read.
        """
        whole = self._whole(replace(ref, window=None, shows=()))
        return whole if ref.window is None else cut_out(whole, ref.window)

    def _read(self, ref: ImageRef) -> ColorImage:
        entry, frame = self._frames[ref.store, ref.shard, ref.frame]
        color = self._stores[ref.store].color(entry, frame)
        boxes = [thing.measured.box for thing in frame.objects]
        if ref.mirrored:
            width = color.shape[1]
            color = np.ascontiguousarray(color[:, ::-1])
            boxes = [box and (width - box[2], box[1], width - box[0], box[3]) for box in boxes]
        if ref.gain != 1.0:
            color = cv2.convertScaleAbs(color, alpha=ref.gain)
        return draw_marks(color, boxes) if ref.marked else color

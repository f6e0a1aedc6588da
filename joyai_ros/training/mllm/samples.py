"""What is learned from: prompts with their answers, about images of a store or about none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.store import Store
from joyai_ros.training.mllm.cells import cell_words, shown_cells
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
        cut: box that is cut out of it, (x0, y0, x1, y1) as shares of its width and height; None for the whole image.
        thing: place in the frame of the object that is cut out; None for the whole image.
    """

    store: str
    shard: str
    frame: str
    marked: bool
    mirrored: bool = False
    gain: float = 1.0
    cut: Box2D | None = None
    thing: int | None = None


@dataclass(frozen=True)
class Sample:
    """A prompt and its answer. Chat template, system text and image size are the processor's.

    Attributes:
        id: unique within its store.
        task: a name in the task table, or of an exercise.
        images: shown before the prompt; none for text alone.
        prompt, answer: as the model reads and writes them.
        dataset: by which mixtures name it.
        lead: what is known of the images, between them and the prompt; see :mod:`joyai_ros.understanding.listing`.
        more: further prompts with their answers, turn by turn.
        cells: whether the image's tokens learn to say what they show.
        weight: of each token of its answers, beside those of other samples.
        asks: whether it is a question, before which the system text stands.
    """

    id: str
    task: str
    images: tuple[ImageRef, ...]
    prompt: str
    answer: str
    dataset: str
    lead: str = ""
    more: tuple[tuple[str, str], ...] = ()
    cells: bool = False
    asks: bool = True
    weight: float = 1.0


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

    def __call__(self, ref: ImageRef) -> ColorImage:
        """Return an image as a question shows it, (H, W, 3) uint8 RGB.

        Raises:
            StoreError: it cannot be read.
        """
        entry, frame = self._frames[ref.store, ref.shard, ref.frame]
        color = self._stores[ref.store].color(entry, frame)
        boxes = [thing.measured.box for thing in frame.objects]
        if ref.mirrored:
            width = color.shape[1]
            color = np.ascontiguousarray(color[:, ::-1])
            boxes = [box and (width - box[2], box[1], width - box[0], box[3]) for box in boxes]
        if ref.gain != 1.0:
            color = cv2.convertScaleAbs(color, alpha=ref.gain)
        if ref.marked:
            color = draw_marks(color, boxes)
        return color if ref.cut is None else cut_out(color, ref.cut)

    def words(self, ref: ImageRef, rows: int, columns: int) -> list[tuple[str, ...]]:
        """Return kind, colour and place of what each part of an image shows, row by row, in words that a listing has.

        Of what is cut out its middle alone: kind and colour of the object.
        """
        _, frame = self._frames[ref.store, ref.shard, ref.frame]
        if ref.thing is not None:
            middle = rows // 2 * columns + columns // 2
            said = cell_words(frame, ref.mirrored, frame.objects[ref.thing])[:-2]
            return [said if place == middle else () for place in range(rows * columns)]
        shown = shown_cells(frame, ref.mirrored, rows, columns)
        return [cell_words(frame, ref.mirrored, thing) for thing in shown]

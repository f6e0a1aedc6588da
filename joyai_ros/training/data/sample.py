"""A look at single questions: the images as a model sees them, the prompt and the answer below."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.training.data.records import Content, Frame, Item
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.understanding.anchors import draw_marks

_WIDTH, _LINE, _LETTERS = 480, 18, 78  # pixels of an image, pixels of a line of text, characters in it


def shown_image(color: ColorImage, frame: Frame, item: Item) -> ColorImage:
    """Return a frame as a question shows it: with its objects numbered where the question is about some of them."""
    return draw_marks(color, [thing.measured.box for thing in frame.objects]) if item.objects else color


def sample_sheet(store: Store, count: int, seed: int, split: str | None = None) -> ColorImage:
    """Return a picture of some questions, drawn at random, as many tasks as possible; (H, W, 3) uint8 RGB.

    Raises:
        StoreError: a shard cannot be read, or holds no questions.
    """
    random = np.random.default_rng(seed)
    entries = [entry for entry in store.shards(split) if entry.counts["questions"]]
    if not entries:
        return _text("there are no questions", 2 * _WIDTH)
    entry = entries[int(random.integers(len(entries)))]
    content = store.read(entry)
    by_task: dict[str, list[Item]] = {}
    for index in random.permutation(len(content.items)):
        item = content.items[int(index)]
        by_task.setdefault(item.task, []).append(item)
    turns = [items[turn] for turn in range(count) for items in by_task.values() if turn < len(items)]
    return np.vstack([_row(store, entry, content, item) for item in turns[:count]])


def _row(store: Store, entry: ShardEntry, content: Content, item: Item) -> ColorImage:
    frames = {frame.id: frame for frame in content.frames}
    shown = [shown_image(store.color(entry, frames[name]), frames[name], item) for name in item.frames]
    scaled = [cv2.resize(image, (_WIDTH, round(_WIDTH * image.shape[0] / image.shape[1]))) for image in shown]
    if len(scaled) == 1:
        scaled.append(np.full_like(scaled[0], 255))
    picture = np.hstack(scaled)
    return np.vstack([picture, _text(f"{item.task}: {item.prompt}\n{item.answer}", picture.shape[1])])


def _text(text: str, width: int) -> ColorImage:
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, _LETTERS * width // (2 * _WIDTH) * 2)]
    image = np.full((_LINE * (len(lines) + 1), width, 3), 255, np.uint8)
    for number, line in enumerate(lines, start=1):
        place = (6, _LINE * number)
        cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return image

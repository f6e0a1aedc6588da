"""Questions in the formats of other trainers: ms-swift and LLaVA JSON lines, VLMEvalKit's TSV."""

from __future__ import annotations

import base64
import csv
import enum
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.training.data.records import Content, Frame, Item
from joyai_ros.training.data.sample import shown_image
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.understanding.prompts import SYSTEM
from joyai_ros.understanding.tasks import TASKS

_QUALITY = 92
_LETTERS = "ABCDEFGHIJKLMNOP"
_KEPT = 16  # encoded images; questions about a frame come one after the other
_OPTIONS = " Answer with one of: "


class Format(str, enum.Enum):
    """What :func:`export_store` writes."""

    SWIFT = "ms-swift"  # JSON lines: messages and images
    LLAVA = "llava"  # JSON lines: conversations
    VLMEVAL = "vlmevalkit"  # TSV of multiple choice, with the images inside


def export_store(
    store: Store, folder: Path, wanted: Format, split: str, progress: Callable[[int], None] | None = None
) -> dict[str, int]:
    """Write a split of a store and return how many questions were written, and how many images.

    Images stand in ``images/`` beside the file as a model sees them, numbered where a question points; those of the TSV are
    inside of it.

    Args:
        store: to export.
        folder: new or empty.
        wanted: the format.
        split: of the store.
        progress: called with the number of questions written.

    Raises:
        StoreError: a shard cannot be read.
        InputError: something stands at ``folder``, or the split holds no questions.
        OSError: the disk is full.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; choose another place")
    if not any(entry.counts["questions"] for entry in store.shards(split)):
        raise InputError(f"{store.folder} has no questions in the split {split}")
    folder.mkdir(parents=True, exist_ok=True)
    images = _Images(store, folder, wanted)
    written = 0
    name = f"{split}.tsv" if wanted is Format.VLMEVAL else f"{split}.jsonl"
    partial = folder / f"{name}.partial"
    with partial.open("w", encoding="utf-8", newline="") as file:
        write = _tsv_writer(file) if wanted is Format.VLMEVAL else _line_writer(file)
        for entry in store.shards(split):
            content = store.read(entry)
            for row in _rows(entry, content, wanted, images):
                write({"index": written, **row} if wanted is Format.VLMEVAL else row)
                written += 1
                if progress is not None and written % 50 == 0:
                    progress(written)
    partial.rename(folder / name)
    return {"questions": written, "images": images.count}


def _rows(entry: ShardEntry, content: Content, wanted: Format, images: _Images) -> Iterator[dict[str, Any]]:
    frames = {frame.id: frame for frame in content.frames}
    for item in content.items:
        shown = [frames[name] for name in item.frames]
        if wanted is Format.VLMEVAL:
            if (row := _tsv_row(item)) is not None:
                pictures = [images.inline(entry, frame, item) for frame in shown]
                yield {"image": pictures[0] if len(pictures) == 1 else json.dumps(pictures), **row}
            continue
        paths = [images.path(entry, frame, item) for frame in shown]
        yield _swift(item, paths) if wanted is Format.SWIFT else _llava(item, paths)


def _swift(item: Item, images: list[str]) -> dict[str, Any]:
    asked = {"role": "user", "content": "<image>" * len(images) + item.prompt}
    messages = [{"role": "system", "content": SYSTEM}, asked, {"role": "assistant", "content": item.answer}]
    return {"messages": messages, "images": images, "task": item.task, "id": item.id}


def _llava(item: Item, images: list[str]) -> dict[str, Any]:
    said = [
        {"from": "human", "value": "<image>\n" * len(images) + item.prompt},
        {"from": "gpt", "value": item.answer},
    ]
    return {"id": item.id, "image": images[0] if len(images) == 1 else images, "conversations": said, "task": item.task}


def _tsv_row(item: Item) -> dict[str, str] | None:
    """Return a row with lettered options; None for a question that is not one of multiple choice."""
    said = json.loads(item.answer).get("answer")
    question, _, listed = item.prompt.rpartition(_OPTIONS)
    if said is None or not question:
        return None
    options = listed.removesuffix(".").split(", ")
    lettered = dict(zip(_LETTERS, options, strict=False))
    about = {"id": item.id, "category": item.task, "l2-category": TASKS[item.task].capability.value}
    return {**about, "question": question, **lettered, "answer": _LETTERS[options.index(said)]}


class _Images:
    """Images as questions show them, each written once."""

    def __init__(self, store: Store, folder: Path, wanted: Format) -> None:
        self._store, self._folder = store, folder
        self._paths: dict[tuple[str, bool], str] = {}
        self._encodings: dict[tuple[str, bool], str] = {}
        if wanted is not Format.VLMEVAL:
            (folder / "images").mkdir(exist_ok=True)

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self._paths)

    def path(self, entry: ShardEntry, frame: Frame, item: Item) -> str:
        """Return an image's path, relative to the folder."""
        key = (frame.id, bool(item.objects))
        if key not in self._paths:
            name = f"images/{frame.id.replace('/', '_')}{'_marked' if item.objects else ''}.jpg"
            (self._folder / name).write_bytes(self._encoded(entry, frame, item))
            self._paths[key] = name
        return self._paths[key]

    def inline(self, entry: ShardEntry, frame: Frame, item: Item) -> str:
        """Return an image in base64."""
        key = (frame.id, bool(item.objects))
        if key not in self._encodings:
            if len(self._encodings) >= _KEPT:
                self._encodings.clear()
            self._encodings[key] = base64.b64encode(self._encoded(entry, frame, item)).decode()
        return self._encodings[key]

    def _encoded(self, entry: ShardEntry, frame: Frame, item: Item) -> bytes:
        image: ColorImage = shown_image(self._store.color(entry, frame), frame, item)
        flags = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)[1].tobytes())


def _line_writer(file: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _tsv_writer(file: Any) -> Callable[[dict[str, Any]], None]:
    columns = ["index", "id", "image", "question", *_LETTERS, "answer", "category", "l2-category"]
    writer = csv.DictWriter(file, columns, delimiter="\t", restval="", lineterminator="\n")
    writer.writeheader()
    return writer.writerow

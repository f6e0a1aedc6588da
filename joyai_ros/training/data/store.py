"""The store on disk: a folder of shards, each whole or not there, and a manifest with what is in them.

====================================== ==========================================================
manifest.json                          what it was made of: source, seed, settings; the shards with sizes and hashes
shards/<name>/frames.parquet           one row for each frame
shards/<name>/objects.parquet          one row for each object of each frame
shards/<name>/questions.parquet        questions and answers
shards/<name>/pairs.parquet            pairs of views
shards/<name>/images/                  colour (jpeg) and depth (16-bit png, millimetres)
====================================== ==========================================================

A shard is of one split. It is written beside its place (``.partial``) and renamed when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from joyai_ros.errors import InputError, OutputError
from joyai_ros.geometry.arrays import ColorImage, DepthImage
from joyai_ros.messages.images import millimetres
from joyai_ros.training.data import tables
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.records import Content, Frame, Pixels

FORMAT = 1
MANIFEST, SHARDS, PARTIAL = "manifest.json", "shards", ".partial"
SPLITS = ("train", "validation", "test")
FILES = ("frames.parquet", "objects.parquet", "questions.parquet", "pairs.parquet")


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest says of a shard.

    Attributes:
        name, split: of the shard.
        scenes: ids of its scenes.
        files: size in bytes and SHA-256 of each table.
        counts: rows of each table.
        left_out: what could not be used, by reason.
    """

    name: str
    split: str
    scenes: tuple[str, ...]
    files: dict[str, tuple[int, str]]
    counts: dict[str, int]
    left_out: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """What a store was made of and what is in it.

    Attributes:
        version: of the package that made it.
        source: ``tabletop-v1`` or ``recordings``.
        seed: of everything drawn.
        scenes: ids of all that were asked for.
        settings: by dotted name.
        shards: the finished ones, by name.
        complete: nothing is missing.
    """

    version: str
    source: str
    seed: int
    scenes: tuple[str, ...]
    settings: dict[str, Any]
    shards: tuple[ShardEntry, ...] = ()
    complete: bool = False

    def data_hash(self) -> str:
        """Return one SHA-256 for all tables, and through their hashes of the images for these too."""
        lines = [f"{e.name} {name} {digest}" for e in self.shards for name, (_, digest) in sorted(e.files.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all.

    Raises:
        OutputError: it cannot be written; the old one stands.
    """
    content = {"format": FORMAT, **asdict(manifest), "data_hash": manifest.data_hash()}
    partial = folder / (MANIFEST + PARTIAL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, folder / MANIFEST)
    except OSError as error:
        raise OutputError(f"{folder / MANIFEST} cannot be written ({error.strerror}); the old one stands") from error


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a store.

    Raises:
        StoreError: there is none, or it is not one of this format.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        number = content.pop("format")
        content.pop("data_hash")
        if number != FORMAT:
            raise StoreError(f"{path} has format {number}; this version reads {FORMAT}")
        shards = tuple(_entry(item) for item in content.pop("shards"))
        return Manifest(**{**content, "shards": shards, "scenes": tuple(content["scenes"])})
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no {MANIFEST}; make a store with joyai-ros data build") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is not the manifest of a store: {error}") from None


def _entry(item: dict[str, Any]) -> ShardEntry:
    files = {str(name): (int(size), str(digest)) for name, (size, digest) in item["files"].items()}
    return ShardEntry(**{**item, "scenes": tuple(item["scenes"]), "files": files})


class ShardWriter:
    """Writes one shard. Its images go to disk as they come; :meth:`finish` makes it appear."""

    def __init__(self, folder: Path, name: str, split: str, jpeg_quality: int) -> None:
        self._place = folder / SHARDS / name
        self._work = self._place.with_name(name + PARTIAL)
        self._name, self._split, self._quality = name, split, jpeg_quality
        with self._writing():
            shutil.rmtree(self._work, ignore_errors=True)
            (self._work / "images").mkdir(parents=True)

    def add(self, frame: Frame) -> Frame:
        """Write a frame's images and return it with their names and without its pixels."""
        assert frame.pixels is not None
        stem = frame.id.replace("/", "_")
        image, depth = f"images/{stem}.jpg", f"images/{stem}.png"
        flags = [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        _, color_bytes = cv2.imencode(".jpg", cv2.cvtColor(frame.pixels.color, cv2.COLOR_RGB2BGR), flags)
        _, depth_bytes = cv2.imencode(".png", millimetres(frame.pixels.depth))
        with self._writing():
            (self._work / image).write_bytes(color_bytes.tobytes())
            (self._work / depth).write_bytes(depth_bytes.tobytes())
        digests = hashlib.sha256(color_bytes.tobytes()), hashlib.sha256(depth_bytes.tobytes())
        values = {**vars(frame), "image": image, "depth": depth, "pixels": None}
        return Frame(**{**values, "image_hash": digests[0].hexdigest(), "depth_hash": digests[1].hexdigest()})

    def write(self, content: Content) -> Content:
        """Write the tables and return them as they are read back."""
        with self._writing():
            for name, table in zip(FILES, _tables(content), strict=True):
                pyarrow.parquet.write_table(table, self._work / name, compression="zstd")
        return _read_tables(self._work)

    def finish(self, content: Content, left_out: dict[str, int]) -> ShardEntry:
        """Put the shard in its place and return what the manifest says of it."""
        files = {name: (size_and_hash(self._work / name)) for name in FILES}
        scenes = tuple(dict.fromkeys(frame.scene for frame in content.frames))
        counts = {
            "frames": len(content.frames),
            "objects": sum(len(frame.objects) for frame in content.frames),
            "questions": len(content.items),
            "pairs": len(content.pairs),
        }
        with self._writing():
            shutil.rmtree(self._place, ignore_errors=True)
            self._work.rename(self._place)
        return ShardEntry(self._name, self._split, scenes, files, counts, left_out)

    def discard(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _writing(self) -> _Writing:
        return _Writing(self._place)


class _Writing:
    """Turns what the system says while a shard is written into an :class:`OutputError`."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):  # pyarrow's too
            reason = error.strerror or str(error)
            raise OutputError(
                f"shard {self._place.name} cannot be written to {self._place.parent} ({reason}); finished shards are whole: "
                "make room and run the same command again, it goes on from there"
            ) from error


def size_and_hash(path: Path) -> tuple[int, str]:
    """Return a file's size in bytes and its SHA-256."""
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


class Store:
    """A store to read.

    Attributes:
        folder: where it is.
        manifest: what is in it.
    """

    def __init__(self, folder: Path) -> None:
        """Open a store.

        Raises:
            StoreError: there is none, or its manifest is not one.
        """
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)

    def shards(self, split: str | None = None) -> Iterator[ShardEntry]:
        """Yield the shards of a split, or all."""
        for entry in self.manifest.shards:
            if split is None or entry.split == split:
                yield entry

    def path(self, entry: ShardEntry) -> Path:
        """Return a shard's folder."""
        return self.folder / SHARDS / entry.name

    def read(self, entry: ShardEntry) -> Content:
        """Return everything in a shard but its images.

        Raises:
            StoreError: a table is missing, cut short or damaged.
        """
        for name, (size, digest) in entry.files.items():
            path = self.path(entry) / name
            if not path.is_file():
                raise StoreError(f"{path} is missing; build the store again")
            found = size_and_hash(path)
            if found[0] != size:
                raise StoreError(
                    f"{path} is cut short: it has {found[0]} bytes and was written with {size}; remove the shard's folder "
                    "and build again, the other shards are kept"
                )
            if found[1] != digest:
                raise StoreError(f"{path} was changed after it was written (its SHA-256 is another); build it again")
        return _read_tables(self.path(entry))

    def color(self, entry: ShardEntry, frame: Frame) -> ColorImage:
        """Return a frame's image, (H, W, 3) uint8 RGB.

        Raises:
            StoreError: it is missing, damaged, or of another size than its camera.
        """
        image = cv2.cvtColor(_decoded(self.path(entry) / frame.image, cv2.IMREAD_COLOR, frame), cv2.COLOR_BGR2RGB)
        return np.asarray(image, np.uint8)

    def depth(self, entry: ShardEntry, frame: Frame) -> DepthImage:
        """Return a frame's depth, (H, W) float32 metres, 0 where there is none.

        Raises:
            StoreError: as for :meth:`color`.
        """
        counts = _decoded(self.path(entry) / frame.depth, cv2.IMREAD_UNCHANGED, frame)
        return np.asarray(counts, np.float32) / 1000.0

    def with_pixels(self, entry: ShardEntry, frame: Frame) -> Frame:
        """Return a frame with its images."""
        pixels = Pixels(self.color(entry, frame), self.depth(entry, frame))
        return Frame(**{**vars(frame), "pixels": pixels})


def _decoded(path: Path, flags: int, frame: Frame) -> Any:
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except cv2.error:  # an empty file
        image = None
    if image is None or image.shape[:2] != frame.camera.shape:
        raise StoreError(f"{path} is no image of {frame.camera.width}x{frame.camera.height}; build it again")
    return image


def _tables(content: Content) -> tuple[pa.Table, ...]:
    return (
        tables.frame_table(content.frames),
        tables.object_table(content.frames),
        tables.item_table(content.items),
        tables.pair_table(content.pairs),
    )


def _read_tables(folder: Path) -> Content:
    try:
        frames, objects, items, pairs = (pyarrow.parquet.read_table(folder / name, use_threads=False) for name in FILES)
        return Content(tables.frames_of(frames, objects), tables.items_of(items), tables.pairs_of(pairs))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise StoreError(f"{folder} holds no tables of a shard: {' '.join(str(error).split())}") from error

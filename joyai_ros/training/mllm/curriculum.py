"""Exercises for a model that writes a listing of what it sees and answers from it, made of the frames of a store.

=============== ===================================================================================================
``boxes``       an image, and the boxes of its listing to be written; beside it what each part of the image shows
``contents``    what a box holds, cut out of an image, and its kind and colour to be written
``lengths``     no image: the boxes, kinds and colours of a listing, and the whole listing to be written
``choices``     no image: the entries of some marks, and a question that one of a few words answers
``comparisons`` no image: a listing, and questions that are answered from it
=============== ===================================================================================================

Every exercise follows from (store, seed, number) alone. For ``comparisons`` the lengths in a listing that is given are as
uncertain as those that a model writes, so that it learns how far to trust them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from joyai_ros.geometry.boxes import Box2D
from joyai_ros.scene.level import level_basis
from joyai_ros.training.data.ask import vocabulary_of
from joyai_ros.training.data.records import Frame, SeenObject
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.training.mllm import comparisons
from joyai_ros.training.mllm.comparisons import Drawn, ask_marked, ask_motion, ask_named, things_of
from joyai_ros.training.mllm.evidence import evidence_of, motion_evidence
from joyai_ros.training.mllm.samples import ImageRef, Sample
from joyai_ros.understanding.listing import (
    LEAD_END,
    LIST,
    Entry,
    box_words,
    boxes_text,
    content_words,
    in_order,
    listing_text,
    quoted,
    seen_text,
)

KINDS = BOXES, CONTENTS, LENGTHS, CHOICES, COMPARISONS = ("boxes", "contents", "lengths", "choices", "comparisons")
VARIANTS = 64  # of each exercise with a frame
_TOGETHER = 6  # questions after a whole listing, at most
_NAMED = 0.25  # share of the exercises whose questions go without marks
_WEIGHT = 3.0  # of the tokens of answers beside those of listings, of which there are many more
_MOTIONS = 0.1  # share of the exercises that ask how the camera moved
_LEAST_SEEN = 0.2  # share of an object below which an image without marks does not show it
_SCALE = 0.08  # standard deviation of given lengths that is common to all of an image
_EACH = (0.02, 0.03, 0.07, 0.09)  # and of each: of right and distance together, ahead, longest and height
_CERTAIN = 0.4  # share of the listings that are given as they are
_JITTER = 0.05  # standard deviation of the sides of a box that is looked into, over its size
_EXPOSURE = 0.15  # images are lighter or darker by up to this share


class Exercises(Sequence[Sample]):
    """One kind of exercises with the frames of a split.

    Args:
        store: with the frames.
        split: of it.
        kind: see above.
        seed: of everything drawn.
        frames: returns those of a shard.
    """

    def __init__(
        self, store: Store, split: str, kind: str, seed: int, frames: Callable[[ShardEntry], tuple[Frame, ...]]
    ) -> None:
        self._store, self._kind, self._seed = store, kind, seed
        self._entries: list[ShardEntry] = list(store.shards(split))
        self._ends = np.cumsum([entry.counts["frames"] for entry in self._entries])
        self._frames_of = frames
        self._vocabulary = vocabulary_of(self._frames(0)) if self._entries else []

    def __len__(self) -> int:
        return int(self._ends[-1]) * VARIANTS if len(self._ends) else 0

    @overload
    def __getitem__(self, number: int) -> Sample: ...

    @overload
    def __getitem__(self, number: slice) -> list[Sample]: ...

    def __getitem__(self, number: int | slice) -> Sample | list[Sample]:
        every = range(len(self))
        return [self._sample(k) for k in every[number]] if isinstance(number, slice) else self._sample(every[number])

    def _sample(self, number: int) -> Sample:
        place, variant = divmod(number, VARIANTS)
        shard = int(np.searchsorted(self._ends, place, side="right"))
        frames = self._frames(shard)
        frame = frames[place - (int(self._ends[shard - 1]) if shard else 0)]
        random = np.random.default_rng([self._seed, place, variant])
        name = self._entries[shard].name
        if self._kind == BOXES:
            return self._boxes(name, frame, random)
        if self._kind == CONTENTS:
            return self._content(name, frame, random)
        if self._kind == LENGTHS:
            return self._lengths(name, frame, random)
        if self._kind == CHOICES:
            found = ask_marked(things_of(frame), random, comparisons.CHOICES)
            return self._asked(frame, True, found, random) if found else self._boxes(name, frame, random)
        sample = None
        if random.random() < _MOTIONS:
            sample = self._motion(frame, [other for other in frames if other.scene == frame.scene], random)
        return sample or self._questions(frame, random) or self._boxes(name, frame, random)

    def _frames(self, shard: int) -> tuple[Frame, ...]:
        return self._frames_of(self._entries[shard])

    def _ref(self, shard: str, frame: Frame, random: np.random.Generator) -> ImageRef:
        marked, mirrored = bool(random.random() < 0.5), bool(random.random() < 0.5)
        gain = float(random.uniform(1 - _EXPOSURE, 1 + _EXPOSURE))
        return ImageRef(str(self._store.folder), shard, frame.id, marked, mirrored, gain)

    def _boxes(self, shard: str, frame: Frame, random: np.random.Generator) -> Sample:
        ref = self._ref(shard, frame, random)
        text = boxes_text([entry.box for entry in entries_of(frame, ref.marked, ref.mirrored)])
        return Sample(frame.id, BOXES, (ref,), LIST, text, self._kind, cells=True, asks=False)

    def _content(self, shard: str, frame: Frame, random: np.random.Generator) -> Sample:
        """Return what a box holds; where a frame has none, its boxes."""
        ref = self._ref(shard, frame, random)
        numbered = list(_numbered(frame, ref.marked, ref.mirrored).items())
        if not numbered:
            return self._boxes(shard, frame, random)
        number, entry = numbered[int(random.integers(len(numbered)))]
        box = _jittered(entry.box, random)
        ref, text = replace(ref, cut=box, thing=number - 1), "".join(content_words(entry))
        prompt = "".join(box_words(box))
        return Sample(frame.id, CONTENTS, (ref,), prompt, text, self._kind, cells=True, asks=False)

    def _lengths(self, shard: str, frame: Frame, random: np.random.Generator) -> Sample:
        """Return the lengths of all entries; where a frame has none, its boxes."""
        ref = self._ref(shard, frame, random)
        entries = entries_of(frame, ref.marked, ref.mirrored)
        if not entries:
            return self._boxes(shard, frame, random)
        given = in_order([replace(entry, box=_jittered(entry.box, random), mark=None) for entry in entries])
        return Sample(frame.id, LENGTHS, (), seen_text(given), listing_text(given), self._kind, asks=False)

    def _questions(self, frame: Frame, random: np.random.Generator) -> Sample | None:
        """Return questions about a frame; None where there is nothing clear to be asked."""
        marked = bool(random.random() >= _NAMED)
        if marked:
            asked = ask_marked(things_of(frame), random)
        else:
            named = (ask_named(frame, self._vocabulary, random) for _ in range(_TOGETHER))
            asked = [drawn for drawn in dict.fromkeys(named) if drawn is not None]
        return self._asked(frame, marked, asked, random) if asked else None

    def _motion(self, frame: Frame, of_scene: Sequence[Frame], random: np.random.Generator) -> Sample | None:
        """Return the question how the camera moved from a frame to another of its scene."""
        other = of_scene[int(random.integers(len(of_scene)))]
        found = ask_motion(frame, other, random)
        if found is None:
            return None
        both = [unsure(_numbered(each, marked=False, mirrored=False), random) for each in (frame, other)]
        lead = "".join(listing_text(list(each.values())) + LEAD_END for each in both)
        first, second = (
            {each.objects[number - 1].id: entry for number, entry in entries.items()}
            for each, entries in zip((frame, other), both, strict=True)
        )
        answer = motion_evidence(first, second) + found.answer
        return Sample(frame.id, "questions", (), found.prompt, answer, self._kind, lead=lead, weight=_WEIGHT)

    def _asked(self, frame: Frame, marked: bool, asked: Sequence[Drawn], random: np.random.Generator) -> Sample:
        entries = _numbered(frame, marked, mirrored=False)
        if self._kind == COMPARISONS:
            entries = unsure(entries, random)
        lead = quoted(listing_text(list(entries.values())), asked[0].prompt)
        turns = [(each.prompt, evidence_of(each.task, each.about, entries, each.named) + each.answer) for each in asked]
        more = tuple(turns[1:])
        return Sample(frame.id, "questions", (), *turns[0], self._kind, lead=lead, more=more, weight=_WEIGHT)


def exercises_of(store: Store, split: str, seed: int) -> dict[str, Sequence[Sample]]:
    """Return all kinds of exercises with a split of a store."""
    read: dict[str, tuple[Frame, ...]] = {}

    def frames(entry: ShardEntry) -> tuple[Frame, ...]:
        if entry.name not in read:
            read[entry.name] = store.read(entry).frames
        return read[entry.name]

    return {kind: Exercises(store, split, kind, seed, frames) for kind in KINDS}


def entries_of(frame: Frame, marked: bool, mirrored: bool = False) -> list[Entry]:
    """Return what a frame's listing says: of everything in sight with its marks, or without of what is well in sight."""
    return list(_numbered(frame, marked, mirrored).values())


def _numbered(frame: Frame, marked: bool, mirrored: bool) -> dict[int, Entry]:
    """Return the entries of a frame by the number of their object in the frame, from 1."""
    basis = level_basis(frame.up)
    found = {}
    for number, thing in enumerate(frame.objects, start=1):
        if thing.measured.box is None or not (marked or thing.visibility >= _LEAST_SEEN):
            continue
        entry = _entry(frame, thing, basis @ thing.measured.obb.center, number if marked else None)
        if mirrored:
            x0, y0, x1, y1 = entry.box
            entry = replace(entry, box=(1.0 - x1, y0, 1.0 - x0, y1), right=-entry.right)
        found[number] = entry
    return found


def _jittered(box: Box2D, random: np.random.Generator) -> Box2D:
    """Return a box as a model or a detector may give it."""
    x0, y0, x1, y1 = box
    shifts = _JITTER * random.standard_normal(4) * (random.random() < 0.5)
    moved = np.clip(np.asarray(box) + shifts * (x1 - x0, y1 - y0, x1 - x0, y1 - y0), 0.0, 1.0)
    return (
        float(moved[0]),
        float(moved[1]),
        max(float(moved[2]), float(moved[0])),
        max(float(moved[3]), float(moved[1])),
    )


def _entry(frame: Frame, thing: SeenObject, center: np.ndarray, mark: int | None) -> Entry:
    assert thing.measured.box is not None
    x0, y0, x1, y1 = thing.measured.box
    width, height = frame.camera.size
    return Entry(
        box=(x0 / width, y0 / height, x1 / width, y1 / height),
        kind=thing.kind,
        color=thing.color,
        right=float(center[0]),
        ahead=float(center[1]),
        distance=float(np.linalg.norm(center)),
        longest=float(thing.measured.obb.size.max()),
        height=thing.measured.height,
        mark=mark,
    )


def unsure(entries: Mapping[int, Entry], random: np.random.Generator) -> dict[int, Entry]:
    """Return entries with lengths as uncertain as a model's."""
    if random.random() < _CERTAIN:
        return dict(entries)
    common = 1.0 + _SCALE * random.standard_normal()
    found = {}
    for number, entry in entries.items():
        way, ahead, longest, height = common + np.array(_EACH) * random.standard_normal(4)
        lengths = {"right": entry.right * way, "ahead": entry.ahead * ahead, "distance": entry.distance * way}
        found[number] = replace(entry, **lengths, longest=entry.longest * longest, height=entry.height * height)
    return found

"""Exercises for a model that writes a listing of what it sees and answers from it, made of the frames of a store.

=============== ===================================================================================================
``glances``     some windows of an image alone; what is in the middle of each is to be shown by the token there
``windows``     a window of an image, and the box, kind and colour of what is in its middle to be written
``lengths``     no image: the boxes, kinds and colours of a listing, and the whole listing to be written
``choices``     no image: the entries of some marks, and a question that one of a few words answers
``comparisons`` no image: a listing, and questions that are answered from it
``sums``        no image: what answers quote of two things, and the numbers that they work out from it
``motions``     no image: the listings of two views, or what of them an answer quotes, and how the camera moved
=============== ===================================================================================================

Every exercise follows from (store, seed, number) alone. For ``comparisons`` the lengths in a listing that is given are as
uncertain as those that a model writes, so that it learns how far to trust them; and for ``lengths`` a few kinds are wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from joyai_ros.reasoning.imagined import words_of_views
from joyai_ros.scene.level import level_basis
from joyai_ros.training.data.ask import vocabulary_of
from joyai_ros.training.data.records import Frame, SeenObject
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.training.mllm import comparisons
from joyai_ros.training.mllm.comparisons import Drawn, ask_marked, ask_motion, ask_named, things_of
from joyai_ros.training.mllm.evidence import WORKED_OUT, evidence_of
from joyai_ros.training.mllm.motion_evidence import motion_evidence
from joyai_ros.training.mllm.samples import ImageRef, Sample
from joyai_ros.training.mllm.windows import Windows, jittered, shown_words, window_words
from joyai_ros.understanding.listing import (
    EVIDENCE_END,
    LEAD_END,
    Entry,
    box_words,
    in_order,
    listing_text,
    mirrored_box,
    quoted,
    seen_text,
)
from joyai_ros.understanding.tasks import MOVES

KINDS = GLANCES, WINDOWS, LENGTHS, CHOICES, COMPARISONS, SUMS, MOTIONS = (
    "glances",
    "windows",
    "lengths",
    "choices",
    "comparisons",
    "sums",
    "motions",
)
VARIANTS = 64  # of each exercise with a frame
_TOGETHER = 6  # questions after a whole listing, at most
_NAMED = 0.35  # share of the exercises whose questions go without marks
_WEIGHT = 3.0  # of the tokens of answers beside those of listings, of which there are many more
_PAIRS = 60  # of views among which two are looked for between which the camera moved in a direction
_MISSED = 0.06  # share of the things that one of two views does not name
_WITH_VIEWS, _MOST_VIEWS = 0.1, 2  # share of the exercises that are asked with other views, and how many
_GROUND_SHARE = 0.75  # of what an image shows: the ground is where the feet of so many are as high or higher
_LEAST_SEEN = 0.2  # share of an object below which an image without marks does not show it
_SCALE = 0.08  # standard deviation of given lengths that is common to all of an image
_AGAIN, _AGAIN_BOX = 0.03, 0.01  # standard deviations of lengths and of boxes that are seen again from the same place
_SCALE_OF_BOTH, _SCALE_OF_VIEW = (
    0.07,
    0.04,
)  # the same where two views of a scene are given: common to both, and of each
_EACH = (0.02, 0.03, 0.04, 0.07, 0.09)  # and of each: of right and distance together, ahead, below, longest and height
# How steeply a model says that things are seen: it leans to what is usual. The usual, the share that it says of what differs
# from that, and standard deviations: common to all of an image, and of each.
_USUAL, _SAID = math.radians(33.0), 0.8
_STEEP_OF_VIEW, _STEEP = math.radians(3.0), math.radians(5.0)
_MISTAKEN = 0.1  # share of the things whose lengths are worked out that may be called by another kind
_CERTAIN = 0.4  # share of the listings that are given as they are
_GLANCES = 12  # windows of an image
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
        if self._kind in (GLANCES, WINDOWS):
            return self._looks(name, frame, random, _GLANCES if self._kind == GLANCES else 1)
        if self._kind == LENGTHS:
            return self._lengths(name, frame, random)
        if self._kind == CHOICES:
            found = ask_marked(things_of(frame), random, comparisons.CHOICES)
            return self._asked(frame, True, found, random) if found else self._looks(name, frame, random, 1)
        if self._kind == SUMS:
            return self._sum(frame, random) or self._looks(name, frame, random, 1)
        if self._kind == MOTIONS:
            return self._motion(frame, frames, random) or self._looks(name, frame, random, 1)
        others = [other for other in frames if other.scene == frame.scene and other is not frame]
        return self._questions(frame, others, random) or self._looks(name, frame, random, 1)

    def _frames(self, shard: int) -> tuple[Frame, ...]:
        return self._frames_of(self._entries[shard])

    def _looks(self, shard: str, frame: Frame, random: np.random.Generator, count: int) -> Sample:
        """Return some windows of a frame alone, or one with what is in its middle."""
        mirrored = bool(random.random() < 0.5)
        gain = float(random.uniform(1 - _EXPOSURE, 1 + _EXPOSURE))
        whole = ImageRef(str(self._store.folder), shard, frame.id, False, mirrored, gain)
        known = Windows(_numbered(frame, True, mirrored), _numbered(frame, False, mirrored), frame.camera.shape)
        drawn = [known.draw(random) for _ in range(count)]
        refs = tuple(replace(whole, window=window, shows=shown_words(window, entry)) for window, entry in drawn)
        if self._kind == GLANCES:
            return Sample(frame.id, GLANCES, refs, "", "", self._kind, asks=False)
        prompt, text = "".join(box_words(drawn[0][0])), "".join(window_words(*drawn[0]))
        return Sample(frame.id, WINDOWS, refs, prompt, text, self._kind, asks=False)

    def _lengths(self, shard: str, frame: Frame, random: np.random.Generator) -> Sample:
        """Return the lengths of all entries; where a frame has none, a window."""
        marked, mirrored = bool(random.random() < 0.5), bool(random.random() < 0.5)
        entries = entries_of(frame, marked, mirrored)
        if not entries:
            return self._looks(shard, frame, random, 1)
        seen = steepened(mistaken(entries, random), random)
        given = in_order([replace(each, box=jittered(each.box, random), mark=None) for each in seen])
        return Sample(frame.id, LENGTHS, (), seen_text(given), listing_text(given), self._kind, asks=False)

    def _questions(self, frame: Frame, others: Sequence[Frame], random: np.random.Generator) -> Sample | None:
        """Return questions about a frame, now and then with views of it; None where there is nothing clear to be asked.

        The views are other frames of the scene: what is there is said by the first listing, and the others do not confuse.
        """
        marked = bool(random.random() >= _NAMED)
        if marked:
            asked = ask_marked(things_of(frame), random)
        else:
            named = (ask_named(frame, self._vocabulary, random) for _ in range(_TOGETHER))
            asked = [drawn for drawn in dict.fromkeys(named) if drawn is not None]
        if not asked:
            return None
        sample = self._asked(frame, marked, asked, random)
        if random.random() >= _WITH_VIEWS or not others:
            return sample
        count = int(random.integers(1, _MOST_VIEWS + 1))
        views = [others[int(index)] for index in random.integers(len(others), size=count)]
        words = words_of_views(count, bool(random.random() < 0.5))
        listings = [unsure(_numbered(view, marked=False, mirrored=False), random) for view in views]
        lead = sample.lead + "".join(
            "" if marked else listing_text(list(each.values())) + LEAD_END for each in listings
        )
        more = tuple((prompt + words, answer) for prompt, answer in sample.more)
        return replace(sample, lead=lead, prompt=sample.prompt + words, more=more)

    def _sum(self, frame: Frame, random: np.random.Generator) -> Sample | None:
        """Return what is worked out about two things, from what is quoted of them; None where there are no two."""
        entries = entries_of(frame, True, bool(random.random() < 0.5))
        if len(entries) < 2:
            return None
        first, second = (entries[int(index)] for index in random.permutation(len(entries))[:2])
        quotes, follows = WORKED_OUT[int(random.integers(len(WORKED_OUT)))](first, second)
        return Sample(
            frame.id, SUMS, (), "", follows + EVIDENCE_END, self._kind, given=quotes, asks=False, weight=_WEIGHT
        )

    def _motion(self, frame: Frame, frames: Sequence[Frame], random: np.random.Generator) -> Sample | None:
        """Return the question how the camera moved between two views; None where none was found.

        Each direction is as likely, so it is looked for in some of the frames, from the given one on: most views of a scene
        differ by a step to the side.
        """
        wanted = MOVES[int(random.integers(len(MOVES)))]
        for one, other in itertools.islice(_pairs(frame, frames, wanted == MOVES[-1], random), _PAIRS):
            asked = ask_motion(one, other, wanted, random)
            if asked is not None:
                return self._moved(one, other, asked, random)
        return None

    def _moved(self, frame: Frame, other: Frame, asked: Drawn, random: np.random.Generator) -> Sample:
        """Return a question how the camera moved from one view to another, as both may be seen."""
        scale = 1.0 + _SCALE_OF_BOTH * float(random.standard_normal())
        first = self._glimpsed(frame, scale, random)
        second = again(first, random) if other is frame else self._glimpsed(other, scale, random)
        quotes, follows = motion_evidence(first, second, dict(asked.ways))
        sample = Sample(frame.id, "questions", (), asked.prompt, follows + asked.answer, self._kind, weight=_WEIGHT)
        if random.random() < 0.5:  # the listings are most of the text, and not what is hard
            return replace(sample, given=quotes)
        lead = "".join(listing_text(each) + LEAD_END for each in (first, second))
        return replace(sample, answer=quotes + sample.answer, lead=lead)

    def _glimpsed(self, frame: Frame, scale: float, random: np.random.Generator) -> list[Entry]:
        """Return the entries of a frame without marks as a model may see them: now and then one is missed or mistaken."""
        every = _numbered(frame, marked=False, mirrored=False)
        entries = list(unsure(every, random, scale, _SCALE_OF_VIEW).values())
        seen = [replace(entry, box=jittered(entry.box, random)) for entry in entries if random.random() >= _MISSED]
        return mistaken(seen, random)

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


def again(entries: Sequence[Entry], random: np.random.Generator) -> list[Entry]:
    """Return the entries of an image as a model may see them in another one from the same place: it errs much the same way."""
    found = []
    for entry in entries:
        way, below, longest, height = 1.0 + _AGAIN * random.standard_normal(4)
        if random.random() >= _MISSED / 2.0:
            around = {"right": entry.right * way, "ahead": entry.ahead * way, "distance": entry.distance * way}
            lengths = {"longest": entry.longest * longest, "height": entry.height * height}
            box = jittered(entry.box, random, _AGAIN_BOX)
            found.append(replace(entry, box=box, **around, below=entry.below * below, **lengths))
    return found


def mistaken(entries: Sequence[Entry], random: np.random.Generator) -> list[Entry]:
    """Return entries of which a few are called like another, as a model may that sees them."""
    if not entries:
        return []
    others = [entries[int(index)].kind for index in random.integers(len(entries), size=len(entries))]
    is_wrong = random.random(len(entries)) < _MISTAKEN
    return [
        replace(each, kind=kind) if wrong else each for each, kind, wrong in zip(entries, others, is_wrong, strict=True)
    ]


def _pairs(
    frame: Frame, frames: Sequence[Frame], still: bool, random: np.random.Generator
) -> Iterator[tuple[Frame, Frame]]:
    """Yield pairs of views of a scene, with a frame at first and then others; or frames twice, where the camera is still."""
    for place in (-1, *random.permutation(len(frames)).tolist()):
        one = frame if place < 0 else frames[place]
        others = [one] if still else [other for other in frames if other.scene == one.scene and other is not one]
        for index in random.permutation(len(others)).tolist():
            yield one, others[index]


def _numbered(frame: Frame, marked: bool, mirrored: bool) -> dict[int, Entry]:
    """Return the entries of a frame by the number of their object in the frame, from 1."""
    basis = level_basis(frame.up)
    shown = {
        number: _entry(frame, thing, basis @ thing.measured.obb.center, number if marked else None)
        for number, thing in enumerate(frame.objects, start=1)
        if thing.measured.box is not None
    }
    feet = {number: entry.below + entry.height / 2.0 for number, entry in shown.items()}
    ground = float(np.quantile(list(feet.values()), _GROUND_SHARE, method="higher")) if feet else 0.0
    found = {}
    for number, entry in shown.items():
        if marked or frame.objects[number - 1].visibility >= _LEAST_SEEN:
            found[number] = replace(entry, raised=max(ground - feet[number], 0.0))
            if mirrored:
                found[number] = replace(found[number], box=mirrored_box(entry.box), right=-entry.right)
    return found


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
        below=-float(center[2]),
        longest=float(thing.measured.obb.size.max()),
        height=thing.measured.height,
        steep=math.atan2(-float(center[2]), math.hypot(float(center[0]), float(center[1]))),
        mark=mark,
    )


def steepened(entries: Sequence[Entry], random: np.random.Generator) -> list[Entry]:
    """Return the entries of an image that say as inexactly as a model how steeply each thing is seen."""
    wrong = _STEEP_OF_VIEW * random.standard_normal() + _STEEP * random.standard_normal(len(entries))
    return [
        replace(entry, steep=_USUAL + _SAID * (entry.steep - _USUAL) + float(by))
        for entry, by in zip(entries, wrong, strict=True)
    ]


def unsure(
    entries: Mapping[int, Entry], random: np.random.Generator, scale: float = 1.0, spread: float = _SCALE
) -> dict[int, Entry]:
    """Return entries with lengths as uncertain as a model's: of an image all are too long by much the same.

    Args:
        entries: by number.
        random: decides how wrong they are.
        scale, spread: mean and standard deviation of that share.
    """
    if random.random() < _CERTAIN:
        return dict(entries)
    common = scale + spread * random.standard_normal()
    found = {}
    leaning = steepened(list(entries.values()), random)
    for number, entry in zip(entries, leaning, strict=True):
        way, ahead, below, longest, height = common + np.array(_EACH) * random.standard_normal(len(_EACH))
        around = {"right": entry.right * way, "ahead": entry.ahead * ahead}
        lengths = {**around, "distance": entry.distance * way, "below": entry.below * below}
        found[number] = replace(entry, **lengths, longest=entry.longest * longest, height=entry.height * height)
    return found

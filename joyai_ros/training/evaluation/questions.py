"""The questions of an evaluation: held-out scenes, balanced answers, and what is true in the terms of a measurement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.reasoning.asking import said_by
from joyai_ros.reasoning.compare import Said
from joyai_ros.reasoning.question import Asked, Look, Question
from joyai_ros.reasoning.requests import format_of
from joyai_ros.reasoning.resolve import resolve
from joyai_ros.training.data.balance import balanced
from joyai_ros.training.data.build import build_store, simulator_sources
from joyai_ros.training.data.config import DataConfig, QuestionConfig, SplitConfig
from joyai_ros.training.data.derive import Sight, names
from joyai_ros.training.data.looks import look_of
from joyai_ros.training.data.records import Frame, Item, SeenObject
from joyai_ros.training.data.settings import plain_settings, settings_of
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.understanding.formats import AnswerFormat, Text, parse
from joyai_ros.understanding.tasks import TASKS

SPLIT = "test"
CAPTION = "caption"  # the task whose answers are judged
HELD_OUT = 1_000_000  # the first seed of held-out scenes; training stays below
_HIDDEN = 0.6  # share of an object below which a frame hides too much of it to be sure of what is seen


@dataclass(frozen=True)
class Posed:
    """One question with everything that scoring needs.

    Attributes:
        item: with prompt and stored answer.
        frames: that it shows, without pixels.
        entry: the shard that they are of.
        asked: with the looks of a store, without pixels and depth.
        wanted: the form of the answer.
        truth: object ids, metres, pixels of the first image.
        places: boxes of the objects that its words mean, pixels of the first image.
    """

    item: Item
    frames: tuple[Frame, ...]
    entry: ShardEntry
    asked: Asked
    wanted: AnswerFormat
    truth: Said
    places: tuple[Box2D, ...]


def held_out_store(
    work: Path,
    scenes: int,
    seed: int,
    config: DataConfig,
    workers: int,
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Return a store of simulated scenes that are all of the test split; what is there of it is not made again.

    Args:
        work: folder of such stores.
        scenes: how many.
        seed: of the first of them.
        config: how they are photographed and what is asked.
        workers: processes.
        progress: called with the number of scenes done.

    Raises:
        InputError: settings are wrong, or something else stands there.
        OutputError: it cannot be written.
    """
    config = replace(config, split=SplitConfig(validation=0.0, test=1.0))
    plan = json.dumps([scenes, seed, plain_settings(config)], sort_keys=True, default=str)
    folder = work / f"questions-{hashlib.sha256(plan.encode()).hexdigest()[:12]}"
    build_store(folder, simulator_sources(scenes, seed), seed, config, workers=workers, progress=progress)
    return Store(folder)


class QuestionSet:
    """Questions of one split of a store, as even in their answers as they can be.

    Attributes:
        store: that they are of.
        questions: in the order of shards, scenes and frames, so that those about the same images follow each other.

    Args:
        store: with the split.
        split: its name.
        per_task: at most so many of each task.
        seed: which, where there are more.
        tasks: names; empty for all.
        hidden: only those about an object that the image mostly hides.
        captions: also ask for a description of each scene's first frame; its truth is what can be well seen there.

    Raises:
        StoreError: a shard cannot be read.
        InputError: there are no such questions.
    """

    def __init__(
        self,
        store: Store,
        split: str,
        per_task: int,
        seed: int,
        tasks: Sequence[str] = (),
        hidden: bool = False,
        captions: bool = False,
    ) -> None:
        self.store = store
        config = settings_of(store.manifest)
        self._questions, self._margins = config.questions, config.recording.scene.relations
        frames: dict[str, Frame] = {}
        shards: dict[str, ShardEntry] = {}
        items: list[Item] = []
        for entry in store.shards(split):
            content = store.read(entry)
            frames |= {frame.id: frame for frame in content.frames}
            shards |= {frame.id: entry for frame in content.frames}
            items += [item for item in content.items if not tasks or item.task in tasks]
        if hidden:
            items = [item for item in items if _is_hidden(item, frames)]
        chosen = balanced(items, per_task, np.random.default_rng([seed, 43]))
        if not chosen:
            what = " about hidden objects" if hidden else ""
            raise InputError(f"{store.folder} has no balanced questions{what} in the split {split}; take more scenes")
        if captions:
            chosen += _captions(list(frames.values()), self._questions)[:per_task]
        chosen.sort(
            key=lambda item: (shards[item.frames[0]].name, item.scene, item.frames, bool(item.objects), item.id)
        )
        looks: dict[str, Look] = {}
        self.questions = [self._posed(item, frames, shards[item.frames[0]], looks) for item in chosen]

    def _posed(self, item: Item, frames: dict[str, Frame], entry: ShardEntry, looks: dict[str, Look]) -> Posed:
        shown = tuple(frames[name] for name in item.frames)
        for frame in shown:
            if frame.id not in looks:
                looks[frame.id] = _light(look_of(frame, self._questions))
        question = Question(item.words or item.task, item.task, objects=item.objects)
        asked = resolve(question, [looks[frame.id] for frame in shown], False, self._margins)
        wanted = format_of(asked)
        truth = Said() if isinstance(wanted, Text) else said_by(asked, parse(wanted, item.answer))
        meant = [thing.measured.box for thing in shown[0].objects if item.about and _names(item, thing)]
        return Posed(item, shown, entry, asked, wanted, truth, tuple(box for box in meant if box is not None))


def together(questions: Iterable[Posed]) -> Iterator[list[Posed]]:
    """Yield questions that follow each other and show the same images, together."""
    for _, group in groupby(questions, key=lambda posed: (posed.item.frames, bool(posed.item.objects))):
        yield list(group)


def reference_of(item: Item) -> str:
    """Return what an open answer should say."""
    return str(json.loads(item.answer)["text"])


def _captions(frames: Sequence[Frame], config: QuestionConfig) -> list[Item]:
    """Return a question for a description of the first frame of each scene."""
    firsts = {frame.scene: frame for frame in reversed(frames)}
    found = []
    for scene, frame in sorted(firsts.items()):
        seen = [thing.measured.label for thing in Sight(frame, config).clear if thing.measured.label]
        answer = json.dumps({"text": ", ".join(seen)})
        found.append(
            Item(f"{frame.id}/caption", scene, CAPTION, (frame.id,), prompt=TASKS[CAPTION].prompt, answer=answer)
        )
    return found


def _light(look: Look) -> Look:
    """Return a look whose images take no memory."""
    shape = look.observation.camera.shape
    nothing = np.broadcast_to(np.zeros((), np.uint8), (*shape, 3))
    return replace(look, observation=replace(look.observation, color=nothing, depth=None))


def _is_hidden(item: Item, frames: dict[str, Frame]) -> bool:
    """Whether a question about one image is about an object that the image mostly hides or cuts off.

    Where it asks whether something is there, what is not there is as hidden: else every answer would be yes.
    """
    if len(item.frames) != 1:
        return False
    things = frames[item.frames[0]].objects
    meant = [thing for thing in things if thing.id in item.objects or (item.about and _names(item, thing))]
    if item.task == "existence" and not meant:
        return True
    return any(thing.visibility < _HIDDEN or thing.measured.truncated for thing in meant)


def _names(item: Item, thing: SeenObject) -> bool:
    return thing.measured.box is not None and names(item.about, thing)

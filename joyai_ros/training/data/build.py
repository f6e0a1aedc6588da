"""Building a store: scenes into splits, splits into shards, shards over processes; what is finished stays."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from joyai_ros import __version__
from joyai_ros.errors import ConfigError, InputError, OutputError
from joyai_ros.training.data.ask import Questioner, asked_tasks, vocabulary_of
from joyai_ros.training.data.balance import balanced
from joyai_ros.training.data.config import DataConfig, SplitConfig
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.from_bag import bag_frames, bag_id
from joyai_ros.training.data.from_scan import is_scan, scan_frames, scan_id
from joyai_ros.training.data.from_simulator import scene_id, simulated_frames
from joyai_ros.training.data.pairs import pairs_of_scene
from joyai_ros.training.data.records import Content, Frame, Item, Pair
from joyai_ros.training.data.settings import plain_settings
from joyai_ros.training.data.store import (
    FILES,
    MANIFEST,
    SHARDS,
    SPLITS,
    Manifest,
    ShardEntry,
    ShardWriter,
    read_manifest,
    write_manifest,
)
from joyai_ros.training.data.validate import check_content


@dataclass(frozen=True)
class SceneSource:
    """Where a scene comes from: a seed of ``tabletop-v1``, or a recording: a bag or a posed scan."""

    id: str
    seed: int
    recording: Path | None = None


@dataclass(frozen=True)
class _Job:
    """One shard to make."""

    folder: Path
    name: str
    split: str
    number: int
    seed: int
    scenes: tuple[SceneSource, ...]
    config: DataConfig


def simulator_sources(scenes: int, seed: int) -> list[SceneSource]:
    """Return the scenes with the seeds from ``seed`` on.

    Raises:
        ConfigError: there are none, or the seed is below 0.
    """
    if scenes < 1 or seed < 0:
        raise ConfigError(f"{scenes} scenes from seed {seed} on are no scenes; give 1 or more, and a seed from 0 on")
    return [SceneSource(scene_id(number), number) for number in range(seed, seed + scenes)]


def recorded_sources(recordings: Sequence[Path], seed: int) -> list[SceneSource]:
    """Return the scenes of bags and posed scans.

    Raises:
        BagError: one cannot be read.
        ConfigError: two of them are of one scene.
    """
    found: dict[str, SceneSource] = {}
    for path in map(Path, recordings):
        name = scan_id(path) if is_scan(path) else bag_id(path)
        if name in found:
            other = found[name].recording
            raise ConfigError(f"{path} and {other} are one scene ({name}); give each once, or rename one")
        found[name] = SceneSource(name, seed, path)
    return list(found.values())


def split_of(scene: str, seed: int, shares: SplitConfig) -> str:
    """Return the split of a scene: by its name and the seed alone, whatever other scenes there are."""
    digest = hashlib.sha256(f"{seed}/{scene}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < shares.test:
        return "test"
    return "validation" if place < shares.test + shares.validation else "train"


def build_store(
    folder: Path,
    sources: Sequence[SceneSource],
    seed: int,
    config: DataConfig,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Build a store, or go on with one that was interrupted; return its manifest.

    Args:
        folder: where; new, empty, or a store of the same scenes, seed and settings.
        sources: the scenes.
        seed: of splits, questions and what is drawn.
        config: settings.
        workers: processes.
        progress: called with the number of scenes done.

    Raises:
        InputError: something else stands at ``folder``, or a source cannot be used.
        OutputError: it cannot be written; finished shards stay.
    """
    asked_tasks(config.questions)
    manifest = _started(Path(folder), sources, seed, config)
    entries = {entry.name: entry for entry in manifest.shards if _is_whole(Path(folder), entry)}
    jobs = _jobs(Path(folder), sources, seed, config)
    done = sum(len(job.scenes) for job in jobs if job.name in entries)
    with _made([job for job in jobs if job.name not in entries], workers) as made:
        if progress is not None:
            progress(done)
        for job, entry in made:
            entries[entry.name] = entry
            shards = tuple(entries[name] for name in sorted(entries))
            manifest = replace(manifest, shards=shards, complete=len(entries) == len(jobs))
            write_manifest(Path(folder), manifest)
            done += len(job.scenes)
            if progress is not None:
                progress(done)
    return manifest


def _started(folder: Path, sources: Sequence[SceneSource], seed: int, config: DataConfig) -> Manifest:
    """Return the manifest to go on from."""
    kind = "recordings" if any(source.recording for source in sources) else "tabletop-v1"
    names = tuple(source.id for source in sources)
    wanted = Manifest(__version__, kind, seed, names, plain_settings(config))
    if (folder / MANIFEST).is_file():
        found = read_manifest(folder)
        plan = (found.version, found.source, found.seed, found.scenes, found.settings)
        if plan != (wanted.version, kind, seed, names, wanted.settings):
            raise InputError(f"{folder} holds a store of other scenes, another seed or other settings; choose another")
        return found
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds something else (no {MANIFEST} in it); choose another place")
    write_manifest(folder, wanted)
    return wanted


def _is_whole(folder: Path, entry: ShardEntry) -> bool:
    """Whether a finished shard is still there as it was written."""
    place = folder / SHARDS / entry.name
    return all((place / name).is_file() and (place / name).stat().st_size == entry.files[name][0] for name in FILES)


def _jobs(folder: Path, sources: Sequence[SceneSource], seed: int, config: DataConfig) -> list[_Job]:
    jobs = []
    for split in SPLITS:
        of_split = [source for source in sources if split_of(source.id, seed, config.split) == split]
        for number, start in enumerate(range(0, len(of_split), config.shard_scenes)):
            scenes = tuple(of_split[start : start + config.shard_scenes])
            jobs.append(_Job(folder, f"{split}-{number:05d}", split, number, seed, scenes, config))
    return jobs


@contextmanager
def _made(jobs: Sequence[_Job], workers: int) -> Iterator[Iterator[tuple[_Job, ShardEntry]]]:
    """Give the shards as they are finished, made in this process or in several."""
    if workers == 1 or len(jobs) < 2:
        yield ((job, _make(job)) for job in jobs)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker imports NumPy
    context = multiprocessing.get_context("spawn")  # OpenGL does not survive a fork
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _one_core) as pool:
        futures = {pool.submit(_make, job): job for job in jobs}
        try:
            yield _finished(futures)
        finally:
            for future in futures:
                future.cancel()


def _finished(futures: dict[Future[ShardEntry], _Job]) -> Iterator[tuple[_Job, ShardEntry]]:
    """Yield what is finished; what fails is raised when all that was begun is done, so that nothing finished is lost."""
    failed: BaseException | None = None
    for future in as_completed(futures):
        if future.cancelled():
            continue
        error = future.exception()
        if error is None:
            yield futures[future], future.result()
        elif failed is None:
            failed = error
            for other in futures:
                other.cancel()
    if isinstance(failed, BrokenExecutor):
        raise OutputError("a worker process was ended from outside, perhaps for memory; try again with fewer --workers")
    if failed is not None:
        raise failed


def _one_core() -> None:
    cv2.setNumThreads(1)


def _make(job: _Job) -> ShardEntry:
    """Make one shard."""
    writer = ShardWriter(job.folder, job.name, job.split, job.config.jpeg_quality)
    try:
        left_out: Counter[str] = Counter()
        content = writer.write(_content(job, writer, left_out))
        faults = check_content(content, job.config.questions, job.config.recording.scene.relations)
        if faults:
            first = faults[0]
            raise StoreError(
                f"shard {job.name} disagrees with its own geometry in {len(faults)} places; the first, {first.where}: "
                f"{first.text}"
            )
        return writer.finish(content, {reason: count for reason, count in left_out.items() if count})
    except BaseException:
        writer.discard()
        raise


def _content(job: _Job, writer: ShardWriter, left_out: Counter[str]) -> Content:
    frames: list[Frame] = []
    pairs: list[Pair] = []
    for source in job.scenes:
        of_scene = _frames(source, job.config, job.seed, left_out)
        pairs += pairs_of_scene(of_scene)
        frames += [writer.add(frame) for frame in of_scene]
    random = np.random.default_rng([job.seed, SPLITS.index(job.split), job.number])
    margins = job.config.recording.scene.relations
    questioner = Questioner(job.config.questions, margins, random, vocabulary_of(frames))
    candidates: list[Item] = []
    for source in job.scenes:
        candidates += questioner.candidates([frame for frame in frames if frame.scene == source.id])
    per_task = max(round(job.config.questions.per_scene * len(job.scenes)), 1)
    chosen = sorted(balanced(candidates, per_task, random), key=lambda item: (item.scene, item.task))
    items = tuple(replace(item, id=f"{job.name}/{number:05d}") for number, item in enumerate(chosen))
    return Content(tuple(frames), items, tuple(pairs))


def _frames(source: SceneSource, config: DataConfig, seed: int, left_out: Counter[str]) -> list[Frame]:
    if source.recording is None:
        frames = simulated_frames(source.seed, config.simulator)
        left_out["simulated view: no place was found that is clear of everything and sees objects"] += (
            config.simulator.frames - len(frames)
        )
        return frames
    read = scan_frames if is_scan(source.recording) else bag_frames
    return read(source.recording, source.id, config.recording, seed, left_out)

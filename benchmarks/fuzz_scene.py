"""Half a million inputs that nobody should send, and whether the scene engine survives them.

It must not crash, publish what is no number, or contradict itself.

``python -m benchmarks.fuzz_scene --count 500000`` runs them over two processes and can be stopped: the same command goes
on where it was, as long as the code under test is the same. ``--case CHUNK:NUMBER`` runs one failing case again and shows
where it fails. An observation that is refused when it is made (InputError) is what should happen to it; whatever else is
raised, and every complaint of :mod:`benchmarks.scene_checks`, is a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import fuzz_inputs, scene_checks
from benchmarks.workers import PROCESSES, one_core
from joyai_ros.errors import InputError
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.relate import relate

ROOT = Path(__file__).resolve().parents[1]
SEED = 20
CHUNK = 500  # inputs
COUNT = 500_000
KINDS = ("frame", "sequence", "boxes")
SHARES = (0.55, 0.25, 0.20)  # of the cases; a sequence has several frames, each an input
# What differs between failures of one kind: names of objects, and numbers.
NAMES = re.compile(r"\b(?:thing|cluster|mug|table|o)(?:_?\d+)*\b|\ba b\b|\u676f")
NUMBERS = re.compile(r"-?\b(?:\d[\d.e+-]*|nan|inf)\b")


@dataclass
class Tally:
    """What some inputs came to.

    Attributes:
        inputs: by kind; refused ones count.
        refused: observations that were refused when they were made, by the name of the error.
        objects, relations, rejected: published by the scenes, and detections left out with a reason.
        failures: how many inputs failed.
        kept: the first failure of each kind as "CHUNK:NUMBER what", and how often that kind came.
        slowest: seconds of the slowest input, and which case it was.
        seconds: of work.
    """

    inputs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    objects: int = 0
    relations: int = 0
    rejected: int = 0
    failures: int = 0
    kept: dict[str, tuple[str, int]] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.inputs.update(other.inputs)
        self.refused.update(other.refused)
        self.objects += other.objects
        self.relations += other.relations
        self.rejected += other.rejected
        self.failures += other.failures
        for kind, (first, count) in other.kept.items():
            known, before = self.kept.get(kind, (first, 0))
            self.kept[kind] = known, before + count
        self.slowest = max(self.slowest, other.slowest)
        self.seconds += other.seconds

    def fail(self, case: str, what: str) -> None:
        """Count a failure; failures that differ in names and numbers alone are of one kind."""
        self.failures += 1
        kind = NUMBERS.sub("#", NAMES.sub("X", what))[:100]
        first, count = self.kept.get(kind, (f"{case} {what}", 0))
        self.kept[kind] = first, count + 1


def run_chunk(chunk: int) -> Tally:
    """Run the inputs of one chunk; warnings about numbers count as failures."""
    tally, number = Tally(), 0
    started = time.perf_counter()
    while (room := CHUNK - sum(tally.inputs.values())) > 0:
        try:
            run_case(chunk, number, tally, room)
        except Exception as error:  # noqa: BLE001  # whatever comes out is what is looked for
            tally.fail(f"{chunk}:{number}", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        number += 1
    tally.seconds = time.perf_counter() - started
    return tally


def run_case(chunk: int, number: int, tally: Tally, room: int) -> None:
    """Run one case: a frame, a sequence through one engine (of at most ``room`` frames), or a set of boxes."""
    random = np.random.default_rng([SEED, chunk, number])
    kind = str(random.choice(KINDS, p=SHARES))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        if kind == "boxes":
            tally.inputs[kind] += 1
            _relate(random, tally, f"{chunk}:{number}")
            return
        engine = SceneEngine(fuzz_inputs.config(random))
        count = 1 if kind == "frame" else int(random.integers(2, 9))
        for make in fuzz_inputs.frames(random, min(count, room)):
            tally.inputs[kind] += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # making them divides by zero where it pleases
                try:
                    observation = make()
                except InputError as error:
                    tally.refused[type(error).__name__] += 1
                    continue
            before = None if observation.depth is None else observation.depth.tobytes()
            started = time.perf_counter()
            scene = engine.process(observation)
            tally.slowest = max(tally.slowest, (time.perf_counter() - started, f"{chunk}:{number}"))
            tally.objects += len(scene.objects)
            tally.relations += len(scene.relations)
            tally.rejected += len(scene.rejected)
            wrong = scene_checks.complaints(scene)
            if before is not None and observation.depth is not None and observation.depth.tobytes() != before:
                wrong.append("the depth image was changed")
            if wrong:
                tally.fail(f"{chunk}:{number}", "; ".join(wrong[:3]))


def _relate(random: np.random.Generator, tally: Tally, case: str) -> None:
    """State the relations of a set of boxes."""
    objects, up = fuzz_inputs.objects(random)
    found = relate(objects, up, fuzz_inputs.config(random).relations)
    tally.objects += len(objects)
    tally.relations += len(found.stated)
    wrong = scene_checks.contradictions(found.stated, {item.id for item in objects}, up is not None)
    if wrong:
        tally.fail(case, "; ".join(wrong[:3]))


def fuzz(count: int, processes: int, state: Path | None) -> Tally:
    """Run ``count`` inputs, or what is left of them, and return what all came to.

    Args:
        count: rounded up to whole chunks.
        processes: 1 works in this process.
        state: where finished chunks are kept; None for nowhere.
    """
    total = Tally()
    wanted = range(-(-count // CHUNK))
    code = fingerprint()
    done = _read(state, code)
    for chunk in sorted(done.keys() & set(wanted)):
        total.add(done[chunk])
    left = [chunk for chunk in wanted if chunk not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("inputs", total=len(wanted) * CHUNK, completed=(len(wanted) - len(left)) * CHUNK)
        for chunk, tally in _finished(left, processes):
            total.add(tally)
            if state is not None:
                with state.open("a") as file:
                    file.write(json.dumps({"code": code, "chunk": chunk, "tally": vars(tally)}) + "\n")
            progress.update(bar, advance=CHUNK, description=f"{total.failures} failures")
    return total


def _finished(chunks: list[int], processes: int) -> Iterator[tuple[int, Tally]]:
    """Yield chunks and their tallies as they are finished."""
    if processes == 1:
        for chunk in chunks:
            yield chunk, run_chunk(chunk)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker imports NumPy
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), one_core) as pool:
        waiting = {pool.submit(run_chunk, chunk): chunk for chunk in chunks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def fingerprint() -> str:
    """Return what identifies the code under test and the inputs."""
    digest = hashlib.sha256(str((SEED, CHUNK, KINDS, SHARES)).encode())
    tested = [*(ROOT / "joyai_ros" / "scene").glob("*.py"), *(ROOT / "joyai_ros" / "geometry").glob("*.py")]
    here = [ROOT / "benchmarks" / name for name in ("fuzz_inputs.py", "scene_checks.py", "raycast.py")]
    for path in sorted(tested) + here:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(state: Path | None, code: str) -> dict[int, Tally]:
    """Return the chunks that the same code has finished, and forget all else that the file holds."""
    if state is None:
        return {}
    kept = {}
    for line in state.read_text().splitlines() if state.is_file() else []:
        try:
            item = json.loads(line)
        except json.JSONDecodeError:  # torn when the run was stopped
            continue
        if item["code"] == code:
            kept[int(item["chunk"])] = line
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("".join(f"{line}\n" for line in kept.values()))
    return {chunk: _tally(json.loads(line)["tally"]) for chunk, line in kept.items()}


def _tally(values: dict[str, Any]) -> Tally:
    kept = {kind: (first, times) for kind, (first, times) in values["kept"].items()}
    counts = {name: Counter(values[name]) for name in ("inputs", "refused")}
    return Tally(**{**values, **counts, "kept": kept, "slowest": tuple(values["slowest"])})


def report(total: Tally, console: Console) -> None:
    """Print what the inputs came to."""
    count = sum(total.inputs.values())
    console.print(f"{count} inputs: {dict(total.inputs)}; refused when made: {dict(total.refused.most_common())}")
    console.print(
        f"{total.objects} objects, {total.relations} statements, {total.rejected} detections or frames rejected with a reason"
    )
    console.print(
        f"{count / max(total.seconds, 1e-9):.0f} inputs a second and process, {total.seconds / 60:.1f} min of work, "
        f"slowest {1000 * total.slowest[0]:.0f} ms ({total.slowest[1]})"
    )
    for first, times in sorted(total.kept.values(), key=lambda item: -item[1]):
        console.print(f"{times} times, first {first}", markup=False, soft_wrap=True)
    console.print(f"{total.failures} failures")


def evidence() -> list[dict[str, Any]]:
    """Run all half a million; about TIME on two cores."""
    total = fuzz(COUNT, PROCESSES, ROOT / "out" / "fuzz_scene.jsonl")
    count, refused = sum(total.inputs.values()), sum(total.refused.values())
    return [
        {
            "line": "scene engine, fuzzed: crashes, values that are no numbers, contradictions",
            "figure": f"{total.failures} in {count} inputs ({refused} refused when made, {total.objects} objects, "
            f"{total.relations} statements)",
            "target": f"0 in {COUNT}",
            "ok": total.failures == 0 and count >= COUNT,
            "command": f"python -m benchmarks.fuzz_scene --count {COUNT}",
        }
    ]


def main() -> None:
    """Fuzz, or run one case again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_scene", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many inputs (default: {COUNT})")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"how many (default: {PROCESSES})")
    parser.add_argument("--state", type=Path, default=ROOT / "out" / "fuzz_scene.jsonl", help="where progress is kept")
    parser.add_argument("--case", metavar="CHUNK:NUMBER", help="run one case again and show where it fails")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    if arguments.case is not None:
        chunk, number = (int(part) for part in arguments.case.split(":"))
        tally = Tally()
        run_case(chunk, number, tally, CHUNK)
        report(tally, console)
        return
    started = time.perf_counter()
    total = fuzz(arguments.count, arguments.processes, arguments.state)
    report(total, console)
    console.print(f"{(time.perf_counter() - started) / 60:.1f} min here")
    sys.exit(1 if total.failures else 0)


if __name__ == "__main__":
    main()

"""How long a scene takes on one core, and how that compares with the same job done with Open3D.

python -m benchmarks.scene_speed [--seeds A:B]

Frames are 640x480, from scenes of ``tabletop-v1`` that hold ten objects, each measured with true 2D boxes and with none,
and one scene as a sequence, with a moving camera and the tracker at work. The process is held to one core, the engine and
Open3D take turns on each frame, and both are scored on the boxes that they return; the engine's time includes gravity,
sigmas and relations, which Open3D's does not. Times are of that core's own work (CPU time), so that what else the machine
does matters little; wall-clock times stand beside them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.workers import one_core, seed_range
from joyai_ros.geometry.box_pairs import pair_boxes
from joyai_ros.geometry.boxes import Box2D, OrientedBox
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.frames import simulate
from joyai_ros.sim.truth import FrameTruth
from joyai_ros.training.evaluation.scene_scores import LEAST_OVERLAP, LEAST_VISIBLE, Look, look

SEEDS = range(20000, 20200)
OBJECTS = 10
FRAMES, REPEATS, SWEEP, WARM_UP = 8, 5, 30, 5
VOXELS = (
    0.005,
    0.003,
)  # metres; the engine looks for planes every 4 pixels (6 mm at 0.9 m) and measures objects at every one
TARGET_MS, TARGET_RATIO = 30.0, 5.0
ENGINE, SEQUENCE = "engine", "engine in a sequence"
MODES = {"true": "true boxes", "none": "no boxes"}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Timing:
    """One way of finding objects in one setting.

    Attributes:
        cpu_ms, wall_ms: median over frames of the median over repeats.
        ious: 3D intersection over union of each object that is seen to at least 30%; 0 where it was not found.
    """

    cpu_ms: float
    wall_ms: float
    ious: tuple[float, ...] = ()

    @property
    def iou(self) -> float:
        """Median of the intersections over unions."""
        return float(np.median(self.ious)) if self.ious else float("nan")

    @property
    def found(self) -> int:
        """Objects that overlap what was found at all."""
        return sum(value > 0 for value in self.ious)


@dataclass(frozen=True)
class Found:
    """One object: its id, its 3D box in the optical frame, and the box round it in the image."""

    id: str
    box: OrientedBox
    image_box: Box2D | None


Timings = dict[str, dict[str, Timing]]  # by setting, then by way


def measure(seeds: range, frames: int = FRAMES, repeats: int = REPEATS, sweep: int = SWEEP) -> Timings:
    """Return the timings, taken in a process of its own that keeps to one core."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when the process loads its libraries
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _pin) as pool:
        return pool.submit(_measure, seeds, frames, repeats, sweep).result()


def _pin() -> None:
    """Keep this process to the last of its cores; the first is where other work tends to start."""
    one_core()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _measure(seeds: range, frames: int, repeats: int, sweep: int) -> Timings:
    full = [seed for seed in seeds if len(describe(seed).objects) == OBJECTS][:frames]
    if not full:
        raise ValueError(f"no seed from {seeds.start} to {seeds.stop - 1} has {OBJECTS} objects; give more seeds")
    console = Console(stderr=True)
    looks = [look(seed) for seed in track(full, "frames", console=console)]
    timings: Timings = {}
    for boxes in MODES:
        found = [_compare(seen, boxes, repeats) for seen in track(looks, MODES[boxes], console=console)]
        timings[boxes] = {
            way: Timing(
                cpu_ms=float(np.median([item[way].cpu_ms for item in found])),
                wall_ms=float(np.median([item[way].wall_ms for item in found])),
                ious=tuple(iou for item in found for iou in item[way].ious),
            )
            for way in found[0]
        }
    timings["true"][SEQUENCE] = _time_sequence(full[0], sweep)
    return timings


def _compare(seen: Look, boxes: str, repeats: int) -> dict[str, Timing]:
    """Time all ways on one frame in turns, and score what they return."""
    ways = dict(_ways(seen, boxes))
    results = {way: work() for way, work in ways.items()}  # the first run is for the caches
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, work in ways.items():
            times[way].append(_timed(work)[1])
    return {way: _middle(times[way], tuple(_ious(seen.truth, results[way], boxes))) for way in ways}


def _middle(times: list[tuple[float, float]], ious: tuple[float, ...] = ()) -> Timing:
    cpu, wall = np.median(times, axis=0)
    return Timing(float(cpu), float(wall), ious)


def _ways(seen: Look, boxes: str) -> Iterator[tuple[str, Callable[[], list[Found]]]]:
    """Yield each way by name, with a function that finds the frame's objects."""
    observation = seen.observations[boxes]
    yield ENGINE, partial(_by_engine, observation)
    library = open3d_scene()
    if not isinstance(library, str):
        for voxel in VOXELS:
            yield open3d_name(voxel), partial(library.find_objects, observation, library.Open3dSettings(voxel=voxel))


def _by_engine(observation: Observation) -> list[Found]:
    return [Found(item.id, item.obb, item.box) for item in SceneEngine().process(observation).objects]


def open3d_name(voxel: float) -> str:
    """Return what the comparison with this voxel size is called."""
    return f"Open3D, {1000 * voxel:g} mm voxels"


def open3d_scene() -> ModuleType | str:
    """Return the module that works with Open3D, or why there is none."""
    try:
        from benchmarks import open3d_scene as library
    except ImportError as error:  # the package, or a system library that it needs
        return f"Open3D cannot be loaded ({error}); install the extra 'evidence', and apt-get install libusb-1.0-0"
    return library


def _time_sequence(seed: int, frames: int) -> Timing:
    """Time one engine on a sweep; the first frames fill the tracker."""
    engine, times = SceneEngine(), []
    for frame in simulate(seed, frames):
        times.append(_timed(partial(engine.process, frame.observation))[1])
    return _middle(times[min(WARM_UP, frames - 1) :])


def _timed(work: Callable[[], Result]) -> tuple[Result, tuple[float, float]]:
    """Return what the work returns, and its CPU and wall-clock milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall))


def _ious(truth: FrameTruth, found: list[Found], boxes: str) -> Iterator[float]:
    """Yield the 3D overlap of each visible object with what was found for it; 0 where nothing was."""
    measured = {item.id: item.box for item in found} if boxes != "none" else _matched(truth, found)
    for view in truth.views:
        if view.visible_fraction >= LEAST_VISIBLE:
            yield box_iou(measured[view.id], view.camera_box) if view.id in measured else 0.0


def _matched(truth: FrameTruth, found: list[Found]) -> dict[str, OrientedBox]:
    """Return the 3D box of each object: one to one by the boxes in the image."""
    views = [view for view in truth.views if view.box is not None]
    pairs = pair_boxes([f.image_box for f in found], [view.box for view in views], LEAST_OVERLAP)
    return {views[j].id: found[i].box for i, j in pairs}


def box_iou(first: OrientedBox, second: OrientedBox, samples: int = 24) -> float:
    """Return the intersection over union of two boxes with any axes, from ``samples`` cubed points of the second one."""
    ticks = (np.arange(samples) + 0.5) / samples - 0.5
    grid = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1).reshape(-1, 3)
    points = second.center + (grid * second.size) @ second.rotation.T
    shared = float(first.contains(points).mean()) * second.volume
    union = first.volume + second.volume - shared
    return shared / union if union > 0 else 0.0


def evidence() -> list[dict[str, Any]]:
    """Return what is claimed of the engine's speed."""
    timings = measure(SEEDS)
    lines = [_speed_line(f"{OBJECTS} objects, {MODES[boxes]}", timings[boxes][ENGINE]) for boxes in MODES]
    lines.append(_speed_line(f"{OBJECTS} objects, true boxes, in a sequence", timings["true"][SEQUENCE]))
    missing = open3d_scene()
    if isinstance(missing, str):
        return [*lines, _line("Scene against Open3D", missing, "measured", None)]
    return [*lines, *(line for boxes in MODES for line in _against(timings[boxes], MODES[boxes]))]


def _speed_line(about: str, timing: Timing) -> dict[str, Any]:
    figure = f"{timing.cpu_ms:.1f} ms of CPU time ({timing.wall_ms:.1f} ms wall clock)"
    target = f"at most {TARGET_MS:g} ms, median, one core"
    return _line(f"Scene of a 640x480 frame: {about}", figure, target, timing.cpu_ms <= TARGET_MS)


def _against(timings: Mapping[str, Timing], setting: str) -> list[dict[str, Any]]:
    """Return the lines against Open3D; the voxels that suit it better decide."""
    ours, theirs = timings[ENGINE], {voxel: timings[open3d_name(voxel)] for voxel in VOXELS}
    ratios = {voxel: other.cpu_ms / ours.cpu_ms for voxel, other in theirs.items()}
    best = max(other.iou for other in theirs.values())
    speed = ", ".join(f"{ratio:.1f}x at {1000 * voxel:g} mm" for voxel, ratio in ratios.items())
    accuracy = ", ".join(f"{other.iou:.2f} at {1000 * voxel:g} mm" for voxel, other in theirs.items())
    return [
        _line(
            f"Scene against Open3D, {setting}: speed",
            speed,
            f"at least {TARGET_RATIO:g}x",
            min(ratios.values()) >= TARGET_RATIO,
        ),
        _line(
            f"Scene against Open3D, {setting}: median 3D box IoU",
            f"{ours.iou:.2f}, Open3D {accuracy}",
            "not less",
            ours.iou >= best,
        ),
    ]


def _line(line: str, figure: str, target: str, ok: bool | None) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": "python -m benchmarks.scene_speed"}


def report(timings: Timings) -> None:
    """Print the timings."""
    console = Console(highlight=False, width=None if Console().is_terminal else 120)
    table = Table("", "", "CPU ms", "wall ms", "times ours", "IoU median", "found", title="medians on one core")
    for boxes, group in timings.items():
        for way, timing in group.items():
            scored = [f"{timing.iou:.3f}", f"{timing.found} of {len(timing.ious)}"] if timing.ious else ["", ""]
            ratio = f"{timing.cpu_ms / group[ENGINE].cpu_ms:.1f}"
            table.add_row(MODES[boxes], way, f"{timing.cpu_ms:.1f}", f"{timing.wall_ms:.1f}", ratio, *scored)
    console.print(table)


def main() -> None:
    """Measure what the command line names, print it and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scene_speed", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=seed_range, default=SEEDS, metavar="A:B", help="default: 20000:20200")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of different scenes, at most (default: {FRAMES})")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"of each frame (default: {REPEATS})")
    parser.add_argument("--sweep", type=int, default=SWEEP, help=f"frames of the sequence (default: {SWEEP})")
    parser.add_argument("--json", type=Path, help="write all figures here")
    arguments = parser.parse_args()
    timings = measure(arguments.seeds, arguments.frames, arguments.repeats, arguments.sweep)
    report(timings)
    missing = open3d_scene()
    if isinstance(missing, str):
        print(missing)
    if arguments.json:
        content = {boxes: {way: vars(timing) for way, timing in group.items()} for boxes, group in timings.items()}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

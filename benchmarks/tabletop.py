"""What ``tabletop-v1`` holds and costs: statistics over many seeds, and its contact sheet.

``python -m benchmarks.tabletop`` prints the statistics; ``--sheet FILE`` draws twelve scenes.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.frames import SimSettings, simulate
from joyai_ros.sim.tabletop import TabletopSim

SHEET_SEEDS = (2, 3, 7, 8, 11, 13, 15, 16, 20, 21, 24, 40)
EVIDENCE_SEEDS = range(40)


@dataclass
class Statistics:
    """What a range of seeds turned out to be; times in seconds, lengths in metres."""

    kinds: Counter[str] = field(default_factory=Counter)
    placed: Counter[str] = field(default_factory=Counter)
    counts: list[int] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    unmeasured: list[float] = field(default_factory=list)
    sunk: list[float] = field(default_factory=list)
    strayed: int = 0
    scene_seconds: list[float] = field(default_factory=list)
    frame_seconds: list[float] = field(default_factory=list)


def measure(seeds: range) -> Statistics:
    """Return the statistics of a range of seeds."""
    found = Statistics()
    for seed in track(seeds, "scenes", console=Console(stderr=True)):
        start = time.perf_counter()
        with TabletopSim(describe(seed)) as sim:
            found.scene_seconds.append(time.perf_counter() - start)
            truth = sim.world_truth()
        found.counts.append(len(truth.objects))
        found.sunk.append(-float(truth.distances.min()))
        for described, owner in zip(sim.description.objects, truth.objects, strict=True):
            how, _, partner = described.placed.partition(":")
            found.kinds[described.kind] += 1
            found.placed[how] += 1
            found.strayed += owner.stands_on != (partner if how in ("on", "in") else "table")
        _look(found, seed)
    return found


def _look(found: Statistics, seed: int) -> None:
    frames = simulate(seed, 2, SimSettings())
    frame = next(frames)
    found.visible += [v.visible_fraction for v in frame.truth.views]
    found.truncated += [v.truncated for v in frame.truth.views]
    there = frame.truth.depth > 0
    assert frame.observation.depth is not None
    found.unmeasured.append(float((frame.observation.depth[there] == 0).mean()))
    start = time.perf_counter()
    next(frames)
    found.frame_seconds.append(time.perf_counter() - start)
    assert next(frames, None) is None  # to its end, so that the scene is closed


def sheet(seeds: tuple[int, ...], columns: int = 4, width: int = 256) -> ColorImage:
    """Return the first frames of some seeds side by side as (H, W, 3) uint8 RGB, without noise."""
    tiles = []
    for seed in seeds:
        color = next(simulate(seed)).truth.color
        tiles.append(cv2.resize(color, (width, width * 3 // 4), interpolation=cv2.INTER_AREA))
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return np.vstack(rows)


def evidence() -> list[dict[str, Any]]:
    """Return what the simulator claims of itself."""
    found = measure(EVIDENCE_SEEDS)
    command = f"python -m benchmarks.tabletop --seeds {len(EVIDENCE_SEEDS)}"
    sunk, scene, frame = 1000 * max(found.sunk), np.median(found.scene_seconds), np.median(found.frame_seconds)
    return [
        _line(
            "tabletop-v1: objects rest where they were put", f"{found.strayed} strayed", "0", not found.strayed, command
        ),
        _line("tabletop-v1: deepest interpenetration", f"{sunk:.2f} mm", "0.3 mm", sunk < 0.3, command),
        _line("tabletop-v1: scene built and at rest, median", f"{scene:.2f} s", "0.3 s", bool(scene < 0.3), command),
        _line("tabletop-v1: frame with noise and truth, median", f"{frame:.2f} s", "0.2 s", bool(frame < 0.2), command),
    ]


def _line(line: str, figure: str, target: str, ok: bool, command: str) -> dict[str, Any]:
    return {"line": line, "figure": figure, "target": target, "ok": ok, "command": command}


def _print(found: Statistics) -> None:
    show = Console(highlight=False).print
    visible = np.array(found.visible)
    show(f"{len(found.counts)} scenes, {sum(found.counts)} objects")
    show(f"objects a scene: {dict(sorted(Counter(found.counts).items()))}")
    show(f"kinds: {dict(found.kinds.most_common())}")
    show(f"put down: {dict(found.placed.most_common())}; carried by something else at rest: {found.strayed}")
    shares = {f"{low:.1f}+": round(float((visible >= low).mean()), 3) for low in (0.1, 0.3, 0.5, 0.7, 0.9)}
    show(f"share of objects visible to at least: {shares}; over the image border: {np.mean(found.truncated):.3f}")
    show(f"surface pixels without depth: median {np.median(found.unmeasured):.3f}, largest {max(found.unmeasured):.3f}")
    show(f"deepest interpenetration: {1000 * max(found.sunk):.3f} mm")
    for name, values in (("scene", found.scene_seconds), ("frame", found.frame_seconds)):
        show(
            f"seconds a {name}: median {np.median(values):.3f}, 90% {np.quantile(values, 0.9):.3f}, largest {max(values):.3f}"
        )


def main() -> None:
    """Print statistics, or draw the contact sheet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tabletop", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds, from 0 (default: 200)")
    parser.add_argument("--sheet", type=Path, help="draw twelve scenes into this picture instead")
    arguments = parser.parse_args()
    if arguments.sheet is None:
        _print(measure(range(arguments.seeds)))
        return
    picture = cv2.cvtColor(sheet(SHEET_SEEDS), cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(arguments.sheet), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        parser.error(f"cannot write {arguments.sheet}")


if __name__ == "__main__":
    main()

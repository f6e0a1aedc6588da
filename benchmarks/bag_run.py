"""How fast a 30 Hz RGB-D bag goes through ``joyai-ros run`` on two cores, and what memory it takes, short and long.

A simulated sweep over a tabletop-v1 scene (640x480, ten objects pointed at) is played to and fro into bags of two
lengths. Reading, decoding, the scene on every frame, debug image, views at 2 Hz and writing are included; memory is that
of the run and of its engine's process together.

    python -m benchmarks.bag_run [--seconds 10 30]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.writer import BagWriter
from joyai_ros.sim.bag import write_bag

SEED = 1  # ten objects
SWEEP = 60  # frames that are rendered; the longer bags show them again and again
RATE = 30
CORES = 2
TARGET_RATE, TARGET_MEGABYTES = 30.0, 1000.0

_CHILD = """
import json, os, resource, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[3])]))
import cv2
cv2.setNumThreads(1)
from joyai_ros.perception.bag_run import process_bag
report = process_bag(sys.argv[1], sys.argv[2])
peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e3
print(json.dumps({"frames": report.frames, "seconds": report.run_seconds, "megabytes": peak}))
"""


def write_long_bag(path: Path, sweep: Path, frames: int) -> None:
    """Write a bag of ``frames`` frames from those of a sweep, played forwards and backwards, stamped anew at 30 Hz."""
    with BagReader(sweep) as reader, BagWriter(path) as writer:
        for raw in reader.messages(["/tf_static"]):
            writer.write_raw(reader.topic_type(raw.topic), raw.data, raw.time)
        recorded: dict[int, list[Any]] = {}
        for raw in reader.messages():
            if not raw.topic.startswith(("/tf_static", "/ground_truth")):
                recorded.setdefault(raw.time, []).append(raw)
        moments = [recorded[time] for time in sorted(recorded)]
        for index, moment in enumerate(islice(cycle([*moments, *moments[-2:0:-1]]), frames)):
            stamp = reader.start + round(index / RATE * 1e9)
            for raw in moment:
                message = reader.decode(raw)
                for part in getattr(message, "transforms", [message]):
                    part.header.stamp.sec, part.header.stamp.nanosec = divmod(stamp, 10**9)
                writer.write(raw.topic, reader.topics[raw.topic].msgtype, message, stamp)


def measure(bag: Path, output: Path) -> dict[str, float]:
    """Return frames, seconds and peak megabytes of a run in a process of its own on two cores."""
    command = [sys.executable, "-c", _CHILD, str(bag), str(output), str(CORES)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout))


def compare(seconds: list[float]) -> list[dict[str, float]]:
    """Return the figures of bags of these lengths."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="joyai-bag-run-") as folder:
        write_bag(Path(folder) / "sweep", SEED, SWEEP)
        for length in seconds:
            bag = Path(folder) / f"bag_{length:g}"
            write_long_bag(bag, Path(folder) / "sweep", round(length * RATE))
            figures.append(measure(bag, Path(folder) / f"out_{length:g}"))
    return figures


def evidence() -> list[dict[str, Any]]:
    """Return the lines on the speed and the memory of a run."""
    short, long = compare([10.0, 30.0])
    rate = long["frames"] / long["seconds"]
    command = "python -m benchmarks.bag_run"
    return [
        {
            "line": "a 30 Hz 640x480 RGB-D bag on two cores: decoding, scene on every frame, debug image, writing",
            "figure": f"{rate:.1f} frames/s over {long['frames']:.0f} frames",
            "target": f"{TARGET_RATE:g} frames/s",
            "ok": rate >= TARGET_RATE,
            "command": command,
        },
        {
            "line": "peak memory of that run, whatever the length",
            "figure": f"{short['megabytes']:.0f} MB after 10 s, {long['megabytes']:.0f} MB after 30 s of recording",
            "target": f"{TARGET_MEGABYTES:g} MB, and the same within 10%",
            "ok": long["megabytes"] < min(TARGET_MEGABYTES, 1.1 * short["megabytes"]),
            "command": command,
        },
    ]


def main() -> None:
    """Measure the lengths that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bag_run", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0], help="lengths of the recordings")
    lengths = parser.parse_args().seconds
    for length, figure in zip(lengths, compare(lengths), strict=True):
        rate = figure["frames"] / figure["seconds"]
        print(f"{length:g} s: {figure['frames']:.0f} frames at {rate:.1f} frames/s, {figure['megabytes']:.0f} MB")


if __name__ == "__main__":
    main()

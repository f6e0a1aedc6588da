"""How long a depth view takes on one core at 640x480, on a real frame and on a made-up one.

Wall-clock medians; beside them stands the processor time, which other work on the machine hardly touches.

OMP_NUM_THREADS=1 python -m benchmarks.views_speed
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from benchmarks.kitchen_frames import DATA, Kitchen
from joyai_ros.cli.synthetic import synthetic_observation
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.registration import register_depth
from joyai_ros.geometry.warp import warp
from joyai_ros.imagination.depth_view import IMAGE_UP
from joyai_ros.scene.observation import Observation

MOTION = CameraMotion(yaw_deg=20.0, pitch_deg=10.0)
RUNS, WARM_UP = 60, 3
TARGET_MS = 25.0


def median_ms(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median wall-clock time and the median processor time of one call in milliseconds."""
    times = []
    for run in range(WARM_UP + RUNS):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        if run >= WARM_UP:
            times.append((time.perf_counter() - wall, time.process_time() - processor))
    wall, processor = np.median(times, axis=0) * 1e3
    return float(wall), float(processor)


def time_warp(observation: Observation) -> tuple[float, float]:
    """Return the median times of one warp by :data:`MOTION`, milliseconds."""
    if observation.depth is None:
        raise ValueError("a warp needs depth")
    camera, depth = observation.camera, observation.depth
    target_from_source = rigid.inverse(orbit(MOTION, default_pivot(camera, depth), IMAGE_UP))
    return median_ms(lambda: warp(observation.color, depth, camera, camera, target_from_source))


def time_registration(kitchen: Kitchen) -> tuple[float, float]:
    """Return the median times of registering one depth image, milliseconds."""
    rig, depth = kitchen.rig, kitchen.frame(kitchen.numbers[0]).raw_depth
    if rig.depth is None or rig.color_from_depth is None:
        raise ValueError("the kitchen has two cameras")
    depth_camera, offset = rig.depth, rig.color_from_depth
    return median_ms(lambda: register_depth(depth, depth_camera, rig.color, offset))


def evidence() -> list[dict[str, Any]]:
    """Return the lines on speed."""
    cv2.setNumThreads(1)
    lines = [_line("Depth view of a made-up frame, 640x480, one core", time_warp(synthetic_observation()))]
    if DATA.is_dir():
        kitchen = Kitchen()
        frame = kitchen.frame(kitchen.numbers[len(kitchen.numbers) // 3])
        lines.append(_line("Depth view of a kitchen frame, 640x480, one core", time_warp(frame.observation)))
        lines.append(_line("Depth registration of a kitchen frame, one core", time_registration(kitchen), 15.0))
    return lines


def _line(line: str, milliseconds: tuple[float, float], target: float = TARGET_MS) -> dict[str, Any]:
    wall, processor = milliseconds
    return {
        "line": line,
        "figure": f"{wall:.1f} ms median ({processor:.1f} ms of processor time)",
        "target": f"at most {target:.0f} ms",
        "ok": wall <= target,
        "command": "OMP_NUM_THREADS=1 python -m benchmarks.views_speed",
    }


if __name__ == "__main__":
    for entry in evidence():
        print(f"{entry['line']}: {entry['figure']} ({entry['target']})")

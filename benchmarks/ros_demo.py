"""``demo.launch.py`` without a screen: how many scenes, how right, and what an imagine goal takes.

python -m benchmarks.ros_demo [--seconds 30] [--seed 3]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.ros_processes import Running, install, not_measured, undisturbed

SECONDS = 30.0
RATE = 5.0  # scenes per second that are asked for
CANCEL = 0.5  # seconds within which a cancelled goal has to end
PRECISION, RECALL = 0.99, 0.9
SEEDS = (3, 11)
_COMMAND = "python -m benchmarks.ros_demo"
_LINES = {
    "demo.launch.py headless: scenes per second": f"at least {RATE:g}",
    "demo.launch.py: relations against the truth": f"precision {PRECISION}, recall {RECALL} or more, 0 contradicted",
    "demo.launch.py: an imagine goal with feedback": "succeeds",
    "demo.launch.py: a cancelled goal": f"ends within {CANCEL:g} s",
}


def measure(seconds: float, seed: int) -> list[tuple[str, bool]]:
    """Run the demo on one scene and return figure and whether it meets its target, in the order of the lines."""
    from domain_coordinator import domain_id

    from sim_tests.ear import Ear

    with domain_id() as domain:
        command = ["ros2", "launch", "joyai_ros", "demo.launch.py", f"seed:={seed}"]
        with Running(domain, command):
            ear = Ear(domain)
            try:
                ear.wait_for(lambda: len(ear.scenes) > 10, "scenes", 120.0)
                return [_rate(ear, seconds), _relations(ear), _imagine(ear), _cancel(ear)]
            finally:
                ear.close()


def _rate(ear: Any, seconds: float) -> tuple[str, bool]:
    from joyai_ros.messages.headers import stamp_ns

    heard: set[int] = set()
    ages: list[float] = []
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        time.sleep(0.5)
        for age, scene in ear.scenes[-20:]:
            if stamp_ns(scene) not in heard:
                heard.add(stamp_ns(scene))
                ages.append(age)
    rate = len(heard) / (time.monotonic() - start)
    return f"{rate:.1f} scenes/s, age when heard median {np.median(ages) * 1e3:.0f} ms", rate >= RATE


def _relations(ear: Any) -> tuple[str, bool]:
    from sensor_msgs.msg import CameraInfo

    from joyai_ros.messages.cameras import camera_from_info
    from joyai_ros.messages.headers import stamp_ns
    from joyai_ros.messages.poses import pose_from_message
    from sim_tests.scoring import Score, well_visible

    infos: list[Any] = []
    ear.create_subscription(CameraInfo, "camera/color/camera_info", infos.append, 10)
    ear.wait_for(lambda: infos, "camera_info")
    camera, score = camera_from_info(infos[0]).pinhole(), Score()
    for _, scene in list(ear.scenes):
        truth = ear.truth_of(stamp_ns(scene))
        said = next((t for t in list(ear.truths) if f'"stamp":{stamp_ns(scene)},' in t.data), None)
        if truth is not None and said is not None:
            boxes, pose = truth
            score.add(scene, boxes, pose, well_visible(said.data, boxes, pose_from_message(pose.pose), camera))
    ok = score.precision >= PRECISION and score.recall >= RECALL and not score.contradicted.total()
    return score.summary(), ok


def _imagine(ear: Any) -> tuple[str, bool]:
    goal = _goal([20.0, -20.0])
    heard: list[Any] = []
    start = time.monotonic()
    result = ear.result(ear.send(ear.imagine, goal, heard.append))
    took = time.monotonic() - start
    seen = [view.seen_fraction for view in result.views]
    figure = (
        f"{len(result.views)} views in {took:.2f} s, {len(heard)} feedbacks, {np.mean(seen):.0%} of the pixels seen"
    )
    return figure, len(result.views) == 2 and len(heard) >= 2


def _cancel(ear: Any) -> tuple[str, bool]:
    from joyai_ros.action import Imagine

    heard: list[Any] = []
    handle = ear.send(ear.imagine, _goal([float(yaw) for yaw in range(30)]), heard.append)
    future = handle.get_result_async()
    ear.wait_for(lambda: heard, "the goal to be in work")
    start = time.monotonic()
    handle.cancel_goal_async()
    ear.wait_for(future.done, "the end of the goal")
    took = time.monotonic() - start
    cancelled = future.result().result.error_code == Imagine.Goal.CANCELED
    return f"ended after {took * 1e3:.0f} ms", bool(cancelled and took <= CANCEL)


def _goal(yaws: list[float]) -> Any:
    from joyai_ros.action import Imagine
    from joyai_ros.geometry.motion import CameraMotion
    from joyai_ros.messages.factory import RosFactory
    from joyai_ros.messages.motion import motion_message

    return Imagine.Goal(motions=[motion_message(RosFactory(), CameraMotion(yaw, 5.0)) for yaw in yaws])


def evidence() -> list[dict[str, Any]]:
    """Return the lines of this module."""
    if install() is None:
        return not_measured(_LINES, _COMMAND)
    with undisturbed() as how:
        found = {seed: measure(SECONDS, seed) for seed in SEEDS}
    lines = []
    for number, (line, target) in enumerate(_LINES.items()):
        figure = "; ".join(f"scene {seed}: {results[number][0]}" for seed, results in found.items()) + f" ({how})"
        ok = all(results[number][1] for results in found.values())
        lines.append({"line": line, "figure": figure, "target": target, "ok": ok, "command": _COMMAND})
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=SEEDS[0])
    arguments = parser.parse_args()
    if install() is None:
        raise SystemExit("no ROS 2 with this package built for it; run through tools/with_ros.sh")
    with undisturbed():
        results = measure(arguments.seconds, arguments.seed)
    for line, (figure, ok) in zip(_LINES, results, strict=True):
        print(f"{'met  ' if ok else 'short'} {line}: {figure}")


if __name__ == "__main__":
    main()

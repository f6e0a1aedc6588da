"""From the stamp of an image to the published scene, beside a node that only passes the image through; and what happens
when the engine is three times too slow.

    python -m benchmarks.ros_latency [--seconds 60]

A camera process sends pre-rendered 640x480 frames at 10 Hz. When a message was published is what the middleware says
(its source time), so the listener's own delays do not count. Compute is what a frame costs without ROS: decoding and
the engine, as ``Scene.compute_seconds`` says.
"""

from __future__ import annotations

import argparse
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.ros_processes import Running, executable, install, not_measured, undisturbed

RATE = 10.0
SECONDS = 60.0
WARM = 5.0  # seconds left out at the start
SLOW = 3.0 / RATE  # seconds per frame: three times too slow
MEDIAN, HIGH = 5.0, 20.0  # milliseconds above compute and passthrough
_COMMAND = "python -m benchmarks.ros_latency"


@dataclass
class Heard:
    """Latencies in seconds by stamp: from the stamp to the publication of scene and passed image; what was computed."""

    scene: dict[int, float] = field(default_factory=dict)
    passed: dict[int, float] = field(default_factory=dict)
    compute: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    diagnostics: dict[str, str] = field(default_factory=dict)

    def overhead(self) -> Any:
        """Return milliseconds above compute and passthrough, for each frame that came both ways."""
        both = sorted(self.scene.keys() & self.passed.keys())
        return np.array([self.scene[s] - self.compute[s] - self.passed[s] for s in both]) * 1e3


def measure(seconds: float) -> Heard:
    """Run camera, scene node and passthrough together, and listen."""
    return _listen(seconds, lambda: [executable("scene"), [sys.executable, "-m", "benchmarks.ros_passthrough"]])


def measure_slow(seconds: float) -> Heard:
    """Run the camera with an engine that is three times too slow, and listen."""
    return _listen(seconds, lambda: [[sys.executable, "-m", "benchmarks.ros_slow_node", "--seconds", str(SLOW)]])


def _listen(seconds: float, commands: Callable[[], list[list[str]]]) -> Heard:
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from domain_coordinator import domain_id
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.serialization import deserialize_message

    from joyai_ros.msg import Scene

    heard, scenes = Heard(), []
    with domain_id() as domain:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        node = Node("listener", context=context)

        def hear_passed(data: bytes, info: dict[str, Any]) -> None:
            stamp = _stamp(data)
            heard.passed[stamp] = (info["source_timestamp"] - stamp) / 1e9

        def hear_scene(data: bytes, info: dict[str, Any]) -> None:
            stamp = _stamp(data)
            heard.scene[stamp] = (info["source_timestamp"] - stamp) / 1e9
            heard.arrived[stamp] = time.monotonic()
            scenes.append(data)

        def hear_diagnostics(message: DiagnosticArray) -> None:
            for status in message.status:
                heard.diagnostics.update({v.key: v.value for v in status.values})

        from sensor_msgs.msg import Image

        node.create_subscription(Scene, "joyai/scene", hear_scene, 50, raw=True)
        node.create_subscription(Image, "passed/image", hear_passed, 50, raw=True)
        node.create_subscription(DiagnosticArray, "/diagnostics", hear_diagnostics, 50)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        camera = [sys.executable, "-m", "benchmarks.ros_camera", "--rate", str(RATE)]
        running = [Running(domain, command) for command in [*commands(), camera]]
        try:
            end = time.monotonic() + 60.0
            while not heard.scene and time.monotonic() < end:
                executor.spin_once(0.1)
            end = time.monotonic() + seconds + WARM
            first = min(heard.scene, default=0)
            while time.monotonic() < end:
                executor.spin_once(0.1)
        finally:
            for process in reversed(running):
                process.__exit__(None, None, None)
            node.destroy_node()
            rclpy.shutdown(context=context)
    for data in scenes:
        message = deserialize_message(data, Scene)
        heard.compute[message.header.stamp.sec * 10**9 + message.header.stamp.nanosec] = message.compute_seconds
    for part in (heard.scene, heard.passed):
        for stamp in [s for s in part if s < first + WARM * 1e9]:
            del part[stamp]
    return heard


def _stamp(data: bytes) -> int:
    """Return the stamp at the start of a serialised message with a header (CDR: four octets of encapsulation first)."""
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 10**9 + int(nanoseconds)


def evidence() -> list[dict[str, Any]]:
    """Return the lines of this module."""
    fast, slow = "Latency above compute and passthrough, 640x480 at 10 Hz", "Engine three times too slow"
    target = f"median at most {MEDIAN:g} ms, 99th percentile at most {HIGH:g} ms"
    bound = "latency at most compute and two periods, every frame served or counted as dropped, the newest served"
    if install() is None:
        return not_measured({fast: target, slow: bound}, _COMMAND)
    with undisturbed(real_time=True) as how:
        lines = [_fast_line(fast, target, measure(SECONDS)), _slow_line(slow, bound, measure_slow(SECONDS / 2))]
    return [{**line, "figure": f"{line['figure']} ({how})"} for line in lines]


def _fast_line(line: str, target: str, heard: Heard) -> dict[str, Any]:
    above = heard.overhead()
    median, high = float(np.median(above)), float(np.percentile(above, 99))
    compute = np.array([heard.compute[s] for s in heard.scene]) * 1e3
    passed = np.array(list(heard.passed.values())) * 1e3
    figure = (
        f"median {median:.1f} ms, 99th percentile {high:.1f} ms over {len(above)} frames "
        f"(compute median {np.median(compute):.1f} ms, passthrough median {np.median(passed):.1f} ms)"
    )
    return {
        "line": line,
        "figure": figure,
        "target": target,
        "ok": median <= MEDIAN and high <= HIGH,
        "command": _COMMAND,
    }


def _slow_line(line: str, bound: str, heard: Heard) -> dict[str, Any]:
    latency = np.array(list(heard.scene.values()))
    stamps = sorted(heard.scene)
    served = len(stamps) / max((stamps[-1] - stamps[0]) / 1e9, 1e-9) if len(stamps) > 1 else 0.0
    values = heard.diagnostics
    published, dropped = int(values.get("published", 0)), int(values.get("dropped busy", 0))
    figure = (
        f"latency median {np.median(latency) * 1e3:.0f} ms, most {latency.max() * 1e3:.0f} ms, {served:.1f} scenes/s, "
        f"published {published}, dropped {dropped}"
    )
    ok = latency.max() <= SLOW + 2.0 / RATE and dropped > published and served > 0.8 / SLOW
    return {"line": line, "figure": figure, "target": bound, "ok": bool(ok), "command": _COMMAND}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    if install() is None:
        raise SystemExit("no ROS 2 with this package built for it; run through tools/with_ros.sh")
    with undisturbed(real_time=True) as how:
        print(_fast_line("fast", "", measure(arguments.seconds))["figure"], f"({how})")
        print(_slow_line("slow", "", measure_slow(arguments.seconds / 2))["figure"])


if __name__ == "__main__":
    main()

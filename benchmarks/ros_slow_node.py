"""The scene node with an engine that takes a fixed time per frame, slower than the camera on purpose.

python -m benchmarks.ros_slow_node --seconds 0.3
"""

from __future__ import annotations

import argparse
import threading
import time
from dataclasses import replace

import rclpy
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import Parameter

from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="what a frame takes")
    arguments = parser.parse_args()

    class Slow(SceneEngine):
        """Works, and then waits until the time is over."""

        def process(self, observation: Observation) -> Scene:
            started = time.perf_counter()
            scene = super().process(observation)
            time.sleep(max(0.0, arguments.seconds - (time.perf_counter() - started)))
            return replace(scene, seconds=time.perf_counter() - started)

    rclpy.init()
    executor = MultiThreadedExecutor(num_threads=4)

    def make(config: SceneConfig) -> Slow:
        return Slow(config)

    executor.add_node(SceneNode(make_engine=make, parameter_overrides=[Parameter("diagnostics_period", value=0.5)]))
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        spinning.join()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()

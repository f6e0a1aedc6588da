"""PyTorch and ROS in one process, whichever comes first: their C++ libraries, OpenMP and NumPy have to get along."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from domain_coordinator import domain_id

from tests.ros.harness import environment

ROOT = Path(__file__).parents[2]
IMPORTS = {
    "PyTorch first": "import torch, cv2; import rclpy; from joyai_ros.nodes.scene_node import SceneNode",
    "ROS first": "import rclpy; from joyai_ros.nodes.scene_node import SceneNode; import cv2, torch",
}
WORK = """
import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, decode_color

rclpy.init()
node = SceneNode()
node.trigger_configure()
factory, seen = RosFactory(), np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
message = color_message(factory, header(factory, 5, "camera"), seen)
image = decode_color(deserialize_message(serialize_message(message), Image))
tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
blurred = torch.nn.functional.avg_pool2d(tensor, 2)[0].permute(1, 2, 0).numpy()
expected = cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA)
assert np.abs(blurred - expected).max() <= 0.5 + 1e-4, np.abs(blurred - expected).max()
node.close()
node.destroy_node()
rclpy.shutdown()
print("together")
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("order", IMPORTS)
def test_pytorch_and_ros_share_a_process(order):
    with domain_id() as domain:
        result = subprocess.run(
            [sys.executable, "-c", IMPORTS[order] + WORK],
            env=environment(domain),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip().endswith("together")

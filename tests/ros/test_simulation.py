"""The suite of ``sim_tests`` on the simulator of this package, as launch_testing runs it."""

import subprocess
import sys
from pathlib import Path

from domain_coordinator import domain_id

from tests.ros.harness import environment

ROOT = Path(__file__).parents[2]


def test_the_suite_passes_on_mujoco():
    with domain_id() as domain:
        command = [sys.executable, "-m", "launch_testing.launch_test", str(ROOT / "sim_tests" / "test_simulation.py")]
        result = subprocess.run(
            command, env=environment(domain), capture_output=True, text=True, timeout=280, check=False
        )
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr

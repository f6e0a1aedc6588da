"""The import contract is not an ornament: each kind of breach is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BREACHES = {
    "a lower room imports a higher one": ("geometry/rigid.py", "import joyai_ros.scene.types"),
    "rclpy outside of the nodes": ("perception/pipeline.py", "import rclpy"),
    "a network library behind the scene": ("scene/types.py", "import torch"),
    "a library that rosdep does not know": ("messages/headers.py", "import rosbags"),
    "imagination that knows messages": ("imagination/depth_view.py", "import joyai_ros.messages.headers"),
}


def lint(folder: Path) -> subprocess.CompletedProcess:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(folder / "pyproject.toml")]
    environment = {"PYTHONPATH": str(folder), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "joyai_ros", tmp_path / "joyai_ros", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(breach, copy):
    name, line = BREACHES[breach]
    path = copy / "joyai_ros" / name
    path.write_text(f"{path.read_text()}\n{line}\n")
    result = lint(copy)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout


def test_the_house_as_it_stands_keeps_it(copy):
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr

"""Without MuJoCo, or without anything to draw with, one sentence says what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(code, **environment):
    known = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**known, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout


def test_missing_mujoco_names_the_extra():
    out = run(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'mujoco' else find(name, package)\n"
        "from joyai_ros.errors import MissingDependencyError\n"
        "from joyai_ros.sim.tabletop import TabletopSim\n"
        "try: TabletopSim(0)\n"
        "except MissingDependencyError as e: print(e)\n"
    )
    assert "pip install 'joyai_ros[sim]'" in out


@pytest.mark.parametrize("backend", ["disable", "glx"])
def test_missing_opengl_names_the_command(backend):
    out = run(
        "from joyai_ros.errors import MissingDependencyError\n"
        "from joyai_ros.sim.tabletop import TabletopSim\n"
        "try: TabletopSim(0)\n"
        "except MissingDependencyError as e: print(e)\n",
        MUJOCO_GL=backend,
    )
    assert "apt-get install -y libegl1" in out


def test_what_needs_no_drawing_needs_no_library():
    out = run(
        "import sys\n"
        "from joyai_ros.sim.distribution import describe\n"
        "print(len(describe(0).objects) >= 3, 'mujoco' in sys.modules)\n"
    )
    assert out.split() == ["True", "False"]


def test_a_backend_is_found_without_being_told():
    out = run("from joyai_ros.sim.tabletop import TabletopSim\nwith TabletopSim(0) as s: print(s.render().shape)")
    assert "(480, 640, 3)" in out


@pytest.mark.parametrize("order", ["import triton\ndraw()", "draw()\nimport triton\ndraw()"], ids=["before", "after"])
def test_triton_and_mesa_live_in_one_process(order):
    pytest.importorskip("triton", reason="triton is not installed")
    code = "from joyai_ros.sim.tabletop import TabletopSim\ndef draw():\n    with TabletopSim(0) as s: s.render()\n"
    assert run(f"{code}{order}\nprint('alive')") == "alive\n"

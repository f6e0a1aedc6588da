"""The package as ROS 2 builds it. ``make test`` builds it once and names the place; these tests need nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import joyai_ros

ROOT = Path(__file__).parents[2]
INSTALL = os.environ.get("JOYAI_ROS_INSTALL")

pytestmark = pytest.mark.skipif(
    INSTALL is None, reason="no ROS 2 with colcon here, so the package was not built for it"
)

# What only an installed package can answer: run far from the checkout, with the ROS environment alone.
PROBE = """
import json, sys
import joyai_ros, joyai_ros.action, joyai_ros.errors, joyai_ros.msg, joyai_ros.srv
from joyai_ros.resources import resource_dir
print(json.dumps({
    "package": joyai_ros.__file__,
    "errors": joyai_ros.errors.__file__,
    "version": joyai_ros.__version__,
    "obb": joyai_ros.msg.SceneObject.get_fields_and_field_types()["obb"],
    "goal": sorted(joyai_ros.action.Imagine.Goal.get_fields_and_field_types()),
    "request": sorted(joyai_ros.srv.GetScene.Request.get_fields_and_field_types()),
    "msg": str(resource_dir("msg")),
}))
"""


def run(*command: str, **options) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def probe(install: Path, folder: Path) -> dict:
    setup = f'source "{install}/local_setup.bash" && exec "{sys.executable}" -c "$0"'
    paths = [entry for entry in os.environ.get("PYTHONPATH", "").split(":") if str(ROOT) not in entry]
    return json.loads(run("bash", "-c", setup, PROBE, cwd=folder, env={**os.environ, "PYTHONPATH": ":".join(paths)}))


def check(found: dict, install: Path) -> None:
    site = next(install.glob("joyai_ros/lib/python3*/site-packages"))
    assert Path(found["package"]) == site / "joyai_ros" / "__init__.py"
    assert Path(found["errors"]) == site / "joyai_ros" / "errors.py"
    assert found["version"] == joyai_ros.__version__
    assert found["obb"] == "vision_msgs/BoundingBox3D"
    assert {"motions", "target_poses", "method"} <= set(found["goal"])
    assert found["request"] == ["stamp", "tolerance"]
    assert Path(found["msg"]) == install / "joyai_ros" / "share" / "joyai_ros" / "msg"


def test_colcon_sees_an_ament_cmake_package(tmp_path):
    # An invalid package.xml makes colcon fall back to plain Python or CMake without a word.
    listed = run("colcon", "--log-base", str(tmp_path), "list", "--base-paths", str(ROOT)).split()
    assert listed == ["joyai_ros", str(ROOT), "(ros.ament_cmake)"]


def test_the_installed_package_works_without_the_checkout(tmp_path):
    check(probe(Path(INSTALL), tmp_path), Path(INSTALL))


def test_symlink_install(tmp_path):
    # It stays beside the plain build of tools/with_ros.sh, so that only the first one compiles the interfaces.
    place = ROOT / "build" / "ros" / "symlink"
    build = ["colcon", "--log-base", str(place / "log"), "build", "--symlink-install", "--base-paths", str(ROOT)]
    build += ["--build-base", str(place / "build"), "--install-base", str(place / "install")]
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environment["PATH"] = ":".join(p for p in environment["PATH"].split(":") if not p.startswith(sys.prefix))
    flags = "-DCMAKE_CXX_FLAGS=-O0", "-DCMAKE_C_FLAGS=-O0"  # nothing of it is run for its speed
    run(*build, "--cmake-args", "-DBUILD_TESTING=OFF", *flags, cwd=tmp_path, env=environment)
    installed = next((place / "install").glob("joyai_ros/lib/python3*/site-packages/joyai_ros/errors.py"))
    assert installed.resolve() == ROOT / "joyai_ros" / "errors.py"
    check(probe(place / "install", tmp_path), place / "install")

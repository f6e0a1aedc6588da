"""The wheel carries the interfaces, so that bags can be written where no ROS is installed."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = {"msg": "*.msg", "srv": "*.srv", "action": "*.action", "models": "*.yaml", "config": "*.yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    # Building writes beside the sources, so a copy of them is built.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("joyai_ros", *SHARED):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--quiet", "--no-deps"]
    pip += ["--no-index", "--no-build-isolation", "--wheel-dir", str(out), str(source)]
    result = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(out.glob("joyai_ros-*.whl"))


def test_the_wheel_holds_every_module_and_every_shared_file(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "joyai_ros").rglob("*.py"):
        assert str(path.relative_to(ROOT)) in held
    assert "joyai_ros/py.typed" in held
    for kind, pattern in SHARED.items():
        for path in (ROOT / kind).glob(pattern):
            assert f"joyai_ros/_share/{kind}/{path.name}" in held
    for path in (ROOT / "models").rglob("*"):  # weights and recipes too
        assert path.is_dir() or f"joyai_ros/_share/{path.relative_to(ROOT)}" in held
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/", "msg/"))]


def test_an_unpacked_wheel_finds_its_interfaces(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from joyai_ros.resources import resource_files; "
        "print(*resource_files('msg', '.msg'), sep='\\n')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = [Path(line) for line in result.stdout.splitlines()]
    assert {path.name for path in found} == {path.name for path in (ROOT / "msg").glob("*.msg")}
    assert {path.parent for path in found} == {tmp_path / "site" / "joyai_ros" / "_share" / "msg"}

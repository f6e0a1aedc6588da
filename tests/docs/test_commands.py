"""Every command in the documentation is run, except in fences that say ``norun``."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from joyai_ros.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DRAWS = "joyai-image-edit"  # and its Edit-Plus
COMMANDS_ELSEWHERE = {"make", "cd", "git", "source", "ros2", "colcon", "rosdep", "docker", "sudo", "pip", "python3"}


def fences(page: Path) -> list[tuple[str, str, str]]:
    return FENCE.findall(page.read_text())


def runnable() -> list:
    found = []
    for page in PAGES:
        blocks = [body for language, words, body in fences(page) if language == "bash" and "norun" not in words]
        if blocks:
            found.append(pytest.param(blocks, id=page.name))
    return found


@pytest.fixture(scope="session")
def workplace(tmp_path_factory) -> Path:
    """A folder in which `joyai-ros` is on the path and `joyai-ros demo` has been run with few frames."""
    folder = tmp_path_factory.mktemp("docs")
    command = folder / "bin" / "joyai-ros"
    command.parent.mkdir()
    path = f'PYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}"'
    command.write_text(f'#!/bin/sh\n{path} exec "{sys.executable}" -m joyai_ros "$@"\n')
    command.chmod(0o755)
    run(folder, "joyai-ros demo --frames 12")
    return folder


def run(folder: Path, script: str) -> None:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    shell = ["bash", "-e", "-u", "-o", "pipefail", "-c", script]
    result = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{script}\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize("blocks", runnable())
def test_commands_run_as_written(blocks, workplace, tmp_path):
    shutil.copytree(workplace, tmp_path / "work", symlinks=True, ignore=shutil.ignore_patterns("recording"))
    (tmp_path / "work" / "out" / "demo" / "recording").symlink_to(workplace / "out" / "demo" / "recording")
    for block in blocks:
        run(tmp_path / "work", block)


def test_commands_that_are_not_run_are_those_that_cannot_be():
    for page in PAGES:
        for language, words, body in fences(page):
            if language != "bash" or "norun" not in words:
                continue
            for line in body.replace("\\\n", " ").splitlines():
                command = re.sub(r"^(\w+=(\"[^\"]*\"|\S+)\s+)*", "", line.strip())
                benchmark = re.match(r"(?:.*/)?python -m benchmarks\.(\w+)", command)
                if benchmark:  # these take minutes
                    assert (ROOT / "benchmarks" / f"{benchmark[1]}.py").is_file(), f"{page.name}: {line}"
                    continue
                if "weights" in words.split():  # test_commands_that_draw_run_with_a_small_model
                    assert f"--model {DRAWS}" in command, f"{page.name}: {line}"
                    continue
                if "engine" in words.split():  # test_commands_of_engines_run_with_a_small_model
                    assert command.startswith("joyai-ros engine") and DRAWS in command, f"{page.name}: {line}"
                    continue
                first = command.split(" ")[0]
                assert not first or first.startswith("#") or first in COMMANDS_ELSEWHERE, f"{page.name}: {line}"


def test_commands_that_draw_run_with_a_small_model(workplace, tmp_path, monkeypatch, edit_folder, plus_folder):
    """Nobody has the real weights here: the same commands, with a small random pipeline and small pictures."""
    shutil.copytree(workplace, tmp_path / "work", symlinks=True, ignore=shutil.ignore_patterns("recording"))
    monkeypatch.chdir(tmp_path / "work")
    shutil.copy("out/demo/frame/color.png", "out/view.png")
    blocks = [body for page in PAGES for _, words, body in fences(page) if "weights" in words.split()]
    commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    assert len(commands) > 3
    for command in commands:  # in this process: a new one would load torch each time
        small = command.replace(f"{DRAWS}-plus", str(plus_folder)).replace(DRAWS, str(edit_folder))
        program, *words = shlex.split(f"{small} --size 64 --steps 2")
        assert (program, main.run(words)) == ("joyai-ros", 0), command


def test_commands_of_engines_run_with_a_small_model(one_block_folder, built_engine, monkeypatch):
    """The engine is there when they come: that it is built is tested elsewhere, and takes a while."""
    monkeypatch.setenv("JOYAI_ENGINES", str(built_engine.parent))
    blocks = [body for page in PAGES for _, words, body in fences(page) if "engine" in words.split()]
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(commands) >= 3
    for command in commands:
        program, *words = shlex.split(command.replace(DRAWS, str(one_block_folder)))
        assert (program, main.run(words)) == ("joyai-ros", 0), command


def test_links_and_pictures_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if target.startswith("https://"):
                continue
            assert (page.parent / target).exists(), f"{page.name} points at {target}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, page.name

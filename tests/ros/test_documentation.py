"""The ROS commands of the documentation: what can be run is run, what would run for ever is looked up."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix
from domain_coordinator import domain_id

from joyai_ros.msg import Scene
from joyai_ros.nodes.process import KINDS
from tests.ros.harness import PATIENCE, Ros, environment, wait_for

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```bash norun ros( demo)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
STAYS = ("ros2 launch", "ros2 run")  # these run until they are stopped


def commands(*, demo):
    for page in PAGES:
        for needs_demo, body in FENCE.findall(page.read_text()):
            if bool(needs_demo) == demo:
                yield from (line for line in body.splitlines() if line and not line.startswith("#"))


STARTS = sorted({line for line in commands(demo=False) if line.startswith(STAYS)})
LOOKS = sorted({line for line in commands(demo=False) if not line.startswith(STAYS)})


def shell(line, domain=0):
    result = subprocess.run(
        ["bash", "-c", line], env=environment(domain), cwd="/", capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
    assert result.stdout.strip(), line
    return result.stdout


def test_there_are_commands_of_every_kind():
    assert len(STARTS) >= 8
    assert len(LOOKS) >= 3
    assert len(list(commands(demo=True))) >= 10


@pytest.mark.parametrize("line", LOOKS)
def test_what_looks_around_works(line):
    shell(line)


def test_every_launch_file_takes_the_arguments_that_are_shown():
    known = {}
    for line in STARTS:
        words = shlex.split(line, comments=True)
        if words[1] != "launch":
            continue
        _, _, package, file, *arguments = words
        assert package == "joyai_ros"
        if file not in known:
            known[file] = set(
                re.findall(r"^ +'(\w+)':", shell(f"ros2 launch joyai_ros {file} --show-args"), re.MULTILINE)
            )
        names = {a.partition(":=")[0] for a in arguments}
        assert names <= known[file], line
    assert set(known) == {path.name for path in (ROOT / "launch").glob("*.launch.py")}


def test_every_executable_that_is_shown_is_there():
    folder = Path(get_package_prefix("joyai_ros")) / "lib" / "joyai_ros"
    shown = {shlex.split(line, comments=True)[3] for line in STARTS if line.startswith("ros2 run")}
    assert shown == {"perception", *KINDS}
    assert all(os.access(folder / name, os.X_OK) for name in shown)


def test_the_running_demo_answers_as_the_documentation_asks():
    with domain_id() as domain:
        ros = Ros(domain)
        log = subprocess.DEVNULL
        arguments = ["width:=160", "camera_rate:=4.0", "path:=still"]  # the command line tools need a processor too
        launched = subprocess.Popen(
            ["ros2", "launch", "joyai_ros", "demo.launch.py", *arguments],
            env=environment(domain),
            stdout=log,
            stderr=log,
        )
        try:
            scenes = ros.listen(Scene, "joyai/scene")
            wait_for(lambda: scenes and scenes[-1].objects, "scenes of the demo", 3 * PATIENCE)
            answers = {line: shell(line, domain) for line in commands(demo=True)}
        finally:
            launched.send_signal(signal.SIGINT)
            code = launched.wait(PATIENCE)
            ros.close()
            shell("ros2 daemon stop", domain)
    assert code == 0
    for line, answer in answers.items():
        if "service call" in line or "send_goal" in line:
            assert re.search(r"error_code[:=] ?0\b", answer), f"{line}\n{answer[-2000:]}"
        if "send_goal" in line:
            assert "SUCCEEDED" in answer
            assert "Feedback" in answer
    assert "inactive" in answers["ros2 lifecycle get /joyai_scene"]

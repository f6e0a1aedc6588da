"""What installs the nodes: package.xml and the Docker files, as far as they can be checked without rosdep and Docker."""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER_FILES = sorted((ROOT / "docker").glob("Dockerfile*"))
INSTRUCTIONS = {"ARG", "FROM", "ENV", "SHELL", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "STOPSIGNAL", "CMD"}
# Packages whose module has another name, and those that come with one that is declared.
DECLARED_AS = {"tf2_ros": "tf2_ros_py"}
OURS = {"joyai_ros", "numpy", "cv2", "scipy", "yaml", "__future__"}


def declared():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    return {e.text for e in package if e.tag in ("depend", "exec_depend")}


def instructions(path):
    """Return (instruction, rest) of a Dockerfile, continued lines joined and comments gone."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [tuple(line.split(None, 1)) for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_package_xml_names_every_ros_package_that_nodes_and_launch_files_import_and_no_other():
    files = [*(ROOT / "joyai_ros" / "nodes").glob("*.py"), *(ROOT / "launch").glob("*.py")]
    imported = {name for path in files for name in imports(path)} - OURS - sys.stdlib_module_names
    assert {DECLARED_AS.get(name, name) for name in imported} <= declared()
    # What is declared is used: by an import, by an interface, or as the tool that starts the launch files.
    interfaces = "".join(p.read_text() for kind in ("msg", "srv", "action") for p in (ROOT / kind).glob(f"*.{kind}"))
    used = {DECLARED_AS.get(name, name) for name in imported} | set(re.findall(r"(\w+)/\w+", interfaces))
    libraries = {"python3-jsonschema", "python3-numpy", "python3-opencv", "python3-scipy", "python3-yaml"}
    assert declared() - used <= libraries | {"rosidl_default_runtime", "ros2launch"}


@pytest.mark.parametrize("path", DOCKER_FILES, ids=lambda p: p.name)
def test_a_docker_file_is_one(path):
    found = instructions(path)
    assert {word for word, _ in found} <= INSTRUCTIONS
    assert next(word for word, _ in found if word != "ARG") == "FROM"
    stages = {m[1] for _, rest in found if (m := re.search(r" AS (\w+)$", rest))}
    for word, rest in found:
        if word == "RUN":
            subprocess.run(["bash", "-n", "-c", rest], check=True)
        elif word == "COPY":
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources), rest
        elif word == "FROM":
            image = rest.split()[0]
            assert image in stages or ":" in image or image == "${BASE}", rest
    text = path.read_text()
    assert "Not run yet" in text
    assert text.index("rosdep install") < text.index("colcon build")
    for words in re.findall(r"docker build (.*)", text):
        target = re.search(r"--target (\w+)", words)
        assert target is None or target[1] in stages
        assert f"-f docker/{path.name} " in words


@pytest.mark.parametrize("path", DOCKER_FILES, ids=lambda p: p.name)
def test_docker_files_install_the_versions_that_pip_would(path):
    project = (ROOT / "pyproject.toml").read_text()
    ranges = {r.name: r.specifier for r in map(Requirement, re.findall(r'"([a-z-]+[<>=][^"]*)"', project))}
    for name, said in re.findall(r'"([a-z-]+)([<>=][^"]*)"', path.read_text()):
        given = Requirement(name + said).specifier
        if name == "numpy":
            assert str(given) == "<2"  # ROS's own modules were compiled against NumPy 1
        elif name != "opencv-python-headless":  # from 4.12 on it asks for NumPy 2
            assert given == ranges[name], name


def test_the_entry_point_is_a_program_and_what_images_need_is_not_ignored():
    entry = ROOT / "docker" / "entrypoint.sh"
    subprocess.run(["bash", "-n", str(entry)], check=True)
    assert entry.stat().st_mode & 0o111
    ignored = (ROOT / ".dockerignore").read_text().split()
    needed = [
        "package.xml",
        "CMakeLists.txt",
        "docker",
        "joyai_ros",
        "msg",
        "srv",
        "action",
        "launch",
        "config",
        "scripts",
    ]
    assert not [name for name in needed if any(fnmatch(name, pattern) for pattern in ignored)]
    assert {".git", ".venv", "build", "out"} <= set(ignored)


def test_the_documentation_builds_images_that_there_are():
    text = (ROOT / "docs" / "install.md").read_text()
    files = set(re.findall(r"-f (docker/\S+)", text))
    assert files == {f"docker/{path.name}" for path in DOCKER_FILES}
    assert len(files) == 2
    assert "the Docker files | not run" in text

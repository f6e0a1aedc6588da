"""One truth in each place: versions, dependencies and interfaces are the same for pip, for colcon and for CMake."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import joyai_ros

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE_XML = ElementTree.parse(ROOT / "package.xml").getroot()
CMAKE = (ROOT / "CMakeLists.txt").read_text()
INTERFACES = sorted(
    str(path.relative_to(ROOT)) for kind in ("msg", "srv", "action") for path in (ROOT / kind).glob(f"*.{kind}")
)
# What the nodes need must come from rosdep, so these import nothing but what package.xml lists.
ROSDEP_PARTS = ["errors.py", "resources.py", "settings.py", "geometry", "scene", "messages", "nodes"]
ROSDEP_MODULES = {"numpy", "scipy", "cv2", "yaml", "joyai_ros"}
ROS_MODULES = {
    *("rclpy", "tf2_ros", "message_filters", "cv_bridge", "diagnostic_updater", "ament_index_python", "lifecycle_msgs"),
    *("sensor_msgs", "geometry_msgs", "std_msgs", "vision_msgs", "visualization_msgs", "builtin_interfaces"),
    *("tf2_msgs", "shape_msgs", "diagnostic_msgs", "rosgraph_msgs", "rcl_interfaces", "action_msgs", "yolo_msgs"),
}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for lines in (PROJECT["dependencies"], *extras) for line in lines]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_said_once_for_each_tool():
    assert PACKAGE_XML.findtext("version") == joyai_ros.__version__
    assert f"## [{joyai_ros.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_requirement_has_an_exact_version_within_its_range():
    lines = [line.partition("#")[0].partition(";")[0].strip() for line in (ROOT / "constraints.txt").open()]
    pinned = dict(line.split("==") for line in lines if line)
    for requirement in requirements():
        if requirement.name == "joyai_ros":
            continue
        assert requirement.specifier, f"{requirement.name} has no range"
        version = pinned[normalised(requirement.name)]
        assert requirement.specifier.contains(Version(version)), f"{requirement} against {version}"


def test_the_base_install_holds_no_network_library():
    names = {normalised(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert not names & {"torch", "transformers", "diffusers", "onnxruntime", "mujoco"}


def test_cmake_generates_every_interface():
    listed = re.search(r"rosidl_generate_interfaces\(\$\{PROJECT_NAME\}(.*?)DEPENDENCIES(.*?)\)", CMAKE, re.DOTALL)
    assert sorted(listed[1].split()) == INTERFACES
    used = set()
    for path in INTERFACES:
        used |= set(re.findall(r"^\s*(\w+)/\w+", (ROOT / path).read_text(), re.MULTILINE))
    assert used <= set(listed[2].split())


def test_package_xml_declares_what_cmake_and_the_interfaces_need():
    declared = {element.text for element in PACKAGE_XML if element.tag.endswith("depend")}
    assert set(re.findall(r"find_package\((\w+)", CMAKE)) <= declared
    assert PACKAGE_XML.get("format") == "3"
    assert PACKAGE_XML.findtext("member_of_group") == "rosidl_interface_packages"
    assert PACKAGE_XML.findtext("export/build_type") == "ament_cmake"


def imported_modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_what_the_nodes_need_resolves_by_rosdep():
    files = []
    for part in ROSDEP_PARTS:
        path = ROOT / "joyai_ros" / part
        files += [path] if path.is_file() else path.rglob("*.py")
    assert len(files) > 10
    for path in files:
        allowed = ROSDEP_MODULES | sys.stdlib_module_names
        if "nodes" in path.relative_to(ROOT).parts:
            allowed = allowed | ROS_MODULES
        assert imported_modules(path) <= allowed, path

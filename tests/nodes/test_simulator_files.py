"""The files for Gazebo and Isaac Sim, checked as far as files can be without the simulators."""

import ast
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from joyai_ros.geometry import rigid
from sim_tests import tabletop

HERE = Path(tabletop.__file__).parent
TABLE = tabletop.load()
PROFILES = HERE.parent / "config"

# Which elements SDFormat 1.9 has below which (sdformat.org/spec), of those that are used here.
CHILDREN = {
    "sdf": {"world"},
    "world": {"plugin", "light", "model"},
    "plugin": {"render_engine"},
    "light": {"pose", "cast_shadows", "diffuse", "direction"},
    "model": {"static", "pose", "link"},
    "link": {"visual", "collision", "sensor"},
    "visual": {"geometry", "material"},
    "collision": {"geometry"},
    "geometry": {"box", "cylinder"},
    "box": {"size"},
    "cylinder": {"radius", "length"},
    "material": {"ambient", "diffuse"},
    "sensor": {"topic", "gz_frame_id", "always_on", "update_rate", "camera"},
    "camera": {"horizontal_fov", "image", "clip"},
    "image": {"width", "height", "format"},
    "clip": {"near", "far"},
}


def profile(name):
    return yaml.safe_load((PROFILES / f"{name}.yaml").read_text())["/**"]["ros__parameters"]


@pytest.fixture(scope="module")
def world():
    return ElementTree.parse(HERE / "gazebo" / "world.sdf").getroot().find("world")


def test_the_world_is_the_one_that_the_table_makes():
    assert (HERE / "gazebo" / "world.sdf").read_text() == tabletop.world_sdf(TABLE), "python -m sim_tests.tabletop"


def test_the_world_uses_elements_that_exist(world):
    for parent in ElementTree.parse(HERE / "gazebo" / "world.sdf").getroot().iter():
        unknown = {child.tag for child in parent} - CHILDREN.get(parent.tag, set())
        assert not unknown, (parent.tag, unknown)


def test_the_world_holds_every_object_where_it_should_be(world):
    models = {m.get("name"): m for m in world.findall("model")}
    assert set(models) == {"floor", "table", "camera", *(o.id for o in TABLE.objects)}
    for thing in TABLE.objects:
        x, y, z, roll, pitch, yaw = map(float, models[thing.id].findtext("pose").split())
        assert (x, y, z) == pytest.approx(thing.position)
        assert (roll, pitch, yaw) == pytest.approx((0.0, 0.0, thing.yaw), abs=1e-5)


def test_the_camera_of_the_world_is_the_camera_of_the_table(world):
    [camera] = [m for m in world.findall("model") if m.get("name") == "camera"]
    x, y, z, roll, pitch, yaw = map(float, camera.findtext("pose").split())
    about = lambda axis, angle: rigid.axis_angle(np.eye(3)[axis], angle)  # noqa: E731
    rotation = about(2, yaw) @ about(1, pitch) @ about(0, roll)
    assert np.allclose(rotation, TABLE.world_from_body[:3, :3], atol=1e-5)
    assert np.allclose([x, y, z], TABLE.world_from_body[:3, 3])
    lens = camera.find("link/sensor/camera")
    focal = TABLE.camera.width / 2 / math.tan(float(lens.findtext("horizontal_fov")) / 2)
    assert focal == pytest.approx(TABLE.camera.fx, rel=1e-4)


def test_objects_stand_on_the_table_apart_and_in_view():
    top = TABLE.table.position[2] + TABLE.table.size[2] / 2
    camera_from_world = rigid.inverse(TABLE.world_from_optical)
    for thing in TABLE.objects:
        assert thing.box.corners()[:, 2].min() == pytest.approx(top)
        seen = rigid.apply(camera_from_world, thing.box.corners())
        pixels = TABLE.camera.project(seen)
        assert (seen[:, 2] > 0.3).all()
        assert (pixels > 5).all()
        assert (pixels < np.array(TABLE.camera.size) - 5).all()
        for other in TABLE.objects:
            if other is not thing:
                gap = np.linalg.norm(np.subtract(thing.position, other.position)[:2])
                assert gap > 0.5 * (max(thing.size[:2]) + max(other.size[:2]))


def test_the_bridge_brings_what_the_profile_listens_to():
    bridged = {
        entry["ros_topic_name"]: entry for entry in yaml.safe_load((HERE / "gazebo" / "bridge.yaml").read_text())
    }
    topics = profile("gazebo")["topics"]
    wanted = {topics["color"]: "Image", topics["depth"]: "Image", topics["depth_info"]: "CameraInfo"}
    for topic, kind in wanted.items():
        assert bridged[topic]["ros_type_name"] == f"sensor_msgs/msg/{kind}"
        assert bridged[topic]["gz_type_name"] == f"gz.msgs.{kind}"
    assert bridged["clock"]["ros_type_name"] == "rosgraph_msgs/msg/Clock"
    assert {entry["direction"] for entry in bridged.values()} == {"GZ_TO_ROS"}


def test_the_sensor_speaks_on_the_topics_that_the_bridge_brings(world):
    """An rgbd_camera with topic T publishes T/image, T/depth_image, T/camera_info and T/points."""
    topic = world.findtext("model/link/sensor/topic")
    entries = yaml.safe_load((HERE / "gazebo" / "bridge.yaml").read_text())
    names = {f"{topic}/{part}" for part in ("image", "depth_image", "camera_info", "points")}
    assert {e["gz_topic_name"] for e in entries} - {"clock"} <= names


def constants(path):
    """Return the module's constants without importing what only the simulator has."""
    tree = ast.parse(path.read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            found |= dict(zip((e.id for e in node.targets[0].elts), ast.literal_eval(node.value), strict=True))
    return found


def test_isaac_publishes_what_its_profile_listens_to():
    path = HERE / "isaac" / "standalone.py"
    compile(path.read_text(), str(path), "exec")
    script, topics = constants(path), profile("isaac_sim")["topics"]
    assert script["TOPICS"]["rgb"] == topics["color"]
    assert script["TOPICS"]["depth"] == topics["depth"]
    assert script["TOPICS"]["camera_info"] == topics["color_info"] == topics["depth_info"]
    assert script["FRAME"] == constants(HERE / "truth_node.py")["OPTICAL"]


def test_the_frames_of_the_truth_are_those_of_the_profiles(world):
    truth = constants(HERE / "truth_node.py")
    assert world.findtext("model/link/sensor/gz_frame_id") == truth["OPTICAL"]
    for name in ("gazebo", "isaac_sim"):
        assert profile(name)["transforms"]["world_frame"] == truth["WORLD"]


def test_what_was_never_run_says_so():
    assert "Not run yet" in (HERE / "isaac" / "standalone.py").read_text()
    assert "Not run yet" in (HERE / "gazebo" / "gazebo.launch.py").read_text()
    for name in ("gazebo", "isaac_sim"):
        assert "Run by this project: no" in (PROFILES / f"{name}.yaml").read_text()

"""The files that travel with the nodes: profiles, layouts; checked as far as files can be without what reads them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from joyai_ros import settings
from joyai_ros.nodes.config import SceneNodeConfig, SimNodeConfig, ViewNodeConfig
from joyai_ros.perception.outputs import TYPES

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "config").glob("*.yaml"))


def test_the_profiles_are_those_that_were_promised():
    names = {path.stem for path in PROFILES}
    assert names == {"realsense_d4xx", "zed", "oak_d", "isaac_sim", "gazebo", "rgb_only"}


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_a_profile_sets_what_nodes_know_and_says_where_it_comes_from(path):
    text = path.read_text()
    assert re.search(r"^# Written from: ", text, re.MULTILINE)
    assert re.search(r"Run by this project: ", text)
    content = yaml.safe_load(text)
    assert list(content) == ["/**"]
    given = content["/**"]["ros__parameters"]
    given.pop("use_sim_time", None)
    for kind in (SceneNodeConfig, ViewNodeConfig):
        own = {s.name.partition(".")[0] for s in settings.describe(kind)}
        built = settings.build(kind, {k: v for k, v in given.items() if k in own})
        assert not built.topics.color.startswith("/")  # relative, so that robots can have namespaces
    assert set(given) <= {
        s.name.partition(".")[0] for kind in (SceneNodeConfig, ViewNodeConfig) for s in settings.describe(kind)
    }


def test_profiles_without_depth_say_what_they_give_up():
    text = (ROOT / "config" / "rgb_only.yaml").read_text()
    assert "What this gives up" in text
    assert 'depth: ""' in text


def ours(topic):
    return topic.removeprefix("/").removeprefix("joyai/") in TYPES


def test_the_rviz_layout_shows_topics_that_exist():
    layout = yaml.safe_load((ROOT / "config" / "rviz" / "joyai.rviz").read_text())
    shown = [d["Topic"]["Value"] for d in layout["Visualization Manager"]["Displays"] if "Topic" in d]
    assert len(shown) >= 4
    assert all(ours(topic) and not topic.startswith("/") for topic in shown), shown
    assert layout["Visualization Manager"]["Global Options"]["Fixed Frame"] == "map"


def test_the_foxglove_layout_shows_topics_that_exist():
    layout = json.loads((ROOT / "config" / "foxglove" / "joyai.json").read_text())
    panels = layout["configById"]
    used = set(re.findall(r'"([A-Za-z0-9]+![a-z]+)"', json.dumps(layout["layout"])))
    assert used == set(panels)
    topics = re.findall(r'"(/joyai/[a-z_/]+)', json.dumps(panels))
    assert len(topics) >= 5
    assert all(ours(topic) for topic in topics), topics


def test_no_two_nodes_mean_different_things_by_one_name():
    """One parameter file serves all nodes of a process, so a name has one type and one default."""
    known = {}
    for kind in (SceneNodeConfig, ViewNodeConfig, SimNodeConfig):
        for item in settings.describe(kind):
            assert known.setdefault(item.name, (item.kind, item.default)) == (item.kind, item.default), item.name

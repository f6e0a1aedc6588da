"""The interfaces are frozen: a change of a field changes its type hash and breaks every bag that was recorded with it.

``interface_hashes.json`` holds the RIHS01 hashes (REP-2011) of all message, service and action parts as ROS 2 computes
them. A new interface is added there; an existing line never changes.
"""

import json
import os
from pathlib import Path

import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from joyai_ros.bags.typestore import own_definitions, type_hash, typestore
from joyai_ros.bags.vision_msgs import DEFINITIONS
from joyai_ros.resources import resource_files

HASHES = json.loads((Path(__file__).parent / "interface_hashes.json").read_text())
PARTS = {"srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}


def parts():
    """Return the text of each message part of services and actions by type name."""
    found = {}
    for folder, names in PARTS.items():
        for path in resource_files(folder, f".{folder}"):
            texts = path.read_text().split("\n---\n")
            assert len(texts) == len(names), path
            for name, text in zip(names, texts, strict=True):
                found[f"joyai_ros/{folder}/{path.stem}_{name}"] = text
    return found


@pytest.fixture(scope="module")
def store():
    store = get_typestore(Stores.EMPTY)
    store.register(typestore().fielddefs)
    for name, text in parts().items():
        # Parsed as a message of the package, so that its fields find the package's messages.
        ((_, definition),) = get_types_from_msg(text, f"joyai_ros/msg/{name.split('/')[-1]}").items()
        store.register({name: definition})
    return store


def test_every_interface_is_recorded(store):
    now = {*own_definitions(), *parts()}
    missing = {name: store.hash_rihs01(name) for name in sorted(now - set(HASHES))}
    assert not missing, f"new interfaces: add these lines to interface_hashes.json: {json.dumps(missing, indent=2)}"
    assert not set(HASHES) - now, "interfaces that bags were recorded with are gone"


@pytest.mark.parametrize("name", sorted(HASHES))
def test_type_hashes_stay(store, name):
    fields = dict(store.fielddefs[name][1])
    assert fields, "an interface without fields"
    assert store.hash_rihs01(name) == HASHES[name]


def installed(package, folder):
    """Return the type hashes that an installed package states, or skip."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    prefixes += sorted(Path("/opt/ros").glob("*"), reverse=True)
    for prefix in prefixes:
        files = sorted((prefix / "share" / package / folder).glob("*.json"))
        if files:
            listed = [entry for file in files for entry in json.loads(file.read_text())["type_hashes"]]
            return {entry["type_name"]: entry["hash_string"] for entry in listed}
    return pytest.skip(f"{package} is not installed for ROS 2 here")


@pytest.mark.parametrize("folder", ["msg", "srv", "action"])
def test_ros_computes_the_same_hashes(folder):
    theirs = installed("joyai_ros", folder)
    ours = {name: value for name, value in HASHES.items() if name.split("/")[1] == folder}
    assert {name: theirs[name] for name in ours} == ours


def test_vision_msgs_is_what_ros_ships():
    theirs = installed("vision_msgs", "msg")
    assert {name: theirs[name] for name in DEFINITIONS} == {name: type_hash(name) for name in DEFINITIONS}


@pytest.mark.parametrize("folder", ["msg", "srv", "action"])
def test_rosidl_parses_the_files(folder, ros_site):
    parser = pytest.importorskip("rosidl_adapter.parser", reason="no rosidl_adapter: no ROS 2 is sourced")
    parse = {"msg": parser.parse_message_file, "srv": parser.parse_service_file, "action": parser.parse_action_file}
    files = resource_files(folder, f".{folder}")
    assert files
    for path in files:
        parse[folder]("joyai_ros", str(path))


def test_rosidl_and_our_bags_agree_on_defaults(ros_site, factory):
    """Default values in .msg files reach messages of both libraries."""
    assert factory("joyai_ros/msg/View")().synthetic is True
    assert factory("joyai_ros/msg/CameraMotion")().zoom == 1.0
    assert factory("geometry_msgs/msg/Quaternion")().w == 1.0

"""The table of ``tabletop.yaml``: read, turned into a Gazebo world, and as what is true."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera

HERE = Path(__file__).parent
# Optical axes (x right, y down, z forward) of a camera whose own axes are x forward, y left, z up (REP-103).
BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Thing:
    """The table or an object: a box or an upright cylinder, metres, radians."""

    id: str
    label: str
    shape: str
    size: tuple[float, float, float]
    position: tuple[float, float, float]
    yaw: float
    color: tuple[float, float, float]

    @property
    def box(self) -> OrientedBox:
        """Its gravity-aligned box in the world: length, width, height."""
        size, yaw = np.array(self.size), self.yaw
        if size[1] > size[0]:
            size, yaw = size[[1, 0, 2]], yaw + math.pi / 2
        return OrientedBox(np.array(self.position), rigid.axis_angle(_UP, yaw), size)


@dataclass(frozen=True)
class Tabletop:
    """What stands where, and the camera.

    Attributes:
        table, objects: in the world.
        camera: its lens.
        world_from_body: (4, 4) pose of the camera's body (x forward, z up).
        rate: frames per second.
    """

    table: Thing
    objects: tuple[Thing, ...]
    camera: Camera
    world_from_body: Mat4
    rate: float

    @property
    def world_from_optical(self) -> Mat4:
        """The (4, 4) pose of the optical frame."""
        return self.world_from_body @ rigid.make_transform(BODY_FROM_OPTICAL, np.zeros(3))


def load(path: Path = HERE / "tabletop.yaml") -> Tabletop:
    """Read the table."""
    content = yaml.safe_load(path.read_text())
    camera = content["camera"]
    width, height = camera["width"], camera["height"]
    focal = width / 2 / math.tan(math.radians(camera["horizontal_fov"]) / 2)
    eye, target = np.array(camera["position"]), np.array(camera["look_at"])
    forward = rigid.unit(target - eye)
    left = rigid.unit(np.cross(_UP, forward))
    body = np.stack([forward, left, np.cross(forward, left)], axis=1)
    return Tabletop(
        table=_thing({"id": "table", "label": "table", "shape": "box", "yaw": 0.0, **content["table"]}),
        objects=tuple(_thing(item) for item in content["objects"]),
        camera=Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2),
        world_from_body=rigid.make_transform(body, eye),
        rate=camera["rate"],
    )


def _thing(item: dict[str, Any]) -> Thing:
    numbers = {name: tuple(float(v) for v in item[name]) for name in ("size", "position", "color")}
    return Thing(item["id"], item["label"], item["shape"], yaw=math.radians(item["yaw"]), **numbers)


def euler(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return roll, pitch, yaw in radians about fixed axes, as SDF's poses have them (R = Rz Ry Rx)."""
    pitch = math.asin(float(np.clip(-rotation[2, 0], -1.0, 1.0)))
    return math.atan2(rotation[2, 1], rotation[2, 2]), pitch, math.atan2(rotation[1, 0], rotation[0, 0])


def world_sdf(tabletop: Tabletop) -> str:
    """Return the Gazebo world (SDF 1.9): floor, light, table, objects, an RGB-D camera; nothing needs to be downloaded."""
    root = ElementTree.Element("sdf", version="1.9")
    world = _add(root, "world", name="joyai_tabletop")
    for system in ("physics", "user-commands", "scene-broadcaster"):
        name = "".join(part.capitalize() for part in system.split("-"))
        _add(world, "plugin", filename=f"gz-sim-{system}-system", name=f"gz::sim::systems::{name}")
    sensors = _add(world, "plugin", filename="gz-sim-sensors-system", name="gz::sim::systems::Sensors")
    _add(sensors, "render_engine", "ogre2")
    _add_light(world)
    _add_model(world, Thing("floor", "", "box", (8.0, 8.0, 0.02), (0.0, 0.0, -0.01), 0.0, (0.6, 0.6, 0.6)))
    for thing in (tabletop.table, *tabletop.objects):
        _add_model(world, thing)
    _add_camera(world, tabletop)
    ElementTree.indent(root)
    return "<?xml version='1.0'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text or None
    return element


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.6g}" for value in values)


def _add_light(world: ElementTree.Element) -> None:
    light = _add(world, "light", name="sun", type="directional")
    _add(light, "pose", "0 0 5 0 0 0")
    _add(light, "cast_shadows", "true")
    _add(light, "diffuse", "0.8 0.8 0.8 1")
    _add(light, "direction", "0.4 0.3 -1")


def _add_model(world: ElementTree.Element, thing: Thing) -> None:
    model = _add(world, "model", name=thing.id)
    _add(model, "static", "true")
    _add(model, "pose", _numbers(*thing.position, 0.0, 0.0, thing.yaw))
    link = _add(model, "link", name="link")
    for kind in ("visual", "collision"):
        part = _add(link, kind, name=kind)
        geometry = _add(part, "geometry")
        if thing.shape == "cylinder":
            cylinder = _add(geometry, "cylinder")
            _add(cylinder, "radius", _numbers(thing.size[0] / 2))
            _add(cylinder, "length", _numbers(thing.size[2]))
        else:
            _add(_add(geometry, "box"), "size", _numbers(*thing.size))
        if kind == "visual":
            material = _add(part, "material")
            for name in ("ambient", "diffuse"):
                _add(material, name, _numbers(*thing.color, 1.0))


def _add_camera(world: ElementTree.Element, tabletop: Tabletop) -> None:
    camera = tabletop.camera
    model = _add(world, "model", name="camera")
    _add(model, "static", "true")
    pose = tabletop.world_from_body
    _add(model, "pose", _numbers(*pose[:3, 3], *euler(pose[:3, :3])))
    sensor = _add(_add(model, "link", name="link"), "sensor", name="rgbd_camera", type="rgbd_camera")
    _add(sensor, "topic", "rgbd_camera")
    _add(sensor, "gz_frame_id", "camera_optical_frame")
    _add(sensor, "always_on", "true")
    _add(sensor, "update_rate", _numbers(tabletop.rate))
    lens = _add(sensor, "camera")
    _add(lens, "horizontal_fov", _numbers(2 * math.atan(camera.width / 2 / camera.fx)))
    image = _add(lens, "image")
    _add(image, "width", str(camera.width))
    _add(image, "height", str(camera.height))
    _add(image, "format", "R8G8B8")
    clip = _add(lens, "clip")
    _add(clip, "near", "0.1")
    _add(clip, "far", "10")


def main() -> None:
    """Write the Gazebo world."""
    parser = argparse.ArgumentParser(description="Write gazebo/world.sdf from tabletop.yaml.")
    parser.add_argument("--output", type=Path, default=HERE / "gazebo" / "world.sdf")
    parser.parse_args().output.write_text(world_sdf(load()))


if __name__ == "__main__":
    main()

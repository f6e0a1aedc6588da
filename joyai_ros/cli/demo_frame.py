"""What the demo shows: the last frame of its bag as it was read, and what was understood of it."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from joyai_ros.bags.config import BagConfig
from joyai_ros.bags.discovery import find_stream
from joyai_ros.bags.frames import FrameReader
from joyai_ros.bags.reader import BagReader
from joyai_ros.cli.output import write_json, write_picture
from joyai_ros.errors import BagError, OutputError
from joyai_ros.geometry.arrays import ColorImage, Mat4
from joyai_ros.messages.compressed import decode_compressed_color
from joyai_ros.messages.frames import observe
from joyai_ros.messages.images import millimetres
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.perception.outputs import DEBUG_IMAGE, SCENE, TYPES, topic_name
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene

_EVERY = 6  # frames of the recording that are looked at again: every sixth, and the last


@dataclass(frozen=True)
class LastFrame:
    """The last frame of a bag.

    Attributes:
        observation: what the robot saw, read from the bag as ``run`` reads it.
        earlier: some of what it saw before, oldest first.
        scene: what was understood, read from the bag's scene topic.
        picture: (H, W + panel, 3) the debug image of that frame.
        path: (4, 4) poses of the camera in the world at each scene of the bag, where it has them.
        scenes: how many there are.
        seconds: median compute time of a scene.
        topics: (name, type, number of messages) of the whole bag.
    """

    observation: Observation
    earlier: tuple[Observation, ...]
    scene: Scene
    picture: ColorImage
    path: tuple[Mat4, ...]
    scenes: int
    seconds: float
    topics: tuple[tuple[str, str, int], ...]


def read_last_frame(bag: Path, namespace: str = "joyai") -> LastFrame:
    """Return the last frame of a bag that ``run`` wrote.

    Raises:
        BagError: the bag has no scene, or not the frame of its last scene.
    """
    with BagReader(bag) as reader:
        scenes = [(raw, reader.decode(raw)) for raw in reader.messages([topic_name(SCENE, namespace)])]
        if not scenes:
            raise BagError(f"{bag} holds no scene; run the perception on it first")
        last, message = scenes[-1]
        scene = scene_from_message(message)
        *earlier, observation = _observations(reader, scene, namespace)
        pictures = list(reader.messages([topic_name(DEBUG_IMAGE, namespace)], start=last.time))
        return LastFrame(
            observation=observation,
            earlier=tuple(earlier),
            scene=scene,
            picture=decode_compressed_color(reader.decode(pictures[-1])),
            path=tuple(pose_from_message(m.camera_pose) for _, m in scenes if m.has_camera_pose),
            scenes=len(scenes),
            seconds=float(np.median([m.compute_seconds for _, m in scenes])),
            topics=tuple((topic.name, topic.msgtype, topic.count) for _, topic in sorted(reader.topics.items())),
        )


def _observations(reader: BagReader, scene: Scene, namespace: str) -> list[Observation]:
    """Return the observation of a scene, last, and before it some of the earlier ones."""
    own = {topic_name(name, namespace) for name in TYPES}
    config = BagConfig()
    frames = FrameReader(reader, find_stream(reader, exclude=own), config)
    found = (frame for raw in reader.messages(set(reader.topics) - own) for frame in frames.feed(raw))
    kept = []
    for number, frame in enumerate(itertools.chain(found, frames.finish())):
        is_last = frame.messages.stamp == scene.stamp
        if is_last or number % _EVERY == 0:
            kept.append(observe(frame.messages, depth_unit=config.depth.unit)[0])
        if is_last:
            return kept
    raise BagError(f"{reader.path} does not hold the frame of its last scene any more")


def write_frame_files(folder: Path, observation: Observation) -> None:
    """Write an observation as the files that ``joyai-ros scene`` and ``joyai-ros imagine`` read.

    Raises:
        OutputError: a file cannot be written.
    """
    camera = observation.camera
    intrinsics = {key: asdict(camera)[key] for key in ("width", "height", "fx", "fy", "cx", "cy")}
    write_picture(folder / "color.png", observation.color)
    write_json(folder / "camera.json", {**intrinsics, "depth_units_per_metre": 1000, "depth_registered_to_color": True})
    detections = observation.detections or ()
    objects = [
        {"id": d.id, "label": d.label, "box": [float(v) for v in d.box]} for d in detections if d.box is not None
    ]
    write_json(folder / "boxes.json", {"objects": objects})
    if observation.depth is not None:
        _write_bytes(folder / "depth.png", cv2.imencode(".png", millimetres(observation.depth))[1].tobytes())
    if observation.world_from_camera is not None:
        rows = [" ".join(f"{value:.9f}" for value in row) for row in observation.world_from_camera]
        _write_bytes(folder / "pose.txt", ("\n".join(rows) + "\n").encode())


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error

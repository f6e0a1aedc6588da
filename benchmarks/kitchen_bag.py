"""The kitchen recording as a rosbag2, as an RGB-D driver that does not align its cameras would have published it.

=================================== ==================================================================
/camera/color/image_raw/compressed  sensor_msgs/CompressedImage, the recorded jpeg files
/camera/color/camera_info           sensor_msgs/CameraInfo
/camera/depth/image_raw             sensor_msgs/Image 16UC1, millimetres, 0 where unmeasured
/camera/depth/camera_info           sensor_msgs/CameraInfo, another camera than colour
/tf                                 reconstruction -> camera_depth_optical_frame, the recorded poses
/tf_static                          camera_depth_optical_frame -> camera_color_optical_frame
=================================== ==================================================================

The frame ``reconstruction`` lies as the first camera lay: its axes say nothing of up. Stamps follow the frame numbers at
30 frames a second, so the frames kept here, every tenth, are a third of a second apart.

    python -m benchmarks.kitchen_bag OUT [--data ../shared/data/kitchen] [--overwrite]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.factory import Message
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import depth_mm_message
from joyai_ros.messages.poses import stamped_transform_message, tf_message
from joyai_ros.perception.bag_run import RunConfig, process_bag
from joyai_ros.settings import build

DATA = Path(os.environ.get("JOYAI_DATA", Path(__file__).parents[2] / "shared" / "data")) / "kitchen"
WORLD, DEPTH_FRAME, COLOR_FRAME = "reconstruction", "camera_depth_optical_frame", "camera_color_optical_frame"
RATE = 30.0
START = 1_380_000_000_000_000_000  # nanoseconds; the recording was published in 2013, its own stamps were not


def write_kitchen_bag(path: Path, data: Path = DATA, *, overwrite: bool = False) -> int:
    """Write the bag and return how many frames it has.

    Raises:
        InputError: the recording is not in ``data``.
        OutputError: the bag cannot be written.
    """
    rig = json.loads(_read(data / "camera.json"))
    numbers = sorted(int(file.name[6:12]) for file in data.glob("frame-*.color.jpg"))
    if not numbers:
        raise InputError(f"{data} has no frame-*.color.jpg; name the folder of the recording with --data")
    factory = RosbagsFactory()
    color_from_depth = np.array(rig["color_from_depth"], dtype=np.float64)
    with BagWriter(path, overwrite=overwrite) as writer:
        offset = stamped_transform_message(
            factory, header(factory, START, DEPTH_FRAME), COLOR_FRAME, rigid.inverse(color_from_depth)
        )
        writer.write("/tf_static", "tf2_msgs/msg/TFMessage", tf_message(factory, [offset]), START)
        for number in numbers:
            stamp = START + round(number / RATE * 1e9)
            for topic, msgtype, message in _frame(factory, data / f"frame-{number:06d}", rig, stamp):
                writer.write(topic, msgtype, message, stamp)
    return len(numbers)


def _frame(factory: RosbagsFactory, stem: Path, rig: dict[str, Any], stamp: int) -> list[tuple[str, str, Message]]:
    pose = np.loadtxt(f"{stem}.pose.txt")
    depth = _depth(Path(f"{stem}.depth.png"), rig["depth"])
    color_head, depth_head = header(factory, stamp, COLOR_FRAME), header(factory, stamp, DEPTH_FRAME)
    jpeg = np.frombuffer(_read(Path(f"{stem}.color.jpg")), dtype=np.uint8)
    color = factory("sensor_msgs/msg/CompressedImage")(
        header=color_head, format="rgb8; jpeg compressed bgr8", data=factory.sequence(jpeg)
    )
    moved = stamped_transform_message(
        factory, header(factory, stamp, WORLD), DEPTH_FRAME, rigid.checked_transform(pose, str(stem))
    )
    return [
        ("/tf", "tf2_msgs/msg/TFMessage", tf_message(factory, [moved])),
        ("/camera/color/image_raw/compressed", "sensor_msgs/msg/CompressedImage", color),
        ("/camera/color/camera_info", "sensor_msgs/msg/CameraInfo", _info(factory, color_head, rig["color"])),
        ("/camera/depth/image_raw", "sensor_msgs/msg/Image", depth_mm_message(factory, depth_head, depth)),
        ("/camera/depth/camera_info", "sensor_msgs/msg/CameraInfo", _info(factory, depth_head, rig["depth"])),
    ]


def _depth(file: Path, camera: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    counts = cv2.imdecode(np.frombuffer(_read(file), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if counts is None or counts.dtype != np.uint16:
        raise InputError(f"{file} is not a 16 bit depth image")
    valid = ~np.isin(counts, camera["depth_invalid"])
    return np.where(valid, counts / np.float32(camera["depth_units_per_metre"]), np.float32(0)).astype(np.float32)


def _info(factory: RosbagsFactory, head: Message, camera: dict[str, Any]) -> Message:
    intrinsics = {name: camera[name] for name in ("width", "height", "fx", "fy", "cx", "cy")}
    return info_message(factory, head, Camera(**intrinsics))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; is the recording complete?") from None


def evidence() -> list[dict[str, Any]]:
    """Turn the recording into a bag and run the perception over it."""
    line = {
        "line": "the kitchen recording becomes a bag with TF, and joyai-ros run makes a scene of every frame",
        "target": "60 of 60 frames",
        "command": "python -m benchmarks.evidence --only kitchen_bag",
    }
    if not DATA.is_dir():
        return [{**line, "figure": f"no recording in {DATA}", "ok": None}]
    with tempfile.TemporaryDirectory() as folder:
        count = write_kitchen_bag(Path(folder) / "kitchen")
        report = process_bag(Path(folder) / "kitchen", Path(folder) / "perceived", build(RunConfig, {}))
    left_out = Counter({r.reason: r.count for r in report.rejections if r.reason.startswith(("frame", "colour"))})
    figure = f"{report.frames} of {count} frames, {report.views} views, poses in {report.world_frame or 'no frame'}"
    return [{**line, "figure": figure, "ok": report.frames == count == 60 and not left_out.total()}]


def main() -> None:
    """Write the bag that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kitchen_bag", description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path, help="the bag folder to make")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of the recording (default {DATA})")
    parser.add_argument("--overwrite", action="store_true", help="replace a bag that stands there")
    arguments = parser.parse_args()
    try:
        count = write_kitchen_bag(arguments.output, arguments.data, overwrite=arguments.overwrite)
    except InputError as error:
        parser.error(str(error))
    print(f"{arguments.output}: {count} frames")


if __name__ == "__main__":
    main()

"""A simulated recording as a rosbag2: what a real robot publishes, and beside it what is true.

========================================== ============================================================
/camera/color/image_raw                    sensor_msgs/Image rgb8
/camera/color/camera_info                  sensor_msgs/CameraInfo
/camera/aligned_depth_to_color/image_raw   sensor_msgs/Image 16UC1, millimetres, 0 where unmeasured
/camera/aligned_depth_to_color/camera_info sensor_msgs/CameraInfo
/detections                                vision_msgs/Detection2DArray; left out where nobody looks
/tf, /tf_static                            map, odom, base_link, camera_link, camera_color_optical_frame
/ground_truth/instances                    sensor_msgs/Image mono8: 0 room, 1 to n the objects, 255 table
/ground_truth/boxes                        vision_msgs/Detection3DArray in map, every object, exact
/ground_truth/camera_pose                  geometry_msgs/PoseStamped of the optical frame in map, exact
/ground_truth/scene                        std_msgs/String: JSON of :func:`scene_json`
========================================== ============================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.bags.writer import BagWriter
from joyai_ros.geometry import rigid
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.detections import detections_2d_message, detections_3d_message
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, depth_mm_message, mono_message
from joyai_ros.messages.poses import pose_message, stamped_transform_message, tf_message
from joyai_ros.scene.observation import Detection
from joyai_ros.sim import robot
from joyai_ros.sim.description import SceneDescription
from joyai_ros.sim.frames import SimFrame, SimSettings, simulate
from joyai_ros.sim.truth import ObjectTruth, ViewTruth

COLOR = "/camera/color/image_raw"
COLOR_INFO = "/camera/color/camera_info"
DEPTH = "/camera/aligned_depth_to_color/image_raw"
DEPTH_INFO = "/camera/aligned_depth_to_color/camera_info"
DETECTIONS = "/detections"
TRUE_INSTANCES = "/ground_truth/instances"
TRUE_BOXES = "/ground_truth/boxes"
TRUE_POSE = "/ground_truth/camera_pose"
TRUE_SCENE = "/ground_truth/scene"


_RECORDED = SimSettings(whole="none")


@dataclass(frozen=True)
class Recording:
    """What was written: where, how many frames, over how many seconds of stamps, and how many objects the scene has."""

    path: Path
    frames: int
    seconds: float
    objects: int


def write_bag(
    path: Path | str,
    scene: int | SceneDescription,
    frames: int = 90,
    settings: SimSettings = _RECORDED,
    boxes: str = "true",
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Recording:
    """Record one scene with a moving camera.

    Args:
        path: the bag folder to make.
        scene: the seed of one of ``tabletop-v1``, 0 or more; or a description.
        frames: how many, at ``settings.rate``.
        settings: noise, stamps, motions.
        boxes: what ``/detections`` brings: ``true``, ``jittered``, or ``none`` for no such topic.
        overwrite: replace a bag that stands there.
        progress: called with the number of frames written after each one.

    Raises:
        ConfigError: the seed, the number of frames or ``boxes`` is out of range.
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
        OutputError: the bag cannot be written.
    """
    recorder = simulate(scene, frames, settings, boxes)
    first = next(recorder)  # before the bag is made: a scene that cannot be drawn leaves nothing behind
    with BagWriter(path, overwrite=overwrite) as writer:
        _write_fixed(writer, first.observation.stamp)
        frame = first
        _write_frame(writer, frame)
        for count, frame in enumerate(recorder, start=2):
            if progress is not None:
                progress(count - 1)
            _write_frame(writer, frame)
    if progress is not None:
        progress(frames)
    seconds = (frame.observation.stamp - first.observation.stamp) / 1e9
    return Recording(Path(path), frames, seconds, len(first.description.objects))


def _write_fixed(writer: BagWriter, stamp: int) -> None:
    factory = RosbagsFactory()
    fixed = [
        stamped_transform_message(factory, header(factory, stamp, parent), child, pose)
        for parent, child, pose in robot.fixed_transforms()
    ]
    writer.write("/tf_static", "tf2_msgs/msg/TFMessage", tf_message(factory, fixed), stamp)


def _write_frame(writer: BagWriter, frame: SimFrame) -> None:
    stamp = frame.observation.stamp
    for topic, msgtype, message in [*robot_messages(frame), *truth_messages(frame)]:
        writer.write(topic, msgtype, message, stamp)


def robot_messages(frame: SimFrame, factory: MessageFactory | None = None) -> list[tuple[str, str, Message]]:
    """Return (topic, type, message) of what a robot publishes at one frame, transforms first.

    Args:
        frame: what to say.
        factory: makes the messages; None for those of bags.
    """
    factory = factory or RosbagsFactory()
    seen = frame.observation
    head = header(factory, seen.stamp, seen.frame_id)
    moving = [
        stamped_transform_message(factory, header(factory, seen.stamp, parent), child, pose)
        for parent, child, pose in robot.moving_transforms(frame.truth.world_from_camera)
    ]
    info = info_message(factory, head, seen.camera)
    messages = [
        ("/tf", "tf2_msgs/msg/TFMessage", tf_message(factory, moving)),
        (COLOR, "sensor_msgs/msg/Image", color_message(factory, head, seen.color)),
        (COLOR_INFO, "sensor_msgs/msg/CameraInfo", info),
    ]
    if seen.depth is not None:
        messages.append((DEPTH, "sensor_msgs/msg/Image", depth_mm_message(factory, head, seen.depth)))
        messages.append((DEPTH_INFO, "sensor_msgs/msg/CameraInfo", info))
    if seen.detections is not None:
        found = detections_2d_message(factory, head, seen.detections)
        messages.append((DETECTIONS, "vision_msgs/msg/Detection2DArray", found))
    return messages


def truth_messages(frame: SimFrame, factory: MessageFactory | None = None) -> list[tuple[str, str, Message]]:
    """Return (topic, type, message) of what is true at one frame; ``factory`` as for :func:`robot_messages`."""
    factory = factory or RosbagsFactory()
    truth, stamp = frame.truth, frame.observation.stamp
    in_camera = header(factory, stamp, frame.observation.frame_id)
    in_map = header(factory, stamp, robot.MAP)
    boxes = [Detection(o.id, o.label, box3d=o.box) for o in truth.world.objects]
    pose = factory("geometry_msgs/msg/PoseStamped")(header=in_map, pose=pose_message(factory, truth.world_from_camera))
    text = factory("std_msgs/msg/String")(data=json.dumps(scene_json(frame), separators=(",", ":")))
    return [
        (TRUE_INSTANCES, "sensor_msgs/msg/Image", mono_message(factory, in_camera, truth.instances)),
        (TRUE_BOXES, "vision_msgs/msg/Detection3DArray", detections_3d_message(factory, in_map, boxes)),
        (TRUE_POSE, "geometry_msgs/msg/PoseStamped", pose),
        (TRUE_SCENE, "std_msgs/msg/String", text),
    ]


def scene_json(frame: SimFrame) -> dict[str, Any]:
    """Return everything true about one frame that fits no message type, as plain data.

    Boxes stand in ``map``, metres, size as (length, width, height), rotation as quaternion xyzw map-from-box; ``box`` is
    round the visible pixels, null where none is; ``visible_fraction`` is null where it was not computed; ``distances_m``
    are between closest points, rows and columns in the order of the objects.
    """
    world = frame.truth.world
    return {
        "distribution": frame.description.name,
        "seed": frame.seed,
        "frame": frame.index,
        "stamp": frame.observation.stamp,
        "frame_id": robot.MAP,
        "objects": [
            {"instance": number, **_object_json(o, v)}
            for number, (o, v) in enumerate(zip(world.objects, frame.truth.views, strict=True), start=1)
        ],
        "contacts": [list(pair) for pair in world.contacts],
        "distances_m": [[round(float(v), 6) for v in row] for row in world.distances],
        "supports": [
            {
                "owner": s.owner,
                "height_m": round(s.height, 6),
                "outline_m": [[round(float(v), 6) for v in p] for p in s.outline],
            }
            for s in world.supports
        ],
    }


def _object_json(owner: ObjectTruth, view: ViewTruth) -> dict[str, Any]:
    return {
        "id": owner.id,
        "label": owner.label,
        "kind": owner.kind,
        "color": owner.color,
        "center_m": [round(float(v), 6) for v in owner.box.center],
        "size_m": [round(float(v), 6) for v in owner.box.size],
        "rotation": [round(float(v), 9) for v in rigid.quaternion_from_matrix(owner.box.rotation)],
        "stands_on": owner.stands_on,
        "inside": owner.inside,
        "visible_pixels": view.visible_pixels,
        "visible_fraction": None if math.isnan(view.visible_fraction) else round(view.visible_fraction, 4),
        "truncated": view.truncated,
        "box": None if view.box is None else list(view.box),
    }

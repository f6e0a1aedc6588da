"""Small recordings of a box on a table, drawn by ray casting, with whatever a test wants to be wrong in them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from joyai_ros.bags.typestore import RosbagsFactory, typestore
from joyai_ros.bags.writer import BagWriter
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.messages import compressed, images
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.detections import detections_2d_message
from joyai_ros.messages.headers import header
from joyai_ros.messages.poses import stamped_transform_message, tf_message
from joyai_ros.scene.observation import Detection

FACTORY = RosbagsFactory()
COLOR, COLOR_INFO = "/camera/color/image_raw", "/camera/color/camera_info"
DEPTH, DEPTH_INFO = "/camera/depth/image_raw", "/camera/depth/camera_info"
DETECTIONS = "/detections"
FRAME, DEPTH_FRAME = "camera_color_optical_frame", "camera_depth_optical_frame"
START = 10_000_000_000
STEP = 33_333_333
CAMERA = Camera(80, 60, 75.0, 75.0, 39.5, 29.5)
BOX = (26.0, 15.0, 54.0, 42.0)  # around the box in the image

IMAGE, COMPRESSED, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"
TF_MESSAGE = "tf2_msgs/msg/TFMessage"


def stamp_of(index):
    return START + index * STEP


def world_from_camera(index=0):
    """Return the pose of a camera 0.6 m above the table that looks 35 degrees down and moves to its right."""
    down = math.radians(35)
    right, forward = np.array([0, -1.0, 0]), np.array([math.cos(down), 0, -math.sin(down)])
    rotation = np.column_stack([right, np.cross(forward, right), forward])
    return rigid.make_transform(rotation, np.array([0.0, -0.002 * index, 0.6]))


@lru_cache(maxsize=16)
def depth_image(index=0, camera=CAMERA):
    """Return (H, W) float32 metres of a cube of 0.12 m on an endless table."""
    pose = world_from_camera(index)
    rays = camera.rays().reshape(-1, 3) @ pose[:3, :3].T
    origin = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
        low, high = (np.array([0.75, -0.06, 0.0]) - origin) / rays, (np.array([0.87, 0.06, 0.12]) - origin) / rays
    enter, leave = np.minimum(low, high).max(axis=1), np.maximum(low, high).min(axis=1)
    nearest = np.minimum(table, np.where((enter < leave) & (enter > 0), enter, np.inf))
    return np.where(nearest < 5, nearest, 0).astype(np.float32).reshape(camera.shape)


def color_image(index=0, camera=CAMERA):
    depth = depth_image(index, camera)
    shade = np.clip(depth * 120, 0, 255).astype(np.uint8)
    return np.dstack([shade, 255 - shade, np.full_like(shade, 20 + index % 200)])


def messages(
    index, *, color="rgb8", depth="16UC1", camera=CAMERA, depth_frame=FRAME, boxes=True, tf=True, depth_camera=None
):
    """Return (topic, type, message) of one frame, transforms first."""
    stamp = stamp_of(index)
    head, depth_head = header(FACTORY, stamp, FRAME), header(FACTORY, stamp, depth_frame)
    found = []
    if tf:
        pose = stamped_transform_message(FACTORY, header(FACTORY, stamp, "odom"), "base_link", base_pose(index))
        found.append(("/tf", TF_MESSAGE, tf_message(FACTORY, [pose])))
    picture, metres = color_image(index, camera), depth_image(index, depth_camera or camera)
    found.append(_color(head, picture, color))
    found.append((COLOR_INFO, INFO, info_message(FACTORY, head, camera)))
    found.append(_depth(depth_head, metres, depth))
    found.append((DEPTH_INFO, INFO, info_message(FACTORY, depth_head, depth_camera or camera)))
    if boxes:
        box = detections_2d_message(FACTORY, head, [Detection("box_0", "box", BOX)])
        found.append((DETECTIONS, "vision_msgs/msg/Detection2DArray", box))
    return found


def base_pose(index):
    """Return odom_from_base_link: the robot turns where it stands, and the camera with it moves."""
    return rigid.make_transform(np.eye(3), np.array([0.0, -0.002 * index, 0.0]))


def static_tf(stamp=START):
    base_from_camera = rigid.inverse(base_pose(0)) @ world_from_camera(0)
    pair = [("base_link", FRAME, base_from_camera), (FRAME, DEPTH_FRAME, np.eye(4))]
    sent = [stamped_transform_message(FACTORY, header(FACTORY, stamp, p), c, t) for p, c, t in pair]
    return ("/tf_static", TF_MESSAGE, tf_message(FACTORY, sent))


def _color(head, picture, kind):
    if kind in ("jpeg", "png"):
        make = compressed.jpeg_message if kind == "jpeg" else compressed.png_message
        return (f"{COLOR}/compressed", COMPRESSED, make(FACTORY, head, picture))
    message = images.color_message(FACTORY, head, picture)
    message.encoding = kind
    if kind in ("bgr8", "8UC3"):
        message.data = np.ascontiguousarray(picture[..., ::-1]).reshape(-1)
    elif kind in ("rgba8", "bgra8"):
        ordered = picture if kind == "rgba8" else picture[..., ::-1]
        message.data = np.dstack([ordered, np.full(picture.shape[:2], 255, np.uint8)]).reshape(-1)
        message.step = picture.shape[1] * 4
    elif kind in ("mono8", "8UC1"):
        message.data, message.step = np.ascontiguousarray(picture[..., 0]).reshape(-1), picture.shape[1]
    return (COLOR, IMAGE, message)


def _depth(head, metres, kind):
    if kind.startswith("compressed"):
        message = compressed.compressed_depth_message(FACTORY, head, metres, quantised=kind == "compressed 32FC1")
        return (f"{DEPTH}/compressedDepth", COMPRESSED, message)
    if kind == "32FC1":
        return (DEPTH, IMAGE, images.depth_message(FACTORY, head, metres))
    message = images.depth_mm_message(FACTORY, head, metres)
    message.encoding = kind
    return (DEPTH, IMAGE, message)


def recording(frames=6, *, static=True, edit=None, **options):
    """Yield (topic, type, message, time) of a recording.

    ``edit(topic, index, message)`` may change a message, leave it out (None), or replace it by a list of messages.
    """
    if static:
        yield (*static_tf(), START)
    for index in range(frames):
        for topic, msgtype, message in messages(index, **options):
            changed = message if edit is None else edit(topic, index, message)
            for one in changed if isinstance(changed, list) else [changed]:
                if one is not None:
                    yield topic, msgtype, one, stamp_of(index)


def write(path, frames=6, *, storage="mcap", **options):
    """Write a recording and return its path: mcap by this package's writer, sqlite3 by rosbags'."""
    if storage == "mcap":
        with BagWriter(path) as writer:
            for topic, msgtype, message, time in recording(frames, **options):
                writer.write(topic, msgtype, message, time)
        return path
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for topic, msgtype, message, time in recording(frames, **options):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=typestore())
            writer.write(connections[topic], time, typestore().serialize_cdr(message, msgtype))
    return path

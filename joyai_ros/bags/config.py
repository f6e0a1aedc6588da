"""Settings of reading RGB-D frames from a bag."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.settings import setting


@dataclass(frozen=True)
class TopicConfig:
    """Which topics to read; what is empty is found by type, encoding and name."""

    color: str = setting("", "colour image topic, raw or compressed; empty: found")
    color_info: str = setting("", "camera_info of the colour image; empty: found beside it")
    depth: str = setting("", "depth image topic, raw or compressed; empty: found")
    depth_info: str = setting("", "camera_info of the depth image; empty: found beside it")
    detections_2d: str = setting("", "vision_msgs/Detection2DArray of the colour image; empty: found")
    detections_3d: str = setting("", "vision_msgs/Detection3DArray; empty: found")


@dataclass(frozen=True)
class SyncConfig:
    """How messages of one frame are brought together."""

    slop: float = setting(0.02, "stamps of colour, depth and detections of one frame may differ by this, s", 0.0, 10.0)
    patience: float = setting(0.5, "how long a colour image waits for the rest of its frame, s of the bag", 0.0, 30.0)


@dataclass(frozen=True)
class TransformConfig:
    """How poses are taken from the transform tree."""

    world_frame: str = setting("", "fixed frame of the camera poses; empty: by REP-105 (docs/bags.md)")
    up_frame: str = setting("", "frame whose z axis points up; empty: by REP-105 (docs/bags.md)")
    tolerance: float = setting(0.02, "a stamp may lie outside of the known transforms by this, s", 0.0, 10.0)
    max_gap: float = setting(0.5, "transforms further apart are not interpolated, s", 0.0, 60.0)


@dataclass(frozen=True)
class DepthConfig:
    """What the numbers of the depth image are."""

    unit: float = setting(0.001, "metres per count of a 16 bit depth image (REP-118: millimetres)", 1e-6, 1.0)
    registered: bool = setting(False, "depth is registered to colour, whatever its frame and camera_info say")


@dataclass(frozen=True)
class BagConfig:
    """Settings of :class:`joyai_ros.bags.frames.FrameReader`."""

    topics: TopicConfig = field(default_factory=TopicConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    transforms: TransformConfig = field(default_factory=TransformConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)

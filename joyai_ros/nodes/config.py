"""Settings of the nodes: each is a ROS parameter of the same dotted name."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from joyai_ros.bags.config import DepthConfig
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.perception.config import OutputConfig, ViewConfig
from joyai_ros.reasoning.config import AskConfig
from joyai_ros.scene.config import SceneConfig
from joyai_ros.settings import setting
from joyai_ros.understanding.config import ModelConfig


class ColorTransport(str, enum.Enum):
    """How colour images travel (image_transport)."""

    RAW = "raw"
    COMPRESSED = "compressed"


class DepthTransport(str, enum.Enum):
    """How depth images travel (image_transport)."""

    RAW = "raw"
    COMPRESSED_DEPTH = "compressedDepth"


class Detector(str, enum.Enum):
    """Whose messages the 2D detections are."""

    VISION_MSGS = "vision_msgs"
    YOLO_MSGS = "yolo_msgs"


@dataclass(frozen=True)
class NodeConfig:
    """What every node has."""

    autostart: bool = setting(True, "configure and activate at start; false: a lifecycle manager does")
    recover_after: float = setting(
        2.0, "after an error, configure and activate again after this, s; 0: never", 0.0, 3600.0
    )
    heartbeat_rate: float = setting(2.0, "heartbeats per second", 0.1, 50.0)
    diagnostics_period: float = setting(1.0, "time between diagnostics, s", 0.1, 60.0)


@dataclass(frozen=True)
class TopicConfig:
    """The topics to listen to, relative to the node's namespace where they do not begin with a slash."""

    color: str = setting("camera/color/image_raw", "colour image, without the transport's suffix")
    color_info: str = setting("", "camera_info of the colour image; empty: camera_info beside it")
    depth: str = setting(
        "camera/aligned_depth_to_color/image_raw", "depth image, without the transport's suffix; empty: none"
    )
    depth_info: str = setting("", "camera_info of the depth image; empty: camera_info beside it")
    detections_2d: str = setting("detections", "detections in the colour image; empty: none")
    detections_3d: str = setting("", "vision_msgs/Detection3DArray; empty: none")
    detector: Detector = setting(Detector.VISION_MSGS, "message package of detections_2d")
    color_transport: ColorTransport = setting(ColorTransport.RAW, "transport of the colour image")
    depth_transport: DepthTransport = setting(DepthTransport.RAW, "transport of the depth image")
    rectified: bool = setting(False, "the colour image is the rectified one of its camera_info (image_rect)")


@dataclass(frozen=True)
class SyncConfig:
    """How messages of one frame are brought together, in time of their stamps."""

    slop: float = setting(0.02, "stamps of colour, depth and detections of one frame may differ by this, s", 0.0, 10.0)
    patience: float = setting(0.5, "how long a colour image waits for its detections, s", 0.0, 30.0)
    silence: float = setting(2.0, "without detections for this long, frames go on without them, s", 0.0, 3600.0)


@dataclass(frozen=True)
class TransformConfig:
    """How poses are taken from TF."""

    world_frame: str = setting("", "fixed frame of the camera poses; empty: by REP-105 (docs/bags.md)")
    up_frame: str = setting("", "frame whose z axis points up; empty: by REP-105 (docs/bags.md)")
    timeout: float = setting(0.1, "how long a frame waits for the transform at its stamp, s", 0.0, 10.0)
    tolerance: float = setting(
        0.02, "after that the newest transform is taken if it is no older than this, s", 0.0, 10.0
    )
    required: bool = setting(False, "leave frames without a transform out, instead of going on without a pose")


@dataclass(frozen=True)
class StreamConfig(NodeConfig):
    """A node that listens to an RGB-D camera."""

    topics: TopicConfig = field(default_factory=TopicConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    transforms: TransformConfig = field(default_factory=TransformConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    stale_after: float = setting(1.0, "without a frame for this long diagnostics warn, s", 0.1, 3600.0)


@dataclass(frozen=True)
class SceneNodeConfig(StreamConfig):
    """Settings of the scene node."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    scene_rate: float = setting(0.0, "most scenes per second of stamp time; 0: every frame", 0.0, 1000.0)
    publish_tf: bool = setting(False, "publish each object as a TF frame, a child of the camera's optical frame")
    history: float = setting(10.0, "how long scenes are kept for get_scene, s", 0.0, 600.0)
    history_tolerance: float = setting(0.1, "get_scene takes a scene this near to the asked stamp, s", 0.0, 60.0)


@dataclass(frozen=True)
class MemoryConfig:
    """Earlier frames that fill what the newest one does not see."""

    frames: int = setting(5, "earlier frames fused into each view", 0, 50)
    step_m: float = setting(
        0.05, "a frame is kept where the camera moved this far since the last one kept, m", 0.0, 10.0
    )
    step_deg: float = setting(3.0, "or turned by this, degrees", 0.0, 180.0)


@dataclass(frozen=True)
class RankConfig:
    """How views are ranked."""

    extent: float = setting(0.4, "edge of the cube around the target that counts, m", 0.05, 10.0)
    frames: int = setting(20, "frames that tell what has been seen", 1, 200)
    yaws_deg: tuple[float, ...] = setting((-60.0, -30.0, 0.0, 30.0, 60.0), "yaws of the default candidates, degrees")
    pitches_deg: tuple[float, ...] = setting((-20.0, 0.0, 20.0), "pitches of the default candidates, degrees")


@dataclass(frozen=True)
class ViewNodeConfig(StreamConfig):
    """Settings of the view node."""

    view: ViewConfig = field(default_factory=ViewConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    rank: RankConfig = field(default_factory=RankConfig)
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)
    view_frame_rate: float = setting(4.0, "most frames per second that are looked at, for views and memory", 0.1, 100.0)
    max_views: int = setting(32, "most views of one imagine goal", 1, 1000)
    result_timeout: float = setting(30.0, "how long the result of a goal is kept for its client, s", 1.0, 3600.0)


@dataclass(frozen=True)
class QaNodeConfig(StreamConfig):
    """Settings of the question node."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    ask: AskConfig = field(default_factory=AskConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    imagination: ImaginationConfig = field(default_factory=ImaginationConfig)
    frames: int = setting(30, "newest frames that are kept until their scene comes", 1, 300)
    scene_age: float = setting(1.0, "a scene of the scene node that is older is not asked about, s", 0.0, 60.0)
    waiting: int = setting(8, "questions of the topic that may wait; more are refused", 1, 1000)
    propose_rate: float = setting(
        0.0, "how often the model adds relations and names to a scene (topic model_scene), Hz; 0: never", 0.0, 30.0
    )
    result_timeout: float = setting(30.0, "how long the result of a goal is kept for its client, s", 1.0, 3600.0)


class Boxes(str, enum.Enum):
    """What the simulated detector publishes."""

    TRUE = "true"
    JITTERED = "jittered"
    NONE = "none"


class Path(str, enum.Enum):
    """What the simulated camera does while nobody moves it."""

    STILL = "still"
    SWEEP = "sweep"


@dataclass(frozen=True)
class SimNodeConfig(NodeConfig):
    """Settings of the simulator node."""

    seed: int = setting(0, "scene of tabletop-v1", 0, 2**31 - 1)
    camera_rate: float = setting(10.0, "frames per second", 0.1, 120.0)
    width: int = setting(0, "image width, pixels; 0: as the scene's camera has it", 0, 1280)
    noise: bool = setting(True, "the sensors are noisy")
    boxes: Boxes = setting(Boxes.TRUE, "2D detections")
    ground_truth: bool = setting(True, "publish what is true on ground_truth/...")
    path: Path = setting(Path.STILL, "what the camera does while nobody moves it")
    sweep_seconds: float = setting(20.0, "time for a sweep there and back, s", 1.0, 3600.0)
    move_speed: float = setting(0.25, "default speed of camera motions, m/s", 0.01, 10.0)
    publish_clock: bool = setting(True, "publish /clock; false: follow the time of the others")
    clock_rate: float = setting(50.0, "publications of /clock and of /tf per second", 1.0, 1000.0)
    real_time_factor: float = setting(1.0, "simulated seconds per second", 0.01, 10.0)

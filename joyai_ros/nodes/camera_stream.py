"""An RGB-D camera on ROS topics: subscriptions in, whole frames out."""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection3DArray

from joyai_ros.messages import headers
from joyai_ros.nodes import detectors, qos
from joyai_ros.nodes.config import ColorTransport, DepthTransport, StreamConfig
from joyai_ros.nodes.frame_sync import COLOR, DEPTH, DETECTIONS_2D, DETECTIONS_3D, FrameSync
from joyai_ros.nodes.managed import ManagedNode


@dataclass(frozen=True)
class CameraFrame:
    """The messages of one frame, as they came.

    Attributes:
        stamp: nanoseconds, of the colour image.
        color: sensor_msgs/Image or CompressedImage.
        color_info: sensor_msgs/CameraInfo.
        depth, depth_info: the same of the depth image; None without one.
        detections_2d: of whatever type the detector has; None where nothing came for this frame.
        detections_3d: vision_msgs/Detection3DArray; None likewise.
        sequence: how often stamps have jumped back before it; frames are dropped, so a mark on the first would be lost.
    """

    stamp: int
    color: Any
    color_info: Any
    depth: Any = None
    depth_info: Any = None
    detections_2d: Any = None
    detections_3d: Any = None
    sequence: int = 0

    @property
    def frame_id(self) -> str:
        """The colour camera's optical frame."""
        return str(self.color.header.frame_id).lstrip("/")


class CameraStream:
    """Listens to the topics of one camera and hands over each frame as soon as it is whole.

    Args:
        node: listens; its tally counts what comes and what is left out.
        config: topics, synchronisation.
        arrived: takes each frame; it runs in a subscription callback, so it must only put the frame somewhere.

    Raises:
        ConfigError: the messages of the detector are not installed.
    """

    def __init__(self, node: ManagedNode[Any], config: StreamConfig, arrived: Callable[[CameraFrame], None]) -> None:
        self._tally = node.tally
        self._now = node.now
        self._arrived = arrived
        self._lock = threading.Lock()
        self._infos: dict[str, Any] = {}
        topics = config.topics
        streams: list[tuple[str, type[Any], str, Any]] = [
            (COLOR, *_image(topics.color, topics.color_transport), qos.sensor())
        ]
        if topics.depth:
            streams.append((DEPTH, *_image(topics.depth, topics.depth_transport), qos.sensor()))
        if topics.detections_2d:
            kind = detectors.message_type(topics.detector)
            streams.append((DETECTIONS_2D, kind, topics.detections_2d, qos.detections()))
        if topics.detections_3d:
            streams.append((DETECTIONS_3D, Detection3DArray, topics.detections_3d, qos.detections()))
        self.topics = {name: topic for name, _, topic, _ in streams}
        optional = [name for name in (DETECTIONS_2D, DETECTIONS_3D) if name in self.topics]
        self._sync = FrameSync(config.sync, depth=bool(topics.depth), detections=optional)
        node.own(self._sync.clear)  # after the subscriptions: what comes first goes last
        # One group: frames are brought together by one thread at a time, while services and timers go on.
        group = MutuallyExclusiveCallbackGroup()
        infos = [(COLOR, topics.color_info or info_topic(topics.color))]
        if topics.depth:
            infos.append((DEPTH, topics.depth_info or info_topic(topics.depth)))
        for name, topic in infos:
            node.listen(CameraInfo, topic, self._info_taker(name), qos.sensor(), group)
        for name, kind, topic, profile in streams:
            node.listen(kind, topic, self._taker(name), profile, group)

    def _info_taker(self, stream: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            self._infos[stream] = message

        return take

    def _taker(self, stream: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            self._tally.add(f"received.{stream}")
            self._tally.touch(stream, self._now())
            with self._lock:
                found = self._sync.add(stream, headers.stamp_ns(message), message)
                refused = self._sync.take_refused()
            for reason, count in refused.items():
                self._tally.add(f"dropped.{reason}", count)
            if found is None:
                return
            info = self._infos.get(COLOR)
            if info is None:
                self._tally.add("dropped.no_camera_info")
                return
            parts = found.messages
            self._arrived(
                CameraFrame(
                    stamp=found.stamp,
                    color=parts[COLOR],
                    color_info=info,
                    depth=parts.get(DEPTH),
                    depth_info=self._infos.get(DEPTH),
                    detections_2d=parts.get(DETECTIONS_2D),
                    detections_3d=parts.get(DETECTIONS_3D),
                    sequence=found.sequence,
                )
            )

        return take


def info_topic(image: str) -> str:
    """Return the camera_info topic beside an image topic (image_transport's rule)."""
    return posixpath.join(posixpath.dirname(image), "camera_info")


def _image(topic: str, transport: ColorTransport | DepthTransport) -> tuple[type[Any], str]:
    if transport in (ColorTransport.RAW, DepthTransport.RAW):
        return Image, topic
    return CompressedImage, f"{topic}/{transport.value}"

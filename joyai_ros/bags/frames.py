"""FrameReader: the RGB-D frames of a bag, brought together from its topics as they stream by.

One colour image makes one frame. Depth and detections join it by stamp, the camera's pose and the direction of up come
from the transform tree at the stamp of the image. Whatever cannot be used is left out and counted; memory holds the
messages of the last moments only, however long the bag is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from joyai_ros.bags.config import BagConfig
from joyai_ros.bags.discovery import StreamTopics
from joyai_ros.bags.reader import BagReader, RawMessage
from joyai_ros.bags.rejections import Rejections
from joyai_ros.bags.transforms import TransformBuffer
from joyai_ros.bags.world import World, find_world
from joyai_ros.errors import EncodingError, TransformError
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.messages import headers
from joyai_ros.messages.factory import Message
from joyai_ros.messages.frames import FrameMessages

TF, TF_STATIC = "/tf", "/tf_static"
_TF_TYPE = "tf2_msgs/msg/TFMessage"
_PREVIEW_NS = 5_000_000_000  # tf looked at before the start, to know the tree
_MOST_PENDING = 90  # colour images that wait, whatever the clock of the recording says


class BagFrame(NamedTuple):
    """One frame of a bag.

    Attributes:
        time: when its colour image was recorded, nanoseconds.
        messages: what it is made of.
    """

    time: int
    messages: FrameMessages


@dataclass
class _Stream:
    """The last messages of one topic by stamp, to be joined to colour images."""

    name: str
    stamps: deque[int] = field(default_factory=deque)
    messages: deque[Message] = field(default_factory=deque)
    newest: int = -1

    def add(self, stamp: int, message: Message) -> None:
        self.stamps.append(stamp)
        self.messages.append(message)
        self.newest = stamp

    def nearest(self, stamp: int, slop: int) -> Message | None:
        best = min(range(len(self.stamps)), key=lambda i: abs(self.stamps[i] - stamp), default=None)
        return self.messages[best] if best is not None and abs(self.stamps[best] - stamp) <= slop else None

    def last(self, until: int) -> Message | None:
        """Return the newest message up to a stamp; the oldest kept where all are newer."""
        older = [message for stamp, message in zip(self.stamps, self.messages, strict=True) if stamp <= until]
        return older[-1] if older else next(iter(self.messages), None)

    def forget(self, before: int, keep: int = 0) -> None:
        while len(self.stamps) > keep and self.stamps[0] < before:
            self.stamps.popleft()
            self.messages.popleft()


class FrameReader:
    """Makes frames of the messages of a bag.

    Args:
        reader: an open bag.
        topics: what to read (:func:`joyai_ros.bags.discovery.find_stream`).
        config: settings.
        rejections: where refused items are counted.

    Attributes:
        world: the frames that poses and up come from, as far as known.
    """

    def __init__(
        self, reader: BagReader, topics: StreamTopics, config: BagConfig, rejections: Rejections | None = None
    ) -> None:
        self.topics = topics
        self.config = config
        self.rejections = rejections if rejections is not None else Rejections()
        self.world = World()
        self._reader = reader
        self._slop = int(config.sync.slop * 1e9)
        self._patience = int(config.sync.patience * 1e9)
        self._buffer = self._new_buffer()
        self._pending: deque[tuple[int, int, Message]] = deque()  # stamp, time of recording, colour image
        self._streams = {
            name: _Stream(name)
            for name in (topics.depth, topics.detections_2d, topics.detections_3d)
            if name is not None
        }
        self._infos = {name: _Stream(name) for name in (topics.color_info, topics.depth_info) if name is not None}
        self._wanted = topics.names()
        self._newest_color = -1
        self._now = 0
        self._look_ahead()

    def feed(self, raw: RawMessage) -> Iterator[BagFrame]:
        """Take in one message of the bag and yield the frames that it completes."""
        self._now = max(self._now, raw.time)
        try:
            if raw.topic in self._wanted:
                self._take(raw)
            elif self._is_tf(raw.topic):
                self._take_transforms(self._buffer, raw)
        except EncodingError as error:
            self.rejections.add(f"message on {raw.topic} that does not decode", error)
        yield from self._release(final=False)

    def finish(self) -> Iterator[BagFrame]:
        """Yield the frames that still wait at the end of the bag."""
        yield from self._release(final=True)

    def _new_buffer(self) -> TransformBuffer:
        transforms = self.config.transforms
        history = 5.0 + 2 * self.config.sync.patience
        return TransformBuffer(history, transforms.tolerance, transforms.max_gap)

    def _is_tf(self, topic: str) -> bool:
        known = self._reader.topics.get(topic)
        return known is not None and known.msgtype == _TF_TYPE and "ground_truth" not in topic

    def _look_ahead(self) -> None:
        """Take in what was said once: static transforms and the first camera_info; and see how the tree is built.

        A recording may hold tf_static after the first images although every node of the robot knew it before them.
        """
        preview = self._new_buffer()
        for topic in self._reader.topics.values():
            if not self._is_tf(topic.name):
                continue
            static = topic.name.endswith(TF_STATIC)
            stop = None if static else self._reader.start + _PREVIEW_NS
            for raw in self._reader.messages([topic.name], stop=stop):
                for buffer in (preview, self._buffer) if static else (preview,):
                    self._take_transforms(buffer, raw, count=False)
        for info in self._infos.values():
            first = self._reader.first(info.name)
            if first is not None:
                with suppress(EncodingError):  # counted when the stream comes to it
                    info.add(-1, self._reader.decode(first))
        self.world = find_world(preview, self.topics.frame_id, self.config.transforms)

    def _take_transforms(self, buffer: TransformBuffer, raw: RawMessage, *, count: bool = True) -> None:
        try:
            refused = buffer.add(self._reader.decode(raw), static=raw.topic.endswith(TF_STATIC))
        except EncodingError as error:
            refused = [str(error)]
        for line in refused if count else ():
            self.rejections.add("transform that is not one", line)

    def _take(self, raw: RawMessage) -> None:
        message = self._reader.decode(raw)
        stamp = headers.stamp_ns(message)
        if raw.topic in self._infos:
            self._infos[raw.topic].add(stamp, message)
            return
        newest = self._newest_color if raw.topic == self.topics.color else self._streams[raw.topic].newest
        if stamp <= newest:
            kind = "the stamp of the one before" if stamp == newest else "a stamp before the one before"
            self.rejections.add(
                f"message on {raw.topic} with {kind}", f"{stamp / 1e9:.6f} s after {newest / 1e9:.6f} s"
            )
            return
        if raw.topic == self.topics.color:
            self._newest_color = stamp
            self._pending.append((stamp, raw.time, message))
        else:
            self._streams[raw.topic].add(stamp, message)

    def _release(self, *, final: bool) -> Iterator[BagFrame]:
        while self._pending:
            stamp, time, color = self._pending[0]
            patient = self._now - time <= self._patience and len(self._pending) <= _MOST_PENDING
            if patient and not final and not self._is_complete(stamp, color):
                break
            self._pending.popleft()
            frame = self._frame(stamp, time, color)
            if frame is not None:
                yield frame
        keep_from = (self._pending[0][0] if self._pending else self._newest_color) - self._slop
        for stream in self._streams.values():
            stream.forget(keep_from)
        for info in self._infos.values():
            info.forget(keep_from, keep=1)

    def _is_complete(self, stamp: int, color: Message) -> bool:
        """Whether nothing that may still come could make a better frame of this colour image."""
        if any(stream.newest < stamp for stream in self._streams.values()):
            return False
        frame = str(color.header.frame_id)
        for target in {self.world.frame, self.world.up_frame} - {""}:
            try:
                known = self._buffer.latest(target, frame)
            except TransformError:
                return False
            if known is not None and known < stamp:
                return False
        return True

    def _frame(self, stamp: int, time: int, color: Message) -> BagFrame | None:
        """Return the frame of a colour image, or count why there is none."""
        depth = self._streams[self.topics.depth].nearest(stamp, self._slop)
        if depth is None:
            slop = f"{self.config.sync.slop * 1e3:g} ms"
            self.rejections.add(f"colour image without a depth image within {slop}", f"stamp {stamp / 1e9:.6f} s")
            return None
        color_info = self._infos[self.topics.color_info].last(stamp + self._slop)
        if color_info is None:
            self.rejections.add("colour image before its first camera_info", f"stamp {stamp / 1e9:.6f} s")
            return None
        frame_id = str(color.header.frame_id).lstrip("/")
        try:
            pose = self._lookup(self.world.frame, frame_id, stamp)
            upright = None if self.world.is_level else self._lookup(self.world.up_frame, frame_id, stamp)
            apart = not self.config.depth.registered
            color_from_depth = self._from_frame(depth, frame_id, stamp) if apart else None
        except TransformError as error:
            self.rejections.add("frame without a transform at its stamp", error)
            return None
        flat = self._joined(self.topics.detections_2d, stamp)
        solid, camera_from_detections = self._solid(frame_id, stamp)
        frame = FrameMessages(
            stamp=stamp,
            color=color,
            depth=depth,
            color_info=color_info,
            depth_info=self._infos[self.topics.depth_info].last(stamp + self._slop) if self.topics.depth_info else None,
            detections_2d=flat,
            detections_3d=solid,
            world_from_camera=pose,
            world_frame=self.world.frame,
            up=None if upright is None else upright[2, :3],
            color_from_depth=color_from_depth,
            camera_from_detections=camera_from_detections,
            rectified=self.topics.rectified,
        )
        return BagFrame(time, frame)

    def _lookup(self, target: str, source: str, stamp: int) -> Mat4 | None:
        return self._buffer.lookup(target, source, stamp) if target else None

    def _from_frame(self, message: Message, camera_frame: str, stamp: int) -> Mat4 | None:
        """Return camera_from_frame for a message in another frame; None where it is the camera's, or says none."""
        frame = str(message.header.frame_id).lstrip("/")
        if not frame or frame == camera_frame:
            return None
        return self._buffer.lookup(camera_frame, frame, stamp)

    def _joined(self, topic: str | None, stamp: int) -> Message | None:
        return None if topic is None else self._streams[topic].nearest(stamp, self._slop)

    def _solid(self, camera_frame: str, stamp: int) -> tuple[Message | None, Mat4 | None]:
        """Return the 3D detections of a frame with the transform from theirs to the camera's."""
        message = self._joined(self.topics.detections_3d, stamp)
        if message is None:
            return None, None
        try:
            return message, self._from_frame(message, camera_frame, stamp)
        except TransformError as error:
            self.rejections.add("3D detections without a transform at their stamp", error)
            return None, None

"""TF at the stamp of an image: waiting for it a little, never taking "latest" instead."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, cast

import tf2_ros
import yaml
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from joyai_ros.bags.config import TransformConfig as WorldConfig
from joyai_ros.bags.world import World, find_world
from joyai_ros.errors import PoseError, TransformError
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.messages.poses import transform_from_message
from joyai_ros.nodes.config import TransformConfig

_CACHE = 30.0  # seconds of transforms kept


@dataclass(frozen=True)
class CameraPose:
    """Where a camera is, as far as TF tells.

    Attributes:
        world_from_camera, world_frame: its pose; None and "" without one.
        up: (3,) against gravity in the optical frame, where another frame than the world's tells.
        level: whether the world's z axis is known to point up.
        missing: what was looked for and not found; empty where nothing is wrong.
    """

    world_from_camera: Mat4 | None = None
    world_frame: str = ""
    up: Vec3 | None = None
    level: bool = True
    missing: str = ""


class _Buffer(tf2_ros.Buffer):  # type: ignore[misc]  # tf2_ros has no types
    """A buffer that wakes up who waits, and notices when the tree grows."""

    def __init__(self) -> None:
        super().__init__(cache_time=Duration(seconds=_CACHE))
        self.changed = threading.Condition()
        self.frames: set[str] = set()
        self.generation = 0

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        with self.changed:
            super().set_transform(transform, authority)
            self._notice(transform)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        with self.changed:
            super().set_transform_static(transform, authority)
            self._notice(transform)

    def clear(self) -> None:
        """Drop what moves. Its frames count as new when they come again, or a world without them would be kept."""
        with self.changed:
            super().clear()
            self.frames.clear()
            self.generation += 1

    def _notice(self, transform: TransformStamped) -> None:
        edge = f"{transform.header.frame_id}>{transform.child_frame_id}"
        if edge not in self.frames:
            self.frames.add(edge)
            self.generation += 1
        self.changed.notify_all()


class Transforms:
    """Listens to TF and answers for the stamps of images.

    Args:
        node: whose ``/tf`` and ``/tf_static`` (remap them for one of several robots).
        config: frames and waiting times.
    """

    def __init__(self, node: Node, config: TransformConfig) -> None:
        self.config = config
        self._buffer = _Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._worlds: dict[str, World] = {}
        self._lock = threading.Lock()
        self._generation = -1

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()

    def clear(self) -> None:
        """Forget what moves, because time began anew."""
        self._buffer.clear()

    def camera_pose(self, frame: str, stamp: int) -> CameraPose:
        """Return where a camera was at a stamp in nanoseconds, after waiting for it for at most the timeout."""
        world = self._world(frame)
        if not world.frame and not world.up_frame:
            return CameraPose(missing=f"no transform tree holds {frame!r}")
        until = time.monotonic() + self.config.timeout
        try:
            pose = self._lookup(world.frame, frame, stamp, until) if world.frame else None
            upright = None
            if world.up_frame and not world.is_level:
                upright = self._lookup(world.up_frame, frame, stamp, until)
        except TransformError as error:
            return CameraPose(missing=str(error))
        up = None if upright is None else upright[2, :3]
        return CameraPose(pose, world.frame if pose is not None else "", up, world.is_level or not world.frame)

    def between(self, target: str, source: str, stamp: int, timeout: float | None = None) -> Mat4:
        """Return ``target_from_source`` (4, 4) at a stamp in nanoseconds.

        Raises:
            TransformError: it is not known at that time, also after waiting for the timeout.
        """
        wait = self.config.timeout if timeout is None else timeout
        return self._lookup(target, source, stamp, time.monotonic() + wait)

    def _world(self, frame: str) -> World:
        """Return world and up frame of a camera; looked up anew only when the tree has grown."""
        with self._lock:
            if self._generation != self._buffer.generation:
                self._generation = self._buffer.generation
                self._worlds.clear()
            if frame not in self._worlds:
                names = WorldConfig(world_frame=self.config.world_frame, up_frame=self.config.up_frame)
                self._worlds[frame] = find_world(cast("Any", _Tree(self._buffer.all_frames_as_yaml())), frame, names)
            return self._worlds[frame]

    def _lookup(self, target: str, source: str, stamp: int, until: float) -> Mat4:
        moment = Time(nanoseconds=stamp)
        with self._buffer.changed:
            while not (known := self._buffer.can_transform_core(target, source, moment))[0]:
                left = until - time.monotonic()
                if left <= 0:
                    return self._nearly(target, source, stamp, known[1])
                self._buffer.changed.wait(left)
        return self._at(target, source, moment)

    def _nearly(self, target: str, source: str, stamp: int, reason: str) -> Mat4:
        """Return the newest transform where it is old by no more than the tolerance."""
        try:
            newest = self._buffer.get_latest_common_time(target, source).nanoseconds
        except tf2_ros.TransformException:
            newest = None
        if newest is None or not 0 <= stamp - newest <= self.config.tolerance * 1e9:
            raise TransformError(f"no transform {target} <- {source} at {stamp / 1e9:.3f} s: {reason}")
        return self._at(target, source, Time(nanoseconds=newest))

    def _at(self, target: str, source: str, moment: Time) -> Mat4:
        try:
            found = self._buffer.lookup_transform_core(target, source, moment)
            return transform_from_message(found.transform)
        except (tf2_ros.TransformException, PoseError) as error:
            raise TransformError(f"no transform {target} <- {source}: {error}") from None


class _Tree:
    """The transform tree as :func:`joyai_ros.bags.world.find_world` asks for it."""

    def __init__(self, frames: str) -> None:
        known: Any = yaml.safe_load(frames)
        self._edges: dict[str, dict[str, Any]] = known if isinstance(known, dict) else {}

    def chain(self, frame: str) -> list[str]:
        """Return the frame and its ancestors, the root of its tree last."""
        frames = [frame.lstrip("/")]
        while (edge := self._edges.get(frames[-1])) is not None and edge["parent"] not in frames:
            frames.append(edge["parent"])
        return frames

    def moves(self, frame: str) -> bool:
        """Whether any transform between a frame and its root changes with time; static ones have no time in tf2."""
        return any(self._edges[f]["most_recent_transform"] != 0.0 for f in self.chain(frame) if f in self._edges)

"""TransformBuffer: the poses of frames over time, from tf and tf_static messages."""

from __future__ import annotations

import bisect
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from joyai_ros.errors import PoseError, TransformError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.messages import headers
from joyai_ros.messages.factory import Message
from joyai_ros.messages.poses import transform_from_message


@dataclass
class _Edge:
    """The poses of one frame in its parent: one for ever, or a row in time."""

    parent: str
    static: Mat4 | None = None
    stamps: deque[int] = field(default_factory=deque)
    poses: deque[Mat4] = field(default_factory=deque)


class TransformBuffer:
    """Keeps the last seconds of a transform tree and interpolates in it.

    Between two samples translations are interpolated linearly and rotations along the shortest arc (slerp). Nothing is
    extrapolated beyond ``tolerance``, and samples further apart than ``max_gap`` say nothing of the time between them.

    Args:
        history: seconds kept.
        tolerance: seconds by which a stamp may lie outside of what was recorded; the nearest sample is taken then.
        max_gap: seconds between two samples that are still interpolated.
    """

    def __init__(self, history: float = 10.0, tolerance: float = 0.02, max_gap: float = 0.5) -> None:
        self._history = int(history * 1e9)
        self._tolerance = int(tolerance * 1e9)
        self._max_gap = int(max_gap * 1e9)
        self._edges: dict[str, _Edge] = {}

    def add(self, message: Message, *, static: bool) -> list[str]:
        """Take in a tf2_msgs/TFMessage; return a line for each transform in it that is not one."""
        refused = []
        for item in message.transforms:
            child, parent = _plain(item.child_frame_id), _plain(item.header.frame_id)
            try:
                if not child or not parent or child == parent:
                    raise PoseError(f"a transform from {child!r} to {parent!r} joins no two frames")
                self._insert(
                    child,
                    parent,
                    headers.nanoseconds(item.header.stamp),
                    transform_from_message(item.transform),
                    static,
                )
            except PoseError as error:
                refused.append(str(error))
        return refused

    def _insert(self, child: str, parent: str, stamp: int, pose: Mat4, static: bool) -> None:
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent:  # a frame that changes its parent starts anew
            edge = self._edges[child] = _Edge(parent)
        if static:
            edge.static = pose
            return
        edge.static = None
        if edge.stamps and stamp <= edge.stamps[-1]:
            at = bisect.bisect_left(edge.stamps, stamp)
            if edge.stamps[at] != stamp:
                edge.stamps.insert(at, stamp)
                edge.poses.insert(at, pose)
            return
        edge.stamps.append(stamp)
        edge.poses.append(pose)
        while edge.stamps[0] < stamp - self._history:
            edge.stamps.popleft()
            edge.poses.popleft()

    def chain(self, frame: str) -> list[str]:
        """Return the frame and its ancestors, the root of its tree last."""
        frames = [_plain(frame)]
        while (edge := self._edges.get(frames[-1])) is not None and edge.parent not in frames:
            frames.append(edge.parent)
        return frames

    def moves(self, frame: str) -> bool:
        """Whether any transform between a frame and its root changes with time."""
        return any(edge.static is None for edge in map(self._edges.get, self.chain(frame)) if edge is not None)

    def latest(self, target: str, source: str) -> int | None:
        """Return the stamp up to which the transform between two frames is known; None where it does not change.

        Raises:
            TransformError: the frames are not in one tree.
        """
        up, down = self._path(target, source)
        known = [
            edge.stamps[-1] if edge.stamps else 0 for edge in (self._edges[f] for f in up + down) if edge.static is None
        ]
        return min(known, default=None)

    def lookup(self, target: str, source: str, stamp: int) -> Mat4:
        """Return ``target_from_source`` (4, 4) at a time in nanoseconds.

        Raises:
            TransformError: the frames are not in one tree, or it is not known at that time.
        """
        up, down = self._path(target, source)
        ancestor_from_source, ancestor_from_target = np.eye(4), np.eye(4)
        for frame in up:
            ancestor_from_source = self._at(frame, stamp) @ ancestor_from_source
        for frame in down:
            ancestor_from_target = self._at(frame, stamp) @ ancestor_from_target
        return rigid.inverse(ancestor_from_target) @ ancestor_from_source

    def _path(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Return the frames below the nearest common ancestor: from the source up, and from the target up."""
        upwards, downwards = self.chain(source), self.chain(target)
        common = next((frame for frame in upwards if frame in downwards), None)
        if common is None:
            raise TransformError(
                f"frames {source!r} and {target!r} are not in one transform tree; record tf and tf_static"
            )
        return upwards[: upwards.index(common)], downwards[: downwards.index(common)]

    def _at(self, frame: str, stamp: int) -> Mat4:
        edge = self._edges[frame]
        if edge.static is not None:
            return edge.static
        at = bisect.bisect_left(edge.stamps, stamp)
        if at < len(edge.stamps) and edge.stamps[at] == stamp:
            return edge.poses[at]
        if 0 < at < len(edge.stamps) and edge.stamps[at] - edge.stamps[at - 1] <= self._max_gap:
            before, after = edge.stamps[at - 1], edge.stamps[at]
            return interpolate(edge.poses[at - 1], edge.poses[at], (stamp - before) / (after - before))
        near = [i for i in (at - 1, at) if 0 <= i < len(edge.stamps)]
        nearest = min(near, key=lambda i: abs(edge.stamps[i] - stamp), default=None)
        if nearest is not None and abs(edge.stamps[nearest] - stamp) <= self._tolerance:
            return edge.poses[nearest]
        known = (
            f"known from {edge.stamps[0] / 1e9:.3f} to {edge.stamps[-1] / 1e9:.3f} s" if edge.stamps else "never known"
        )
        raise TransformError(f"no transform {edge.parent} <- {frame} at {stamp / 1e9:.3f} s ({known})")


def interpolate(first: Mat4, second: Mat4, share: float) -> Mat4:
    """Return the pose at ``share`` (0 to 1) of the way between two (4, 4) poses.

    Translation runs along a line, rotation about the one axis that joins the two (slerp; Shoemake 1985).
    """
    translation = first[:3, 3] + share * (second[:3, 3] - first[:3, 3])
    quaternion = rigid.quaternion_from_matrix(first[:3, :3].T @ second[:3, :3])
    sine = float(np.linalg.norm(quaternion[:3]))  # of half the angle, exact for small ones
    if sine < 1e-12:
        return rigid.make_transform(first[:3, :3], translation)
    angle = 2.0 * math.atan2(sine, float(quaternion[3]))
    return rigid.make_transform(first[:3, :3] @ rigid.axis_angle(quaternion[:3], share * angle), translation)


def _plain(frame: str) -> str:
    """Return a frame id without the leading slash that tf1 put there."""
    return str(frame).lstrip("/")

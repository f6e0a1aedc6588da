"""Where the simulated camera is at which time: still, on a sweep, or on the way of a motion. No ROS in here."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from joyai_ros.bags.transforms import interpolate
from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.motion import CameraMotion, orbit

_SAMPLES = 24  # poses along a motion that are checked for room
_CLEARANCE = 0.08  # metres that the camera keeps from everything
_ROOM = 4.0  # metres from the middle of the room, up to where the floor is drawn well
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class _Move:
    """A motion on its way.

    Attributes:
        start: (4, 4) pose that it starts from.
        motion, pivot, up: as for :func:`joyai_ros.geometry.motion.orbit`, in the optical frame that it starts from.
        begin, seconds: when, in simulated time.
    """

    start: Mat4
    motion: CameraMotion
    pivot: Vec3
    up: Vec3
    begin: float
    seconds: float

    def share(self, now: float) -> float:
        return min(max((now - self.begin) / self.seconds, 0.0), 1.0) if self.seconds > 0 else 1.0

    def pose(self, share: float) -> Mat4:
        """Return the pose after a share of the way: the motion itself with smaller angles, so an arc about the pivot."""
        eased = 0.5 - 0.5 * math.cos(math.pi * share)
        part = CameraMotion(self.motion.yaw_deg * eased, self.motion.pitch_deg * eased, self.motion.zoom**eased)
        return np.asarray(self.start @ orbit(part, self.pivot, self.up))


class CameraPath:
    """The camera's pose over time; may be asked and told from several threads.

    Args:
        start: (4, 4) world_from_camera.
        sweep: poses to go along, there and back, over ``period`` seconds; empty to stand still.
        period: seconds.
    """

    def __init__(self, start: Mat4, sweep: Sequence[Mat4] = (), period: float = 20.0) -> None:
        self._lock = threading.Lock()
        self._still = start
        self._sweep = list(sweep)
        self._period = period
        self._move: _Move | None = None

    def pose(self, now: float) -> Mat4:
        """Return world_from_camera (4, 4) at a time in seconds."""
        with self._lock:
            return self._pose(now)

    def begin(
        self,
        motion: CameraMotion,
        pivot_in_world: Vec3,
        now: float,
        seconds: float | None,
        speed: float,
        is_free: Callable[[Vec3], bool],
    ) -> float:
        """Begin a motion from where the camera is, and return how many seconds it takes; a sweep ends with it.

        Args:
            motion: what to do.
            pivot_in_world: (3,) metres.
            now: seconds.
            seconds: how long it shall take; None: as the speed says.
            speed: metres per second along the way.
            is_free: whether the camera may be at a point (3,) of the world.

        Raises:
            MotionError: the motion cannot be made from here.
            OutOfReachError: the way leads too near to something.
        """
        with self._lock:
            start = self._pose(now)
            camera_from_world = rigid.inverse(start)
            pivot = rigid.apply(camera_from_world, np.asarray(pivot_in_world, dtype=np.float64))
            move = _Move(start, motion, pivot, camera_from_world[:3, :3] @ _UP, now, 1.0)
            way = [move.pose(share)[:3, 3] for share in np.linspace(0.0, 1.0, _SAMPLES)]
            for place in way:
                if not is_free(place):
                    x, y, z = place
                    raise OutOfReachError(
                        f"the way leads through ({x:.2f}, {y:.2f}, {z:.2f}) m, where there is no room"
                    )
            length = float(sum(np.linalg.norm(b - a) for a, b in itertools.pairwise(way)))
            duration = max(length / speed, 0.2) if seconds is None else seconds
            self._move = _Move(start, motion, pivot, move.up, now, duration)
            self._sweep = []
            return duration

    def halt(self, now: float) -> None:
        """Stay where the camera is."""
        with self._lock:
            self._still, self._move = self._pose(now), None

    def progress(self, now: float) -> float:
        """Return the share of the motion that is done; 1 without one."""
        with self._lock:
            return 1.0 if self._move is None else self._move.share(now)

    def _pose(self, now: float) -> Mat4:
        if self._move is not None:
            return self._move.pose(self._move.share(now))
        if len(self._sweep) < 2:
            return self._still
        phase = (now % self._period) / self._period * 2.0
        along = (1.0 - abs(1.0 - phase)) * (len(self._sweep) - 1)
        before = min(int(along), len(self._sweep) - 2)
        return interpolate(self._sweep[before], self._sweep[before + 1], along - before)


class OutOfReachError(MotionError):
    """The way of a motion leads too near to something."""


def room_around(boxes: Sequence[OrientedBox], table: Sequence[Vec3]) -> Callable[[Vec3], bool]:
    """Return whether a camera may be at a point of the world.

    Args:
        boxes: of the objects, in the world.
        table: corners (3,) of the table top's outline; nothing may be below it, within it.
    """
    outline = np.array(table)
    low, high = outline.min(axis=0), outline.max(axis=0)

    def is_free(point: Vec3) -> bool:
        if np.linalg.norm(point[:2]) > _ROOM or not _CLEARANCE < point[2] < _ROOM:
            return False
        over_table = bool((point[:2] > low[:2] - _CLEARANCE).all() and (point[:2] < high[:2] + _CLEARANCE).all())
        if over_table and point[2] < high[2] + _CLEARANCE:
            return False
        return not any(box.contains(np.asarray(point)[None], margin=_CLEARANCE)[0] for box in boxes)

    return is_free

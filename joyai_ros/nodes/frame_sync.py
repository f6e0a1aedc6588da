"""Bringing the messages of one frame together by stamp, the newest frame first. No ROS in here."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from joyai_ros.nodes.config import SyncConfig

COLOR, DEPTH, DETECTIONS_2D, DETECTIONS_3D = "color", "depth", "detections_2d", "detections_3d"
_KEPT = 30  # messages of one stream that may wait: one second of a usual camera
_JUMP = 1_000_000_000  # stamps that step back by more than this begin a new sequence (a bag that loops, a restart)


@dataclass(frozen=True)
class FrameSet:
    """The messages of one frame.

    Attributes:
        stamp: nanoseconds, of the colour image.
        messages: by stream; streams that had nothing for this frame are left out.
        sequence: how often stamps have jumped back before it.
    """

    stamp: int
    messages: dict[str, Any]
    sequence: int = 0


@dataclass
class _Stream:
    """What waits of one stream, in the order of its stamps."""

    stamps: list[int] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    newest: int = -1

    def add(self, stamp: int, message: Any) -> bool:
        """Insert a message; False for a stamp that is here already."""
        at = bisect.bisect_left(self.stamps, stamp)
        if at < len(self.stamps) and self.stamps[at] == stamp:
            return False
        self.stamps.insert(at, stamp)
        self.messages.insert(at, message)
        self.newest = max(self.newest, stamp)
        return True

    def nearest(self, stamp: int, slop: int) -> int | None:
        """Return the index of the message nearest to a stamp, None where none is near enough."""
        at = bisect.bisect_left(self.stamps, stamp)
        near = [i for i in (at - 1, at) if 0 <= i < len(self.stamps) and abs(self.stamps[i] - stamp) <= slop]
        return min(near, key=lambda i: abs(self.stamps[i] - stamp), default=None)

    def forget(self, before: int) -> None:
        """Drop what is older than a stamp."""
        at = bisect.bisect_left(self.stamps, before)
        del self.stamps[:at], self.messages[:at]


class FrameSync:
    """Makes frames of colour images and what belongs to them.

    A frame is a colour image with a depth image within the slop. Detections take their time, so a frame waits for them:
    until they come, until a newer frame has them, or until ``patience`` of stamp time has passed. Where detections have
    been silent for long, frames do not wait. Frames leave in the order of their stamps; of several that are complete at
    once the newest leaves and the others are counted as dropped.

    Not thread-safe: guard it where several threads add.

    Args:
        config: slop, patience, silence.
        depth: whether there is a depth stream.
        detections: the detection streams that there are.

    Attributes:
        refused: what was left out, counted by reason; take it with :meth:`take_refused`.
    """

    def __init__(self, config: SyncConfig, *, depth: bool = True, detections: Iterable[str] = ()) -> None:
        self._slop = int(config.slop * 1e9)
        self._patience = int(config.patience * 1e9)
        self._silence = int(config.silence * 1e9)
        self._required = [DEPTH] if depth else []
        self._optional = list(detections)
        self.refused: Counter[str] = Counter()
        self._sequence = 0
        self.clear()

    def clear(self) -> None:
        """Forget what waits."""
        self._streams = {name: _Stream() for name in (COLOR, *self._required, *self._optional)}
        self._last = -1
        self._first_color: int | None = None

    def add(self, stream: str, stamp: int, message: Any) -> FrameSet | None:
        """Take in a message and return the frame that it completes, if it completes one.

        Args:
            stream: one of the streams that there are.
            stamp: nanoseconds.
            message: kept as it is.
        """
        known = self._streams[stream]
        if known.newest - stamp > _JUMP:
            self.clear()
            self._sequence += 1
            known = self._streams[stream]
        if stream == COLOR:
            if stamp <= self._last:
                self.refused["out_of_order"] += 1
                return None
            if self._first_color is None:
                self._first_color = stamp
        if not known.add(stamp, message):
            self.refused["duplicate"] += 1
            return None
        if len(known.stamps) > _KEPT:
            known.forget(known.stamps[1])
            if stream == COLOR:
                self.refused["unsynchronised"] += 1
        return self._release()

    def take_refused(self) -> Counter[str]:
        """Return what was left out since the last call of this, by reason."""
        taken, self.refused = self.refused, Counter()
        return taken

    def _release(self) -> FrameSet | None:
        """Return the newest frame that is complete, and forget it and all before it."""
        colors = self._streams[COLOR]
        for at in reversed(range(len(colors.stamps))):
            stamp = colors.stamps[at]
            parts = self._parts(stamp)
            if parts is None or not self._may_leave(stamp, parts):
                continue
            if at > 0:
                self.refused["superseded"] += at
            return self._leave(stamp, parts)
        self._give_up()
        return None

    def _parts(self, stamp: int) -> dict[str, int] | None:
        """Return where the parts of a frame are, None while one that it cannot do without is missing."""
        parts = {}
        for name in (*self._required, *self._optional):
            at = self._streams[name].nearest(stamp, self._slop)
            if at is not None:
                parts[name] = at
            elif name in self._required:
                return None
        return parts

    def _may_leave(self, stamp: int, parts: dict[str, int]) -> bool:
        missing = [name for name in self._optional if name not in parts]
        now = max(s.newest for s in self._streams.values())
        return all(not self._is_awaited(name, stamp, now) for name in missing)

    def _is_awaited(self, name: str, stamp: int, now: int) -> bool:
        """Whether detections of a frame may still come. They come in order: later ones mean that it has none."""
        newest = self._streams[name].newest
        if newest > stamp + self._slop or now - stamp > self._patience:
            return False
        heard = newest if newest >= 0 else self._first_color
        return heard is not None and now - heard <= self._silence

    def _leave(self, stamp: int, parts: dict[str, int]) -> FrameSet:
        messages = {name: self._streams[name].messages[at] for name, at in parts.items()}
        colors = self._streams[COLOR]
        messages[COLOR] = colors.messages[colors.stamps.index(stamp)]
        self._last = stamp
        colors.forget(stamp + 1)
        for name in (*self._required, *self._optional):
            self._streams[name].forget(stamp - self._slop)
        return FrameSet(stamp, messages, self._sequence)

    def _give_up(self) -> None:
        """Drop colour images whose depth can no longer come, because a later one is here already."""
        colors = self._streams[COLOR]
        for name in self._required:
            while colors.stamps and self._streams[name].newest > colors.stamps[0] + self._slop:
                if self._streams[name].nearest(colors.stamps[0], self._slop) is not None:
                    break
                self.refused["unsynchronised"] += 1
                colors.forget(colors.stamps[0] + 1)

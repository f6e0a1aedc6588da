"""Nodes that listen to an RGB-D camera: what comes, what goes wrong, what is reported; one works on the newest frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from joyai_ros.errors import ConfigError, InputError
from joyai_ros.nodes.camera_stream import CameraFrame, CameraStream
from joyai_ros.nodes.config import StreamConfig
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.managed import ManagedNode
from joyai_ros.nodes.newest import Newest
from joyai_ros.nodes.observing import Observed, Observer, reason
from joyai_ros.nodes.transforms import Transforms
from joyai_ros.perception.due import Due

C = TypeVar("C", bound=StreamConfig)


class StreamNode(ManagedNode[C], ABC):
    """Listens to a camera and to TF. A subclass says in :meth:`arrived` what becomes of a frame.

    Attributes:
        transforms: TF, from configure to cleanup.
    """

    def setup(self) -> None:
        """Listen to the camera and to TF."""
        if not self.config.topics.color:
            raise ConfigError("topics.color is empty; name the colour image topic")
        self.transforms = Transforms(self, self.config.transforms)
        self.own(self.transforms.close)
        self._observer = Observer(self.config, self.transforms)
        self._missing = ""
        self._sequence = 0
        self._stream = CameraStream(self, self.config, self._take)

    def start(self) -> None:
        """Count from here how long there was no frame."""
        self.tally.touch("frame", self.now())

    @abstractmethod
    def arrived(self, frame: CameraFrame) -> None:
        """Put a frame somewhere: this runs in a subscription callback."""

    def output_name(self, name: str) -> str:
        """Return the relative name of an output."""
        return "/".join(part for part in (self.config.output.namespace.strip("/"), name) if part)

    def observe(self, frame: CameraFrame) -> Observed:
        """Return a frame's observation, and note whether its transform was missing.

        Raises:
            InputError: the frame cannot be used.
        """
        observed = self._observer.observe(frame)
        if observed.missing:
            self.tally.add("frames_without_transform")
            if observed.missing != self._missing:
                said = f"going on without a camera pose: {observed.missing}"
                self.get_logger().warning(said, throttle_duration_sec=10.0)
        self._missing = observed.missing
        return observed

    def _take(self, frame: CameraFrame) -> None:
        self.tally.touch("frame", self.now())
        if frame.sequence != self._sequence:
            self._sequence = frame.sequence
            self.get_logger().info("stamps jumped back: a new sequence begins")
            self.transforms.clear()
        self.arrived(frame)

    # Diagnostics ---------------------------------------------------------------------------------

    def waiting_for(self) -> str:
        """Say which of the topics nobody publishes."""
        silent = [t for t in self._stream.topics.values() if self.count_publishers(self.resolve_topic_name(t)) == 0]
        return f"nobody publishes {', '.join(self.resolve_topic_name(t) for t in silent)}" if silent else ""

    def reports(self) -> list[Report]:
        """Report on input, work and TF."""
        counts, new = self.tally.counts(), self.tally.since_last()
        return [self._input_report(counts, new), self.work_report(counts, new), self._tf_report(counts)]

    @abstractmethod
    def work_report(self, counts: Mapping[str, int], new: Mapping[str, int]) -> Report:
        """Report on what is made of the frames.

        Args:
            counts: of the tally, since the node began.
            new: the same since the last report.
        """

    def times(self, *names: str) -> dict[str, float]:
        """Return median and maximum of what the tally timed, in milliseconds, as values of a report."""
        values = {}
        for name in names:
            found = self.tally.quantiles(name)
            if found is not None:
                values[f"{name} median (ms)"], values[f"{name} max (ms)"] = found[0] * 1e3, found[1] * 1e3
        return values

    def _input_report(self, counts: Mapping[str, int], new: Mapping[str, int]) -> Report:
        values: dict[str, Any] = {}
        for name in self._stream.topics:
            values[f"{name} rate (Hz)"] = new.get(f"received.{name}", 0) / self.config.diagnostics_period
            age = self.tally.age(name, self.now())
            values[f"{name} age (s)"] = "never" if age is None else age
        drops = {
            name: count for name, count in counts.items() if name.startswith("dropped.") and name != "dropped.busy"
        }
        values |= {name.replace(".", " "): count for name, count in sorted(drops.items())}
        age = self.tally.age("frame", self.now())
        if age is not None and age > self.config.stale_after:
            return Report("input", "stale", f"no whole frame for {age:.1f} s. {self.waiting_for()}".strip(), values)
        lost = sum(new.get(name, 0) for name in ("dropped.unsynchronised", "dropped.no_camera_info"))
        if lost:
            return Report("input", "warning", f"{lost} colour images without depth or camera_info", values)
        return Report("input", "ok", "frames arrive", values)

    def _tf_report(self, counts: Mapping[str, int]) -> Report:
        values = {"frames without transform": counts.get("frames_without_transform", 0)}
        if self._missing:
            return Report("transforms", "warning", self._missing, values)
        return Report("transforms", "ok", "known at the stamps of the images", values)


class FrameNode(StreamNode[C]):
    """A thread of its own takes the newest frame and calls :meth:`process` with its observation.

    Attributes:
        limit: says which frames are taken; None: all. A subclass sets it.
    """

    limit: Due | None = None

    def setup(self) -> None:
        """Listen; the thread comes with :meth:`start`."""
        self._worker: Newest[CameraFrame] | None = None
        self._served = 0
        super().setup()

    def start(self) -> None:
        """Start the thread."""
        super().start()
        self._worker = Newest(f"{self.get_name()} frames", self._serve, self.fail)
        self._worker.start()

    def stop(self) -> None:
        """End the thread after the frame that it works on."""
        worker, self._worker = getattr(self, "_worker", None), None
        if worker is not None and not worker.stop():
            self.get_logger().error("a frame is still in work after 10 s")

    def begin_sequence(self) -> None:
        """Forget the sequence before; called by the thread before the first frame that it takes of a new one."""

    @abstractmethod
    def process(self, frame: CameraFrame, observed: Observed) -> None:
        """Do the work on one frame."""

    def arrived(self, frame: CameraFrame) -> None:
        """Put the frame in the place of the newest, where it is time for one."""
        worker = self._worker
        if worker is None:
            return
        if self.limit is not None and not self.limit.is_due(frame.stamp):
            self.tally.add("skipped.rate_limit")
        elif worker.offer(frame):
            self.tally.add("dropped.busy")

    def note_latency(self, stamp: int) -> None:
        """Note how old a frame is now that its result is published."""
        age = (self.get_clock().now().nanoseconds - stamp) / 1e9
        self.tally.time("latency", age)
        self.tally.add("published")

    def _serve(self, frame: CameraFrame) -> None:
        if frame.sequence != self._served:
            self._served = frame.sequence
            self.begin_sequence()
        started = self.now()
        try:
            observed = self.observe(frame)
            self.tally.time("decode", observed.seconds)
            self.process(frame, observed)
        except InputError as error:
            self.tally.add(f"rejected.{reason(error)}")
            self.get_logger().warning(f"frame left out: {error}", throttle_duration_sec=5.0)
        self.tally.time("total", self.now() - started)

    def work_report(self, counts: Mapping[str, int], new: Mapping[str, int]) -> Report:
        """Report on rate, times, and frames that were not worked on."""
        values: dict[str, Any] = {"rate (Hz)": new.get("published", 0) / self.config.diagnostics_period}
        values |= self.times("latency", "decode", "compute", "total")
        for name in (
            "published",
            "dropped.busy",
            "skipped.rate_limit",
            "frames_without_transform",
            "rejected_detections",
        ):
            values[name.replace(".", " ")] = counts.get(name, 0)
        refused = {name: count for name, count in counts.items() if name.startswith("rejected.")}
        values |= {name.replace(".", " "): count for name, count in sorted(refused.items())}
        wrong = {name: new.get(name, 0) for name in refused if new.get(name, 0)}
        if wrong:
            said = ", ".join(f"{count} x {name.partition('.')[2]}" for name, count in wrong.items())
            return Report("work", "warning", f"frames left out: {said}", values)
        if new.get("dropped.busy", 0):
            return Report("work", "warning", f"{new['dropped.busy']} frames dropped: slower than the camera", values)
        return Report("work", "ok", "keeps up", values)

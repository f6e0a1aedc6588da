"""A node that works on the newest frame of an RGB-D camera: threads, rate limit, what goes wrong, what is reported."""

from __future__ import annotations

from typing import Any, TypeVar

from joyai_ros.errors import ConfigError, InputError
from joyai_ros.nodes.camera_stream import CameraFrame, CameraStream
from joyai_ros.nodes.config import StreamConfig
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.managed import ManagedNode
from joyai_ros.nodes.newest import Newest, RateLimit
from joyai_ros.nodes.observing import Observed, Observer, reason
from joyai_ros.nodes.transforms import Transforms

C = TypeVar("C", bound=StreamConfig)


class StreamNode(ManagedNode[C]):
    """Subscriptions put whole frames into a place of one; a thread of this node takes the newest and calls
    :meth:`process` with its observation.

    Attributes:
        limit: admits frames; a subclass sets its rate.
        transforms: TF, from configure to cleanup.
    """

    limit: RateLimit = RateLimit(0.0)

    def setup(self) -> None:
        """Listen to the camera and to TF."""
        if not self.config.topics.color:
            raise ConfigError("topics.color is empty; name the colour image topic")
        self.transforms = Transforms(self, self.config.transforms)
        self.own(self.transforms.close)
        self._observer = Observer(self.config, self.transforms)
        self._worker: Newest[CameraFrame] | None = None
        self._missing = ""
        self._stream = CameraStream(self, self.config, self._arrived)

    def start(self) -> None:
        """Start the thread."""
        self.tally.touch("frame", self.now())
        self._worker = Newest(f"{self.get_name()} frames", self._serve, self.fail)
        self._worker.start()

    def stop(self) -> None:
        """End the thread after the frame that it works on."""
        worker, self._worker = getattr(self, "_worker", None), None
        if worker is not None and not worker.stop():
            self.get_logger().error("a frame is still in work after 10 s")

    def process(self, frame: CameraFrame, observed: Observed) -> None:
        """Do the work on one frame."""
        raise NotImplementedError

    def output_name(self, name: str) -> str:
        """Return the relative name of an output."""
        return "/".join(part for part in (self.config.output.namespace.strip("/"), name) if part)

    def note_latency(self, stamp: int) -> None:
        """Note how old a frame is now that its result is published."""
        age = (self.get_clock().now().nanoseconds - stamp) / 1e9
        self.tally.time("latency", age)
        self.tally.add("published")

    def _arrived(self, frame: CameraFrame) -> None:
        self.tally.touch("frame", self.now())
        worker = self._worker
        if worker is None:
            return
        if not self.limit.admits(frame.stamp):
            self.tally.add("skipped.rate_limit")
        elif worker.offer(frame):
            self.tally.add("dropped.busy")

    def _serve(self, frame: CameraFrame) -> None:
        if frame.restarted:
            self.get_logger().info("stamps jumped back: a new sequence begins")
            self.transforms.clear()
        started = self.now()
        try:
            observed = self._observer.observe(frame)
            self._note_transforms(observed.missing)
            self.tally.time("decode", observed.seconds)
            self.process(frame, observed)
        except InputError as error:
            self.tally.add(f"rejected.{reason(error)}")
            self.get_logger().warning(f"frame left out: {error}", throttle_duration_sec=5.0)
        self.tally.time("total", self.now() - started)

    def _note_transforms(self, missing: str) -> None:
        if missing:
            self.tally.add("frames_without_transform")
            if missing != self._missing:
                self.get_logger().warning(f"going on without a camera pose: {missing}", throttle_duration_sec=10.0)
        self._missing = missing

    # Diagnostics ---------------------------------------------------------------------------------

    def waiting_for(self) -> str:
        """Say which of the topics nobody publishes."""
        silent = [t for t in self._stream.topics.values() if self.count_publishers(self.resolve_topic_name(t)) == 0]
        return f"nobody publishes {', '.join(self.resolve_topic_name(t) for t in silent)}" if silent else ""

    def reports(self) -> list[Report]:
        """Report on input, work and TF."""
        counts, new = self.tally.counts(), self.tally.since_last()
        period = self.config.diagnostics_period
        return [
            self._input_report(counts, new, period),
            self._work_report(counts, new, period),
            self._tf_report(counts),
        ]

    def _input_report(self, counts: Any, new: Any, period: float) -> Report:
        values: dict[str, Any] = {}
        for name in self._stream.topics:
            values[f"{name} rate (Hz)"] = new.get(f"received.{name}", 0) / period
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

    def _work_report(self, counts: Any, new: Any, period: float) -> Report:
        values: dict[str, Any] = {"rate (Hz)": new.get("published", 0) / period}
        for name in ("latency", "decode", "compute", "total"):
            found = self.tally.quantiles(name)
            if found is not None:
                values[f"{name} median (ms)"], values[f"{name} max (ms)"] = found[0] * 1e3, found[1] * 1e3
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

    def _tf_report(self, counts: Any) -> Report:
        values = {"frames without transform": counts.get("frames_without_transform", 0)}
        if self._missing:
            return Report("transforms", "warning", self._missing, values)
        return Report("transforms", "ok", "known at the stamps of the images", values)

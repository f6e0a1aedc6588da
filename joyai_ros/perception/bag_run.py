"""A whole bag through the perception: frames in, scenes and views out, beside the messages that came in."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from joyai_ros.bags.config import BagConfig, DepthConfig, SyncConfig, TopicConfig, TransformConfig
from joyai_ros.bags.discovery import StreamTopics, find_stream
from joyai_ros.bags.frames import BagFrame, FrameReader
from joyai_ros.bags.metadata import TopicType
from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.rejections import Rejection, Rejections
from joyai_ros.bags.relation_cdr import PackedRelations, serialize
from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.bags.world import World
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import BagError, CameraError, DepthError, EncodingError, ImageError, InputError, OutputError
from joyai_ros.messages.frames import observe
from joyai_ros.perception.belts import Belt, Row
from joyai_ros.perception.config import OutputConfig, PerceptionConfig, QuestionsConfig, ViewConfig
from joyai_ros.perception.engine_process import EngineProcess
from joyai_ros.perception.outputs import ANSWER, TYPES, output_messages, topic_name
from joyai_ros.perception.pipeline import Answerer, Perceived, Perception
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene
from joyai_ros.settings import setting

# What an error in one frame is called where such errors are counted; the first that fits.
_REASONS: tuple[tuple[type[InputError], str], ...] = (
    (EncodingError, "frame with an image that does not decode"),
    (CameraError, "frame with a camera_info that is not its camera"),
    (DepthError, "frame without usable depth"),
    (ImageError, "frame without a usable colour image"),
    (InputError, "frame that cannot be used"),
)


@dataclass(frozen=True)
class WriterConfig:
    """How the output bag is cut into files."""

    split_seconds: float = setting(10.0, "message time after which a new file begins, s", 0.1, 86400.0)
    split_megabytes: float = setting(256.0, "size after which a new file begins, MB", 1.0, 1e6)


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run over a bag."""

    topics: TopicConfig = field(default_factory=TopicConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    transforms: TransformConfig = field(default_factory=TransformConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    questions: QuestionsConfig = field(default_factory=QuestionsConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    writer: WriterConfig = field(default_factory=WriterConfig)

    @property
    def bag(self) -> BagConfig:
        """The part that reading frames needs."""
        return BagConfig(self.topics, self.sync, self.transforms, self.depth)

    @property
    def perception(self) -> PerceptionConfig:
        """The part that the perception needs."""
        return PerceptionConfig(self.scene, self.view, self.output)


@dataclass
class RunReport:
    """What a run did.

    Attributes:
        bag, output: the folders.
        topics: what was taken for the RGB-D stream.
        world_frame, up_frame: where poses and up came from; empty without.
        frames: scenes written.
        views: imagined views written.
        bag_seconds: length of the recording.
        run_seconds: how long the run took.
        written: messages by topic in the output bag.
        rejections: what was left out, by reason.
        notes: what was wrong with the bag as a whole.
        interrupted: it was stopped before the end of the bag.
    """

    bag: Path
    output: Path
    topics: StreamTopics
    world_frame: str = ""
    up_frame: str = ""
    frames: int = 0
    views: int = 0
    bag_seconds: float = 0.0
    run_seconds: float = 0.0
    written: dict[str, int] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False


class Progress(NamedTuple):
    """How far a run is: share of the recording read (0 to 1) and scenes made."""

    share: float
    frames: int


class _Sealed(NamedTuple):
    """One serialised message on its way to the file."""

    topic: TopicType
    data: bytes | memoryview
    time: int


def process_bag(
    bag: Path | str,
    output: Path | str,
    config: RunConfig | None = None,
    *,
    overwrite: bool = False,
    perception: Perception | None = None,
    answerer: Answerer | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Run the perception over every RGB-D frame of a bag and write its messages beside those of the bag.

    What cannot be used within the stream is left out, counted by reason and reported. An interrupt (Ctrl-C) finishes the
    message in work and leaves a whole bag.

    Args:
        bag: rosbag2 folder or file.
        output: the bag folder to make.
        config: settings.
        overwrite: replace a bag that stands at ``output``.
        perception: what to run; None for one made of ``config``.
        answerer: answers questions about the frames; None for no questions.
        progress: called now and then from the calling thread.

    Raises:
        BagError: the bag is missing, empty, unreadable, holds no RGB-D stream, or not one usable frame.
        ConfigError: a named topic is not in the bag.
        OutputError: ``output`` exists or cannot be written.
    """
    config = config or RunConfig()
    _check_apart(Path(bag), Path(output))
    with BagReader(bag) as reader:
        own = {topic_name(name, config.output.namespace) for name in (*TYPES, ANSWER)}
        topics = find_stream(reader, config.topics, exclude=own)
        run = _Run(reader, topics, config, own, answerer)
        with (
            run.perceiving_with(perception),
            BagWriter(
                output,
                overwrite=overwrite,
                split_seconds=config.writer.split_seconds,
                split_megabytes=config.writer.split_megabytes,
            ) as writer,
        ):
            run.work(writer, progress)
        report = run.report(Path(output), writer)
    if not report.frames and not report.interrupted:
        shutil.rmtree(output)
        reasons = "; ".join(str(r) for r in report.rejections[:3]) or "no colour image was read"
        raise BagError(f"no frame of {bag} could be used: {reasons}")
    return report


def _check_apart(bag: Path, output: Path) -> None:
    inner, outer = bag.resolve(), output.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise OutputError(f"the output {output} and the bag {bag} lie within each other; choose another output")


def _for_world(config: PerceptionConfig, world: World) -> PerceptionConfig:
    """Return the settings with the world taken as level only where its frame is known to be."""
    level = config.scene.world_is_level and (world.is_level or not world.frame)
    return replace(config, scene=replace(config.scene, world_is_level=level))


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Run:
    """The threads of one run and what they count."""

    def __init__(
        self, reader: BagReader, topics: StreamTopics, config: RunConfig, own: set[str], answerer: Answerer | None
    ) -> None:
        self._reader = reader
        self._topics = topics
        self._config = config
        self._own = own
        self._answerer = answerer
        self._rejections = Rejections()
        self._frames_in = FrameReader(reader, topics, config.bag, self._rejections)
        self._messages: Belt[_Sealed] = Belt(48, producers=2, keeps=True)
        self._raw: Belt[BagFrame] = Belt(3)
        self._observations: Belt[tuple[int, Observation]] = Belt(2)
        self._sent: Belt[tuple[int, Observation]] = Belt(1)
        self._engine: EngineProcess | None = None
        self._seen: Belt[tuple[int, Observation, Scene]] = Belt(8)  # a view takes as long as several scenes
        self._perceived: Belt[tuple[int, Perceived]] = Belt(2)
        self._asked = self._perceived if answerer is None else Belt[tuple[int, Perceived]](2)
        self._types: dict[str, TopicType] = {}
        self._read_to = reader.start
        self._seconds = 0.0
        self._interrupted = False
        self._counts: Counter[str] = Counter()

    @contextmanager
    def perceiving_with(self, perception: Perception | None) -> Iterator[None]:
        """Use this perception, or else one whose engine has a core of its own where there is more than one."""
        if perception is not None:
            self._perception = perception
            yield
            return
        config = _for_world(self._config.perception, self._frames_in.world)
        if _cores() == 1:
            self._perception = Perception(config)
            yield
            return
        with EngineProcess(config.scene) as engine:
            self._engine, self._perception = engine, Perception(config, engine)
            yield

    def work(self, writer: BagWriter, progress: Callable[[Progress], None] | None) -> None:
        """Run all threads to the end of the bag, the first error, or an interrupt."""
        started = time.monotonic()
        belts = self._raw, self._observations, self._sent, self._seen, self._perceived, self._asked, self._messages
        row = Row(*belts) if self._engine is None else Row(*belts, self._engine)
        row.add("read", self._read)
        row.add("decode", self._decode)
        row.add("send", self._send)
        row.add("see", self._see)
        row.add("imagine", self._imagine)
        if (answerer := self._answerer) is not None:
            row.add("ask", lambda: self._ask(answerer))
        row.add("publish", self._publish)
        row.add("write", lambda: self._write(writer))
        row.start()
        try:
            while row.is_working(0.1):
                if progress is not None:
                    progress(self._progress())
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            row.stop()
        row.raise_error()
        if progress is not None and not self._interrupted:
            progress(self._progress())
        self._seconds = time.monotonic() - started

    def report(self, output: Path, writer: BagWriter) -> RunReport:
        """Return what was done."""
        written: Counter[str] = Counter()
        for file in writer.files:
            written.update(file.counts)
        namespace = self._config.output.namespace
        return RunReport(
            bag=self._reader.path,
            output=output,
            topics=self._topics,
            world_frame=self._frames_in.world.frame,
            up_frame=self._frames_in.world.up_frame,
            frames=written[topic_name("scene", namespace)],
            views=written[topic_name("view/image", namespace)],
            bag_seconds=(self._reader.end - self._reader.start) / 1e9,
            run_seconds=self._seconds,
            written=dict(sorted(written.items())),
            rejections=self._rejections.all(),
            notes=list(self._reader.notes),
            interrupted=self._interrupted,
        )

    def _progress(self) -> Progress:
        length = max(1, self._reader.end - self._reader.start)
        return Progress(min(1.0, (self._read_to - self._reader.start) / length), self._counts["scenes"])

    def _read(self) -> None:
        """Read the bag: every message goes to the output as it is, and what makes frames is brought together."""
        known = {name: self._reader.topic_type(name) for name in self._reader.topics}
        for raw in self._reader.messages():
            self._read_to = max(self._read_to, raw.time)
            if raw.topic in self._own:
                self._rejections.add("message of an earlier run, not copied", raw.topic)
                continue
            self._messages.put(_Sealed(known[raw.topic], raw.data, raw.time))
            for frame in self._frames_in.feed(raw):
                self._raw.put(frame)
        for frame in self._frames_in.finish():
            self._raw.put(frame)
        self._raw.end()
        self._messages.end()

    def _decode(self) -> None:
        depth = self._config.depth
        for moment, messages in self._raw:
            try:
                observation, refused = observe(messages, depth_unit=depth.unit, registered=depth.registered)
            except InputError as error:
                reason = next(text for kind, text in _REASONS if isinstance(error, kind))
                self._rejections.add(reason, error)
                continue
            for line in refused:
                self._rejections.add("detection that cannot be read", line)
            self._observations.put((moment, observation))
        self._observations.end()

    def _send(self) -> None:
        """Hand each frame to the engine's process while it measures the one before."""
        for moment, observation in self._observations:
            if self._engine is not None:
                self._engine.send(observation)
            self._sent.put((moment, observation))
        self._sent.end()

    def _see(self) -> None:
        for moment, observation in self._sent:
            scene = self._perception.see(observation)
            for line in scene.rejected:
                self._rejections.add("detection that cannot be used", line)
            self._counts["scenes"] += 1
            self._seen.put((moment, observation, scene))
        self._seen.end()

    def _imagine(self) -> None:
        for moment, observation, scene in self._seen:
            perceived = self._perception.imagine(observation, scene)
            if perceived.view_error:
                self._rejections.add("view that cannot be imagined", perceived.view_error)
            self._perceived.put((moment, perceived))
        self._perceived.end()

    def _ask(self, answerer: Answerer) -> None:
        for moment, perceived in self._perceived:
            found = answerer.answer(perceived.observation, perceived.scene)
            for reason, details in found.problems:
                self._rejections.add(reason, details)
            self._asked.put((moment, replace(perceived, answers=found.answers)))
        self._asked.end()

    def _publish(self) -> None:
        factory = RosbagsFactory()
        for moment, perceived in self._asked:
            relations = PackedRelations.of(perceived.scene.relations)
            for topic, msgtype, message in output_messages(factory, perceived, self._config.output, relations=[]):
                if topic not in self._types:
                    self._types[topic] = TopicType.known(topic, msgtype)
                data = serialize(message, msgtype, relations)
                self._messages.put(_Sealed(self._types[topic], data, moment))
        self._messages.end()

    def _write(self, writer: BagWriter) -> None:
        for topic, data, moment in self._messages:
            writer.write_raw(topic, data, moment)


def report_json(report: RunReport) -> dict[str, Any]:
    """Return a report as plain data for JSON."""
    return {
        "bag": str(report.bag),
        "output": str(report.output),
        "topics": {
            "color": report.topics.color,
            "color_info": report.topics.color_info,
            "depth": report.topics.depth,
            "depth_info": report.topics.depth_info,
            "detections_2d": report.topics.detections_2d,
            "detections_3d": report.topics.detections_3d,
        },
        "world_frame": report.world_frame,
        "up_frame": report.up_frame,
        "frames": report.frames,
        "views": report.views,
        "bag_seconds": report.bag_seconds,
        "run_seconds": report.run_seconds,
        "written": report.written,
        "rejected": [{"reason": r.reason, "count": r.count, "first": r.first} for r in report.rejections],
        "notes": report.notes,
        "interrupted": report.interrupted,
    }

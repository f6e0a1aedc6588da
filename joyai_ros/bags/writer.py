"""BagWriter: a rosbag2 folder of mcap files that stays readable whatever happens to its writer.

A bag grows in files of limited length. A file in work lies in ``<bag>/unfinished``; once complete it moves up in one
step and ``metadata.yaml`` is replaced, also in one step, to name it. So what stands in the bag folder is always a whole
bag: a killed run loses at most the file in work, and :class:`joyai_ros.bags.reader.BagReader` reads even that one up to
its last complete block.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from joyai_ros.bags.metadata import METADATA_NAME, UNFINISHED, VERSION, FileSummary, TopicType, write_metadata
from joyai_ros.bags.salvage import seal
from joyai_ros.bags.typestore import typestore
from joyai_ros.errors import OutputError
from joyai_ros.messages.factory import Message


class BagWriter:
    """Writes messages into a new bag folder. Use it as a context manager.

    Args:
        path: the bag folder to make.
        overwrite: replace a bag that stands there; anything else that stands there is never touched.
        split_seconds: message time after which a new file begins.
        split_megabytes: size after which a new file begins.

    Attributes:
        files: the complete files so far, with their message counts.

    Raises:
        OutputError: on construction where the path exists or cannot be made; later where the disk is full or a file
            cannot be written. The message says what is safe.
    """

    def __init__(
        self, path: Path | str, *, overwrite: bool = False, split_seconds: float = 10.0, split_megabytes: float = 256.0
    ) -> None:
        self.path = Path(path)
        self._split_ns = int(split_seconds * 1e9)
        self._split_bytes = int(split_megabytes * 1e6)
        self._topics: dict[str, TopicType] = {}
        self.files: list[FileSummary] = []
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        self._counts: Counter[str] = Counter()
        self._stamps = (0, 0)
        self._bytes = 0
        self._broken = False
        try:
            _make_room(self.path, overwrite)
        except OSError as error:
            raise OutputError(
                f"cannot make the bag folder {self.path}: {error.strerror}; choose another place"
            ) from None

    def write(self, topic: str, msgtype: str, message: Message, stamp_ns: int) -> None:
        """Write a message of rosbags' classes (see :class:`joyai_ros.bags.typestore.RosbagsFactory`).

        Args:
            topic: absolute name.
            msgtype: ``package/msg/Name``.
            message: the message.
            stamp_ns: when it was received, nanoseconds; players replay in this order and rhythm.
        """
        if topic not in self._topics:
            self._topics[topic] = TopicType.known(topic, msgtype)
        self.write_raw(self._topics[topic], typestore().serialize_cdr(message, msgtype), stamp_ns)

    def write_raw(self, topic: TopicType, data: bytes | memoryview, stamp_ns: int) -> None:
        """Write a message that is already serialised (CDR), as it came from another bag."""
        self._topics.setdefault(topic.name, topic)
        try:
            if self._writer is None or self._is_full(stamp_ns):
                self._finish_file()
                self._begin_file(stamp_ns)
            assert self._writer is not None
            if topic.name not in self._connections:
                self._connections[topic.name] = self._connect(self._writer, topic)
            self._writer.write(self._connections[topic.name], stamp_ns, data)
        except OSError as error:
            raise self._failed(error) from None
        self._bytes += len(data)
        self._counts[topic.name] += 1
        self._stamps = (min(self._stamps[0], stamp_ns), max(self._stamps[1], stamp_ns))

    def close(self) -> None:
        """Finish the last file and name it in ``metadata.yaml``."""
        try:
            if self._writer is None and not self.files and not self._broken:
                self._begin_file(0)  # a bag without messages is still a bag
            self._finish_file()
        except OSError as error:
            raise self._failed(error) from None

    def _is_full(self, stamp_ns: int) -> bool:
        return self._bytes >= self._split_bytes or stamp_ns - self._stamps[0] >= self._split_ns

    def _begin_file(self, stamp_ns: int) -> None:
        folder = self.path / UNFINISHED / f"{self.path.name}_{len(self.files)}"
        self._writer = Writer(folder, version=VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections = {}
        self._counts = Counter()
        self._stamps = (stamp_ns, stamp_ns)
        self._bytes = 0

    def _finish_file(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        file = _file_in_work(self._writer)
        self._writer = None
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        self._adopt(file, FileSummary(file.name, *self._stamps, self._counts))

    def _adopt(self, file: Path, summary: FileSummary) -> None:
        """Move a complete file from its work folder into the bag and name it in the bag's metadata."""
        file.replace(self.path / file.name)
        files = [*self.files, summary]
        write_metadata(self.path, files, self._topics)
        self.files = files
        shutil.rmtree(self.path / UNFINISHED)

    @staticmethod
    def _connect(writer: Writer, topic: TopicType) -> Connection:
        return writer.add_connection(
            topic.name,
            topic.msgtype,
            msgdef=topic.definition,
            rihs01=topic.hash or "unknown",  # rosbags insists on one, and writes it to a file that is not kept
            offered_qos_profiles=topic.qos,
        )

    def _failed(self, error: OSError) -> OutputError:
        """Make a whole file of what is in work, as far as the disk allows, and say what is safe."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError):
                writer.abort()
            with suppress(OSError):
                self._seal(_file_in_work(writer))
        self._broken = True
        safe = sum(file.messages for file in self.files)
        left = f"a whole bag of {safe} messages in {len(self.files)} files" if safe else "nothing that could be kept"
        return OutputError(f"cannot write the bag {self.path}: {error.strerror}; what stands there is {left}")

    def _seal(self, file: Path) -> None:
        salvage = seal(file)
        names = {connection.id: name for name, connection in self._connections.items()}
        counts = {names[channel]: count for channel, count in salvage.counts.items()}
        if counts:
            self._adopt(file, FileSummary(file.name, salvage.first, salvage.last, counts))

    def __enter__(self) -> BagWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bag, also after an error of somebody else: what was written before it stays."""
        self.close()


def _file_in_work(writer: Writer) -> Path:
    return writer.path / f"{writer.path.name}.mcap"


def _make_room(path: Path, overwrite: bool) -> None:
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise OutputError(f"{path} exists already; choose another output or allow overwriting")
        is_bag = path.is_dir() and not path.is_symlink()
        names = {entry.name for entry in path.iterdir()} if is_bag else set()
        if not is_bag or (names and METADATA_NAME not in names and UNFINISHED not in names):
            raise OutputError(f"{path} is not a bag, so it is not replaced; choose another output")
        shutil.rmtree(path)
    path.mkdir(parents=True)

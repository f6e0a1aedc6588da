"""BagReader: messages of a rosbag2 recording, without ROS, as much of it as can be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import yaml
from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, TypesysError, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from joyai_ros.bags.metadata import METADATA_NAME, UNFINISHED, TopicType
from joyai_ros.bags.qos import offered_qos
from joyai_ros.bags.salvage import SalvagedFile, examine, is_cut
from joyai_ros.bags.typestore import definition, type_hash, typestore
from joyai_ros.errors import BagError, EncodingError
from joyai_ros.messages.factory import Message

_FILES = (".mcap", ".db3")
_IDL_SEPARATOR = "=" * 80 + "\n"


class RawMessage(NamedTuple):
    """One recorded message, still serialised.

    Attributes:
        topic: its name.
        time: when it was recorded, nanoseconds.
        data: CDR bytes.
    """

    topic: str
    time: int
    data: bytes


@dataclass
class BagTopic:
    """One topic of a bag: its type and how many messages it has."""

    name: str
    msgtype: str
    count: int
    connections: list[Connection] = field(default_factory=list)


class BagReader:
    """Reads a bag folder (mcap or sqlite3) or a single file of one. Use it as a context manager.

    Files that were cut short are read up to their last complete block, also the one that a killed
    :class:`joyai_ros.bags.writer.BagWriter` had in work; ``notes`` says so.

    Args:
        path: the folder or file.

    Attributes:
        topics: by name.
        start, end: times of the first and last message, nanoseconds.
        notes: one line for each thing that is wrong with the bag and could be worked around.

    Raises:
        BagError: on entering, where the bag is missing, empty or unreadable.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.topics: dict[str, BagTopic] = {}
        self.start = 0
        self.end = 0
        self.notes: list[str] = []
        self._readers: list[Reader] = []
        self._stack = ExitStack()
        self._types: dict[str, Typestore] = {}

    @property
    def count(self) -> int:
        """How many messages the bag holds."""
        return sum(topic.count for topic in self.topics.values())

    def __enter__(self) -> BagReader:
        """Open the bag.

        Raises:
            BagError: it is missing, empty or unreadable.
        """
        try:
            for source in self._sources():
                self._open(source)
            self._readers.sort(key=lambda reader: reader.start_time)
        except BaseException:
            self._stack.close()
            raise
        if not self.count:
            self._stack.close()
            said = f" ({'; '.join(self.notes)})" if self.notes else ""
            raise BagError(f"{self.path} holds no messages{said}; record it again")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files of the bag."""
        self._stack.close()

    def messages(
        self, topics: Collection[str] | None = None, *, start: int | None = None, stop: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield messages in the order of their recording.

        Damage in the middle of a file ends that file with a line in ``notes``; the next file goes on.

        Args:
            topics: names to read; None for all.
            start: nanoseconds; only messages recorded at or after it.
            stop: nanoseconds; only messages recorded before it.
        """
        wanted = self.topics.keys() if topics is None else topics
        for reader in self._readers:
            connections = [c for c in reader.connections if c.topic in wanted]
            if not connections:
                continue
            try:
                for connection, time, data in reader.messages(connections, start=start, stop=stop):
                    yield RawMessage(connection.topic, time, data)
            except Exception as error:  # noqa: BLE001 - whatever parsers and decompressors make of broken bytes
                self._note(f"{reader.path} is damaged ({_plain(error)}); read up to there")

    def first(self, topic: str) -> RawMessage | None:
        """Return the first message of a topic; None where it has none that can be read."""
        return next(iter(self.messages([topic])), None)

    def decode(self, message: RawMessage) -> Message:
        """Return the message object; its arrays are views on the message's bytes.

        Raises:
            EncodingError: the bytes are not a message of the topic's type, or the type is not known.
        """
        topic = self.topics[message.topic]
        try:
            return self._store(topic).deserialize_cdr(memoryview(message.data), topic.msgtype)
        except (SerdeError, KeyError, TypeError, IndexError, AssertionError) as error:
            raise EncodingError(f"a message on {topic.name} is not a {topic.msgtype}: {_plain(error)}") from None

    def topic_type(self, name: str) -> TopicType:
        """Return what another bag must know to take this topic's messages as they are."""
        topic = self.topics[name]
        connection = topic.connections[0]
        profiles = getattr(connection.ext, "offered_qos_profiles", None) or [offered_qos(name)]
        text, digest = connection.msgdef.data, connection.digest
        if not text and topic.msgtype in typestore().fielddefs:
            text, digest = definition(topic.msgtype), digest or type_hash(topic.msgtype)
        if text and not digest:
            try:
                digest = self._store(topic).hash_rihs01(topic.msgtype)
            except (TypesysError, KeyError):
                digest = ""
        return TopicType(name, topic.msgtype, text, digest, tuple(profiles))

    def _sources(self) -> list[Path]:
        path = self.path
        if not path.exists():
            raise BagError(f"{path} does not exist; give a rosbag2 folder or an .mcap file")
        if path.is_file():
            if path.suffix not in _FILES:
                raise BagError(f"{path} is not a rosbag2 recording; give its folder, an .mcap or a .db3 file")
            return [path]
        files = sorted(p for p in (*path.glob("*"), *path.glob(f"{UNFINISHED}/*/*")) if p.suffix in _FILES)
        information = self._metadata()
        if information.get("compression_mode"):  # of whole files or messages; rosbags undoes it for folders only
            return [path]
        for name in information.get("relative_file_paths", []):
            if not (path / Path(name).name).exists():
                self._note(f"{path / Path(name).name} is missing")
        if not files:
            said = f" ({'; '.join(self.notes)})" if self.notes else ""
            raise BagError(f"{path} is not a bag: it has no .mcap or .db3 file{said}")
        return files

    def _metadata(self) -> dict[str, Any]:
        """Return what the folder says of itself; nothing where it does not or cannot."""
        try:
            content = yaml.safe_load((self.path / METADATA_NAME).read_text(encoding="utf-8"))
            return dict(content["rosbag2_bagfile_information"])
        except FileNotFoundError:
            self._note(f"{self.path} has no {METADATA_NAME} (a killed recording?); its files are read as they are")
        except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            self._note(f"{self.path / METADATA_NAME} is damaged ({_plain(error)}); the files are read as they are")
        return {}

    def _open(self, source: Path) -> None:
        """Open a file and take in its topics; a cut file is opened up to its last whole block."""
        target: Any = source
        try:
            if source.is_file() and source.stat().st_size == 0:
                self._note(f"{source} is empty")
                return
            if source.suffix == ".mcap" and is_cut(source):
                salvage = examine(source)
                self._note(f"{source} was cut short; read up to its last complete block, {salvage.lost} bytes lost")
                target = SalvagedFile(source, salvage)
            self._take(self._stack.enter_context(Reader(target)))
        except Exception as error:  # noqa: BLE001 - whatever parsers and databases make of broken bytes
            self._note(f"{source} cannot be read ({_plain(error)})")

    def _take(self, reader: Reader) -> None:
        self._readers.append(reader)
        if reader.message_count:
            self.start = reader.start_time if not self.count else min(self.start, reader.start_time)
            self.end = max(self.end, reader.end_time - 1)
        for connection in reader.connections:
            topic = self.topics.setdefault(connection.topic, BagTopic(connection.topic, connection.msgtype, 0))
            topic.count += connection.msgcount
            topic.connections.append(connection)

    def _store(self, topic: BagTopic) -> Typestore:
        """Return a type store with the type as the bag itself defines it, else as this package knows it."""
        if topic.msgtype not in self._types:
            self._types[topic.msgtype] = _store_for(topic.msgtype, [c.msgdef for c in topic.connections])
        return self._types[topic.msgtype]

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def _store_for(msgtype: str, definitions: list[MessageDefinition]) -> Typestore:
    for given in definitions:
        if given.format is MessageDefinitionFormat.NONE or not given.data:
            continue
        try:
            store = get_typestore(Stores.EMPTY)
            if given.format is MessageDefinitionFormat.MSG:
                store.register(get_types_from_msg(given.data, msgtype))
            else:
                for text in _idl_parts(given.data):
                    store.register(get_types_from_idl(text))
            store.get_msgdef(msgtype)
            return store
        except (TypesysError, KeyError):
            continue  # a definition with constructs that rosbags does not know; ours may do
    return typestore()


def _idl_parts(text: str) -> list[str]:
    """Return the IDL files of a definition; several stand behind one another, each under a line with its name."""
    if not text.startswith(_IDL_SEPARATOR):
        return [text]
    return [part.split("\n", 1)[1] for part in text.split(_IDL_SEPARATOR)[1:]]


def _plain(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__

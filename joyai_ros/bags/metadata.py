"""metadata.yaml: what a bag folder says of its files and topics, replaced in one step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from rosbags.interfaces import Qos

from joyai_ros.bags.qos import offered_qos
from joyai_ros.bags.typestore import definition, type_hash

METADATA_NAME = "metadata.yaml"
UNFINISHED = "unfinished"  # folder of the file in work within a bag
VERSION: Literal[8] = 8  # the newest that Humble, Jazzy and later all read
_NEVER = 2**63 - 1  # rosbag2's starting time of a bag without messages


@dataclass(frozen=True)
class TopicType:
    """What a bag must know of a topic to store its messages as bytes.

    Attributes:
        name: absolute topic name.
        msgtype: ``package/msg/Name``.
        definition: the full text of the type with its dependencies (``ros2msg``), empty where unknown.
        hash: RIHS01 type hash, empty where unknown.
        qos: offered quality of service profiles.
    """

    name: str
    msgtype: str
    definition: str
    hash: str
    qos: tuple[Qos, ...]

    @classmethod
    def known(cls, name: str, msgtype: str) -> TopicType:
        """Return the description of a topic whose type stands in this package's type store."""
        return cls(name, msgtype, definition(msgtype), type_hash(msgtype), (offered_qos(name),))


@dataclass(frozen=True)
class FileSummary:
    """What one file of a bag holds.

    Attributes:
        name: file name within the bag folder.
        first, last: times of its first and last message in nanoseconds; 0 where it has none.
        counts: messages by topic name.
    """

    name: str
    first: int
    last: int
    counts: Mapping[str, int]

    @property
    def messages(self) -> int:
        """How many messages it holds."""
        return sum(self.counts.values())


def write_metadata(folder: Path, files: Sequence[FileSummary], topics: Mapping[str, TopicType]) -> None:
    """Write ``metadata.yaml`` in a bag folder; whoever reads it sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    target = folder / METADATA_NAME
    partial = target.with_suffix(".yaml.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            yaml.safe_dump(_content(files, topics), stream, sort_keys=False, width=10_000)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _content(files: Sequence[FileSummary], topics: Mapping[str, TopicType]) -> dict[str, Any]:
    counts = {name: sum(file.counts.get(name, 0) for file in files) for name in topics}
    information = {
        "version": VERSION,
        "storage_identifier": "mcap",
        **_span([file for file in files if file.messages]),
        "message_count": sum(file.messages for file in files),
        "topics_with_message_count": [
            {"topic_metadata": _topic(topics[name]), "message_count": count} for name, count in counts.items() if count
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.name for file in files],
        "files": [
            {"path": file.name, **_span([file] if file.messages else []), "message_count": file.messages}
            for file in files
        ],
        "custom_data": None,
        "ros_distro": "jazzy",
    }
    return {"rosbag2_bagfile_information": information}


def _span(files: Sequence[FileSummary]) -> dict[str, dict[str, int]]:
    first = min((file.first for file in files), default=_NEVER)
    last = max((file.last for file in files), default=first)
    return {"starting_time": {"nanoseconds_since_epoch": first}, "duration": {"nanoseconds": last - first}}


def _topic(topic: TopicType) -> dict[str, str]:
    return {
        "name": topic.name,
        "type": topic.msgtype,
        "serialization_format": "cdr",
        "offered_qos_profiles": yaml.safe_dump([_profile(qos) for qos in topic.qos], sort_keys=False)
        if topic.qos
        else "",
        "type_description_hash": topic.hash,
    }


def _profile(qos: Qos) -> dict[str, Any]:
    """Return a profile as metadata of version 8 writes it: enums as numbers."""
    return {
        "history": qos.history.value,
        "depth": qos.depth,
        "reliability": qos.reliability.value,
        "durability": qos.durability.value,
        "deadline": qos.deadline._asdict(),
        "lifespan": qos.lifespan._asdict(),
        "liveliness": qos.liveliness.value,
        "liveliness_lease_duration": qos.liveliness_lease_duration._asdict(),
        "avoid_ros_namespace_conventions": qos.avoid_ros_namespace_conventions,
    }

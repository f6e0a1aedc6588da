"""What can still be read of an mcap file whose writer was killed or whose disk was full.

An mcap file (https://mcap.dev/spec) is a row of records: blocks of messages (chunks), each followed by an index of its
messages, and at the end a summary that readers start from. A file that was cut short has all but that summary. Here the
complete blocks are found, and the end that would make a whole file of them is built: readers get it without a change to
the file (:class:`SalvagedFile`), the writer appends it (:func:`seal`).
"""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

_MAGIC = b"\x89MCAP0\r\n"
_RECORD = struct.Struct("<BQ")  # opcode, length of what follows
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _INDEX, _CHUNK_INDEX, _STATISTICS, _DATA_END = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0B, 0x0F,
)  # fmt: skip
_CHUNK_HEAD = struct.Struct("<QQQI")  # first and last time, uncompressed size, checksum


@dataclass
class _Chunk:
    """A complete chunk and the index records that follow it."""

    offset: int
    length: int
    first: int
    last: int
    uncompressed: int
    compression: str
    compressed: int
    data: int  # offset of its records in the file
    index_offsets: dict[int, int] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    index_length: int = 0


@dataclass(frozen=True)
class Salvage:
    """What a cut file still holds.

    Attributes:
        end: file offset up to which it is whole.
        tail: what completes it there.
        counts: messages by channel id; empty where the file has no index, so that only a scan tells.
        first, last: times of the first and last message in nanoseconds.
        lost: bytes behind ``end``.
    """

    end: int
    tail: bytes
    counts: Counter[int]
    first: int
    last: int
    lost: int


def is_cut(path: Path) -> bool:
    """Whether an mcap file begins as one and does not end as one."""
    with path.open("rb") as stream:
        begins = stream.read(len(_MAGIC)) == _MAGIC
        stream.seek(0, os.SEEK_END)
        if not begins or stream.tell() < 2 * len(_MAGIC):
            return begins
        stream.seek(-len(_MAGIC), os.SEEK_END)
        return stream.read() != _MAGIC


def examine(path: Path) -> Salvage:
    """Return what can be read of a cut mcap file."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        chunks, end, plain = _complete_chunks(stream, size)
        first = min((c.first for c in chunks if c.counts), default=0)
        last = max((c.last for c in chunks if c.counts), default=0)
        counts = sum((c.counts for c in chunks), Counter())
        if plain or not chunks or not all(c.counts for c in chunks):
            return Salvage(end, _footer(0), Counter(), first, last, size - end)
        tail = _summary(chunks, _definitions(stream, chunks), counts, first, last)
        return Salvage(end, tail + _footer(end), counts, first, last, size - end)


def seal(path: Path) -> Salvage:
    """Make a whole file of a cut one in place: drop what is incomplete and append the summary.

    Raises:
        OSError: not even that fits on the disk.
    """
    salvage = examine(path)
    with path.open("r+b") as stream:
        stream.truncate(salvage.end)
        stream.seek(salvage.end)
        stream.write(salvage.tail)
        stream.flush()
        os.fsync(stream.fileno())
    return salvage


class SalvagedFile:
    """A cut mcap file as a path that opens as a whole one; it has what rosbags asks of a path."""

    def __init__(self, path: Path, salvage: Salvage) -> None:
        self._path = path
        self._salvage = salvage
        self.suffix = path.suffix
        self.name = path.name

    def exists(self) -> bool:
        """Whether the file exists."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """Whether it is a folder: no."""
        return False

    def open(self, mode: str = "rb", **_: Any) -> IO[bytes]:
        """Return the file's whole part and the end that completes it as one stream."""
        return io.BufferedReader(_Joined(self._path.open(mode, buffering=0), self._salvage.end, self._salvage.tail))

    def __str__(self) -> str:
        return str(self._path)


class _Joined(io.RawIOBase):
    """The first ``end`` bytes of a stream and a tail behind them."""

    def __init__(self, stream: Any, end: int, tail: bytes) -> None:
        self._stream, self._end, self._tail, self._at = stream, end, tail, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end + len(self._tail)}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._at < self._end:
            self._stream.seek(self._at)
            part = self._stream.read(min(len(view), self._end - self._at))
        else:
            start = self._at - self._end
            part = self._tail[start : start + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _complete_chunks(stream: BinaryIO, size: int) -> tuple[list[_Chunk], int, bool]:
    """Return the chunks, the offset where whole records end, and whether messages stand outside of chunks.

    A last chunk without its index is left out where other chunks have one: nothing points into it.
    """
    chunks: list[_Chunk] = []
    at, end, plain, indexed = len(_MAGIC), len(_MAGIC), False, False
    stream.seek(at)
    while at + _RECORD.size <= size:
        stream.seek(at)
        opcode, length = _RECORD.unpack(stream.read(_RECORD.size))
        after = at + _RECORD.size + length
        if after > size or opcode in (0, _DATA_END, _FOOTER):
            break
        if opcode == _CHUNK:
            chunks.append(_read_chunk(stream, at, after - at))
        elif opcode == _INDEX and chunks:
            indexed = True
            _read_index(stream, chunks[-1], at, after - at)
        plain = plain or opcode == _MESSAGE
        end = at = after
    if indexed and chunks and not chunks[-1].counts:
        end = chunks.pop().offset
    return chunks, end, plain


def _read_chunk(stream: BinaryIO, offset: int, length: int) -> _Chunk:
    first, last, uncompressed, _ = _CHUNK_HEAD.unpack(stream.read(_CHUNK_HEAD.size))
    compression = _read_text(stream)
    (compressed,) = struct.unpack("<Q", stream.read(8))
    return _Chunk(offset, length, first, last, uncompressed, compression, compressed, stream.tell())


def _read_index(stream: BinaryIO, chunk: _Chunk, offset: int, length: int) -> None:
    channel, octets = struct.unpack("<HI", stream.read(6))
    chunk.index_offsets[channel] = offset
    chunk.counts[channel] += octets // 16
    chunk.index_length += length


def _read_text(stream: BinaryIO) -> str:
    (length,) = struct.unpack("<I", stream.read(4))
    return stream.read(length).decode()


def _definitions(stream: BinaryIO, chunks: list[_Chunk]) -> list[bytes]:
    """Return the schema and channel records inside the chunks; none where a chunk is compressed.

    Readers take a summary without them, and then find them by reading the chunks.
    """
    if any(chunk.compression for chunk in chunks):
        return []
    found: dict[tuple[int, int], bytes] = {}
    known: set[int] = set()
    for chunk in chunks:
        at, end = chunk.data, chunk.data + chunk.compressed
        while at < end and not known.issuperset(chunk.counts):
            stream.seek(at)
            opcode, length = _RECORD.unpack(stream.read(_RECORD.size))
            if opcode in (_SCHEMA, _CHANNEL):
                content = stream.read(length)
                number = int.from_bytes(content[:2], "little")
                found[opcode, number] = _record(opcode, content)
                if opcode == _CHANNEL:
                    known.add(number)
            at += _RECORD.size + length
    return [found[key] for key in sorted(found)]


def _summary(chunks: list[_Chunk], definitions: list[bytes], counts: Counter[int], first: int, last: int) -> bytes:
    schemas = sum(record[0] == _SCHEMA for record in definitions)
    statistics = struct.pack("<QHIIIIQQ", counts.total(), schemas, len(counts), 0, 0, len(chunks), first, last)
    pairs = b"".join(struct.pack("<HQ", channel, counts[channel]) for channel in sorted(counts))
    records = [*definitions, *(_chunk_index(chunk) for chunk in chunks)]
    return b"".join([*records, _record(_STATISTICS, statistics + struct.pack("<I", len(pairs)) + pairs)])


def _chunk_index(chunk: _Chunk) -> bytes:
    offsets = b"".join(struct.pack("<HQ", channel, at) for channel, at in sorted(chunk.index_offsets.items()))
    name = chunk.compression.encode()
    content = struct.pack("<QQQQI", chunk.first, chunk.last, chunk.offset, chunk.length, len(offsets)) + offsets
    content += struct.pack("<QI", chunk.index_length, len(name)) + name
    return _record(_CHUNK_INDEX, content + struct.pack("<QQ", chunk.compressed, chunk.uncompressed))


def _footer(summary: int) -> bytes:
    return _record(_FOOTER, struct.pack("<QQI", summary, 0, 0)) + _MAGIC


def _record(opcode: int, content: bytes) -> bytes:
    return _RECORD.pack(opcode, len(content)) + content

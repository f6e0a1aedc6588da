"""Scenes and their relations as the bytes of a bag (CDR).

A scene of a dozen objects has a thousand relations, and the same ones stand in two messages. To make a message of each
and serialise it twice would cost more than all else that is written of a frame, so each is packed once, into a layout
known from the frame before. A relation ends with a float64: the one behind it begins at a multiple of eight bytes, where
nothing depends on what stood before, and one list of bytes fits into both messages.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from joyai_ros.bags.typestore import typestore
from joyai_ros.messages.factory import Message
from joyai_ros.scene.types import SpatialRelation

_HEAD = 4  # bytes before a message that say how it is written; alignment counts from behind them
_LENGTH = struct.Struct("<I")
_LAYOUTS = 1 << 14  # kept: those of a few frames with forty objects


@dataclass(frozen=True)
class PackedRelations:
    """The relations of a scene, at least one, as they stand in a message.

    Attributes:
        count: how many.
        first: the first one where it begins at a multiple of eight bytes, and where it begins four bytes behind one.
        rest: all others.
    """

    count: int
    first: tuple[bytes, bytes]
    rest: bytes

    @classmethod
    def of(cls, relations: Sequence[SpatialRelation]) -> PackedRelations | None:
        """Return the relations of a scene packed; None where there are none."""
        if not relations:
            return None
        first = _packed(relations[0], 0), _packed(relations[0], 4)
        return cls(len(relations), first, b"".join([_packed(relation, 0) for relation in relations[1:]]))


def serialize(message: Message, msgtype: str, relations: PackedRelations | None) -> bytes | memoryview:
    """Return a message of rosbags' classes as CDR bytes.

    Args:
        message: where its type has relations, its own are none.
        msgtype: ``package/msg/Name``.
        relations: what a message with relations is to have.
    """
    parts = None if relations is None else _parts_around_relations(msgtype)
    if parts is None or relations is None:
        return typestore().serialize_cdr(message, msgtype)
    before, after = (bytes(typestore().serialize_cdr(message, part, little_endian=True)) for part in parts)
    gap = bytes(-(len(before) - _HEAD) % _LENGTH.size)
    begin = len(before) - _HEAD + len(gap) + _LENGTH.size
    first = relations.first[begin % 8 // 4]
    return b"".join((before, gap, _LENGTH.pack(relations.count), first, relations.rest, after[_HEAD:]))


@cache
def _parts_around_relations(msgtype: str) -> tuple[str, str] | None:
    """Return names for a type's fields before and behind ``relations``, as types of their own; None without such a field.

    What stands behind relations begins at a multiple of eight bytes, as a message of its own does.
    """
    constants, fields = typestore().fielddefs[msgtype]
    names = [name for name, _ in fields]
    if "relations" not in names:
        return None
    place = names.index("relations")
    before, after = f"{msgtype}BeforeRelations", f"{msgtype}AfterRelations"
    typestore().register({before: (constants, fields[:place]), after: (constants, fields[place + 1 :])})
    return before, after


def _packed(relation: SpatialRelation, start: int) -> bytes:
    """Return a relation that begins ``start`` (0 or 4) bytes behind a multiple of eight."""
    subject, predicate, objects, value, unit, sigma, frame, confidence, source, status, model_value = relation
    pack, names, letters = _layout(start, subject, predicate, objects, unit)
    return pack(
        names,
        value is not None,
        0.0 if value is None else value,
        letters,
        math.nan if sigma is None else sigma,
        frame,
        confidence,
        source,
        status,
        model_value is not None,
        0.0 if model_value is None else model_value,
    )


@lru_cache(maxsize=_LAYOUTS)
def _layout(
    start: int, subject: str, predicate: str, objects: tuple[str, ...], unit: str
) -> tuple[Callable[..., bytes], bytes, bytes]:
    """Return what packs a relation, the bytes of its names, and those of its unit.

    The layout is that of msg/SpatialRelation.msg: names, has_value, value, unit, sigma, frame, confidence, source, status,
    has_model_value, model_value, each aligned to its size.
    """
    names = _strings(start, subject, predicate)
    names += bytes(-(start + len(names)) % 4) + _LENGTH.pack(len(objects))
    names += _strings(start + len(names), *objects)
    to_value = -(start + len(names) + 1) % 8
    letters = _strings(0, unit)
    letters += bytes(-len(letters) % 8)
    layout = struct.Struct(f"<{len(names)}s?{to_value}xd{len(letters)}sdB3xfBB?5xd")
    return layout.pack, names, letters


def _strings(start: int, *texts: str) -> bytes:
    """Return strings one after the other, the first ``start`` bytes behind a multiple of eight."""
    data = b""
    for text in texts:
        letters = text.encode() + b"\0"
        data += bytes(-(start + len(data)) % 4) + _LENGTH.pack(len(letters)) + letters
    return data

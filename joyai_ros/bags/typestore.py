"""The message types that bags are written with, and the factory that makes messages of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from joyai_ros.bags.vision_msgs import DEFINITIONS as VISION_DEFINITIONS
from joyai_ros.messages.factory import Message
from joyai_ros.resources import resource_files

_SEPARATOR = "=" * 80 + "\n"
_DEFAULT = re.compile(r"^[\w/]+\s+(?P<name>[a-z]\w*)[ \t]+(?P<value>[^#\s=]+)", re.MULTILINE)
_NUMPY = {"bool": "bool", "byte": "uint8", "char": "uint8"}
_STATED_DEFAULTS = {"geometry_msgs/msg/Quaternion": {"w": "1"}}  # of the common interfaces; rosbags ships none of them


@cache
def own_definitions() -> dict[str, str]:
    """Return the ``.msg`` texts of this package by type name (``joyai_ros/msg/Scene``)."""
    return {f"joyai_ros/msg/{path.stem}": path.read_text(encoding="utf-8") for path in resource_files("msg", ".msg")}


@cache
def typestore() -> Typestore:
    """Return the shared store: ROS 2 Jazzy's common interfaces, vision_msgs and this package's messages."""
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions = {**VISION_DEFINITIONS, **own_definitions()}
    types = {}
    for name, text in definitions.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


@cache
def definition(msgtype: str) -> str:
    """Return the full ``ros2msg`` definition of a type with all it depends on, as a bag embeds it.

    This package's own messages stand there as their authors wrote them, so that the units in the comments and the
    default values travel with the bag.
    """
    own = {f"MSG: {name.replace('/msg/', '/')}": text for name, text in own_definitions().items()}
    head, *rest = typestore().generate_msgdef(msgtype, ros_version=2)[0].split(_SEPARATOR)
    parts = [own_definitions().get(msgtype, head)]
    for part in rest:
        name, text = part.split("\n", 1)
        parts.append(f"{name}\n{own.get(name, text)}")
    return _SEPARATOR.join(part if part.endswith("\n") else part + "\n" for part in parts)


@cache
def type_hash(msgtype: str) -> str:
    """Return the RIHS01 hash of a type (REP-2011), as ROS 2 nodes compute it."""
    return typestore().hash_rihs01(msgtype)


class RosbagsFactory:
    """Makes messages of rosbags' dataclasses.

    Those dataclasses take every field; fields that are not given get the default that ROS gives them.
    """

    def __call__(self, msgtype: str) -> Callable[..., Message]:
        """Return what makes a message of a type from its fields as keywords."""
        return _maker(msgtype)

    def sequence(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the 1D array itself: rosbags writes from NumPy arrays."""
        return np.ascontiguousarray(values)


@cache
def _maker(msgtype: str) -> Callable[..., Message]:
    cls = typestore().types[msgtype]
    defaults = _defaults(msgtype)

    def make(**fields: Any) -> Message:
        if len(fields) != len(defaults):
            for name, default in defaults.items():
                if name not in fields:
                    fields[name] = default()
        return cls(**fields)

    return make


def _defaults(msgtype: str) -> dict[str, Callable[[], Any]]:
    """Return what makes the default of each field; rosbags' own parser drops the values that ``.msg`` files state."""
    stated = dict(_STATED_DEFAULTS.get(msgtype, {}))
    stated.update((match["name"], match["value"]) for match in _DEFAULT.finditer(own_definitions().get(msgtype, "")))
    return {name: _default(desc, stated.get(name)) for name, desc in typestore().fielddefs[msgtype][1]}


def _default(desc: Any, stated: str | None) -> Callable[[], Any]:
    kind, detail = desc
    if kind == Nodetype.NAME:
        return lambda: _maker(detail)()
    if kind == Nodetype.BASE:
        value = _scalar(detail[0], stated)
        return lambda: value
    (element_kind, element), length = detail
    if element_kind == Nodetype.BASE and element[0] != "string":
        dtype = _NUMPY.get(element[0], element[0])
        return lambda: np.zeros(length if kind == Nodetype.ARRAY else 0, dtype)
    one = _default((element_kind, element), None)
    return lambda: [one() for _ in range(length if kind == Nodetype.ARRAY else 0)]


def _scalar(base: str, stated: str | None) -> bool | int | float | str:
    if base == "bool":
        return stated == "true"
    if base == "string":
        return (stated or "").strip("'\"")
    if base.startswith("float"):
        return float(stated or 0.0)
    return int(stated or 0)

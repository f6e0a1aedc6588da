"""Stamps, durations and headers. Time inside the package is integer nanoseconds."""

from __future__ import annotations

from joyai_ros.messages.factory import Message, MessageFactory

_SECOND = 1_000_000_000


def nanoseconds(time: Message) -> int:
    """Return a builtin_interfaces Time or Duration as nanoseconds."""
    return int(time.sec) * _SECOND + int(time.nanosec)


def stamp_ns(message: Message) -> int:
    """Return the header stamp of a message in nanoseconds."""
    return nanoseconds(message.header.stamp)


def time_message(factory: MessageFactory, ns: int) -> Message:
    """Return a builtin_interfaces/Time from nanoseconds."""
    seconds, rest = divmod(int(ns), _SECOND)
    return factory("builtin_interfaces/msg/Time")(sec=seconds, nanosec=rest)


def duration_message(factory: MessageFactory, seconds: float) -> Message:
    """Return a builtin_interfaces/Duration from seconds."""
    whole, rest = divmod(round(seconds * _SECOND), _SECOND)
    return factory("builtin_interfaces/msg/Duration")(sec=whole, nanosec=rest)


def header(factory: MessageFactory, stamp: int, frame_id: str) -> Message:
    """Return a std_msgs/Header from nanoseconds and a frame id."""
    return factory("std_msgs/msg/Header")(stamp=time_message(factory, stamp), frame_id=frame_id)

"""MessageFactory: how the conversions make a message without knowing whose class it is."""

from __future__ import annotations

import array
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Message: TypeAlias = Any  # a message object of any ROS 2 library: attributes as in its .msg file


class MessageFactory(Protocol):
    """Makes messages of one library.

    Fields that are not given take the default of the ``.msg`` file, else zero, empty or a default message. Numbers are
    given as Python numbers, fixed-size number arrays as NumPy arrays, and number sequences (``uint8[]``, ``float64[]``)
    through :meth:`sequence`.
    """

    def __call__(self, msgtype: str) -> Callable[..., Message]:
        """Return what makes a message of a type (``sensor_msgs/msg/Image``) from its fields as keywords."""

    def sequence(self, values: NDArray[Any]) -> Any:
        """Return the field value for a number sequence, from a 1D array of the element type of that field."""


class RosFactory:
    """Makes messages of the generated Python classes that a sourced ROS 2 workspace provides."""

    def __call__(self, msgtype: str) -> Callable[..., Message]:
        """Return the generated class; its package is imported on first use."""
        return _generated(msgtype)

    def sequence(self, values: NDArray[Any]) -> Any:
        """Return an :class:`array.array`, which the generated setters take as it is, without a look at each element."""
        contiguous = np.ascontiguousarray(values)
        result = array.array(contiguous.dtype.char)
        result.frombytes(contiguous.data.cast("B"))
        return result


@cache  # a scene holds hundreds of relations, and finding a class takes as long as filling one
def _generated(msgtype: str) -> Callable[..., Message]:
    package, folder, name = msgtype.split("/")
    return getattr(import_module(f"{package}.{folder}"), name)

"""Numbers in message fields to enum members."""

from __future__ import annotations

import enum
from typing import TypeVar

from joyai_ros.errors import EncodingError

E = TypeVar("E", bound=enum.IntEnum)


def member(kind: type[E], value: int, field: str) -> E:
    """Return the member of an enum for a message field.

    Raises:
        EncodingError: the enum has no such value; the sender speaks another version of the interface.
    """
    try:
        return kind(int(value))
    except ValueError:
        raise EncodingError(
            f"{field} is {value}, which is none of {', '.join(f'{m.name}={m.value}' for m in kind)}"
        ) from None

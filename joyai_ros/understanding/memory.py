"""Out of memory, by its many names, as one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from joyai_ros.models.memory import memory_errors_as
from joyai_ros.understanding.backend import ModelMemoryError


@contextmanager
def named_memory_errors(advice: str) -> Iterator[None]:
    """Raise :class:`ModelMemoryError` with this advice where the memory ran out; pass every other error on."""
    with memory_errors_as(ModelMemoryError(advice)):
        yield

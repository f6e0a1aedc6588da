"""What the C library keeps of memory that is no longer used; glibc alone knows these settings, others do as they do."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8  # glibc's number of the setting (malloc.h)


def share() -> None:
    """Let all threads share one heap.

    By default threads get heaps of their own, and each keeps the most that it ever held: images come and go in changing
    threads, so in time every heap grows to what the whole work needs.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return the pages that nothing uses to the operating system; takes some milliseconds."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

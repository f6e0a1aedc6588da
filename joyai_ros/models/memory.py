"""How much memory there is, and running out of it, by its many names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

# torch's CPU allocator and accelerators' libraries raise plain RuntimeErrors.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_PROC = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # of a container, where there is one


@contextmanager
def memory_errors_as(named: Exception) -> Iterator[None]:
    """Raise this error where the memory ran out; pass every other error on."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise named from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise named from error


def free_memory(device: torch.device) -> float:
    """Return the gigabytes (10^9 bytes) that this process may still take on a device; infinity where nothing says it."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 1e9
    return min(_available(), _group_rest()) / 1e9 if device.type == "cpu" else math.inf


def _available() -> float:
    """Return the bytes that Linux could give out without swapping."""
    try:
        rows = dict(row.split(":", 1) for row in _PROC.read_text().splitlines() if ":" in row)
        return 1024.0 * int(rows["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError, IndexError):
        return math.inf


def _group_rest() -> float:
    """Return the bytes that are left of a container's limit; what it holds of files can be given back."""
    try:
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        rows = dict(row.split() for row in (_GROUP / "memory.stat").read_text().splitlines())
        return float(limit - used + int(rows["file"]))
    except (OSError, KeyError, ValueError):  # "max" is no number: there is no limit
        return math.inf

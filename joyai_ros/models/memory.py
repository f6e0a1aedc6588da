"""Out of memory, by its many names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# torch's CPU allocator and accelerators' libraries raise plain RuntimeErrors.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


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

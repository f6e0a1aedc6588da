"""Out of memory, by its many names, as one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from joyai_ros.understanding.backend import ModelMemoryError

# torch's CPU allocator and accelerators' libraries raise plain RuntimeErrors.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextmanager
def named_memory_errors(advice: str) -> Iterator[None]:
    """Raise :class:`ModelMemoryError` with this advice where the memory ran out; pass every other error on."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelMemoryError(advice) from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise ModelMemoryError(advice) from error

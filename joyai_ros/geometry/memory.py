"""Memory of large arrays, kept from frame to frame."""

from __future__ import annotations

from functools import cache

import numpy as np

_BLOCK = 24 << 20  # bytes, below the 32 MiB up to which glibc follows


@cache
def keep_freed_memory() -> None:
    """Have the C library keep freed blocks of megabytes for the next array instead of giving them back to the system.

    Every page that comes from the system anew costs a fault: with arrays of an image's size that was a quarter of the time
    of a scene. glibc keeps what is smaller than the largest block that was ever freed (mallopt(3), M_MMAP_THRESHOLD), so
    one is freed here. It is never touched, and so costs nothing; where the C library is another one, nothing happens.
    """
    np.empty(_BLOCK, dtype=np.uint8)

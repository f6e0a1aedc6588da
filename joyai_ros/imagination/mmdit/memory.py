"""What is remembered of frames and prompts, and running out of memory as one error."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.errors import DrawMemoryError

V = TypeVar("V")
# torch's CPU allocator and accelerators' libraries raise plain RuntimeErrors.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def image_key(image: ColorImage) -> str:
    """Return what tells an image from every other one: a digest of its content, not of its size."""
    digest = hashlib.blake2b(str(image.shape).encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()


class Recent(Generic[V]):
    """The most recently used values, at most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key, made where it is not remembered."""
        if key not in self._values:
            self._values[key] = make()
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()


@contextmanager
def named_memory_errors(advice: str) -> Iterator[None]:
    """Raise :class:`DrawMemoryError` with this advice where the memory ran out; pass every other error on."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise DrawMemoryError(advice) from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise DrawMemoryError(advice) from error

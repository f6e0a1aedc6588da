"""What is remembered of frames and prompts."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from joyai_ros.geometry.arrays import ColorImage

V = TypeVar("V")


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

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

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

"""What is remembered about images: vision features and prefixes, by content."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.understanding.network import Features, Prefix

T = TypeVar("T")


class Newest(Generic[T]):
    """Remembers the results that were used last.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the remembered result, or compute and remember it."""
        if key not in self._held:
            self._held[key] = compute()
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return self._held[key]

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()


class FrameMemory:
    """Features and listings of single images, and prefixes of whole prompts, of the frames that were asked about last.

    Args:
        frames: prefixes that are kept.
        images: images whose features are kept.
    """

    def __init__(self, frames: int, images: int) -> None:
        self.features: Newest[Features] = Newest(images)
        self.prefixes: Newest[Prefix] = Newest(frames)
        self.listings: Newest[str] = Newest(images)

    def clear(self) -> None:
        """Forget all."""
        self.features.clear()
        self.prefixes.clear()
        self.listings.clear()


def contents_of(groups: Sequence[Sequence[ColorImage]]) -> list[tuple[bytes, ...]]:
    """Return, for some lists of images, what tells each image from every other: its size and all of its pixels count."""
    seen: dict[int, bytes] = {}  # by identity: eight questions about a frame look at its pixels once

    def digest(image: ColorImage) -> bytes:
        if id(image) not in seen:
            state = hashlib.sha256(repr(image.shape).encode())  # most processors have instructions for it
            state.update(np.ascontiguousarray(image).data)
            seen[id(image)] = state.digest()
        return seen[id(image)]

    return [tuple(digest(image) for image in images) for images in groups]

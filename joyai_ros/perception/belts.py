"""Threads in a row with short queues between them: while one frame is measured the next is read and the last written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class StopError(Exception):
    """The row is being stopped: leave the work where it is. Never leaves the threads of a row."""


class Belt(Generic[T]):
    """A bounded queue between threads; ``put`` waits while it is full, iteration while it is empty.

    Args:
        size: items that may wait.
        producers: how many threads put items; iteration ends when each has called :meth:`end`.
        keeps: what waits when the row is stopped is still handed out, because it is finished work.
    """

    def __init__(self, size: int, producers: int = 1, *, keeps: bool = False) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._open = producers
        self._keeps = keeps
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Add an item.

        Raises:
            StopError: the row is being stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._size)
            if self._stopped:
                raise StopError
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that one producer has no more items."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Take nothing more, drop what waits unless this belt keeps it, and wake everybody up."""
        with self._changed:
            self._stopped = True
            if not self._keeps:
                self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until all producers have ended.

        Raises:
            StopError: the row is being stopped.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._items or self._open <= 0)
                if not self._items:
                    if self._stopped:
                        raise StopError
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Stoppable(Protocol):
    """What a thread of a row may wait for."""

    def stop(self) -> None:
        """Let nobody wait any longer: with an error or :class:`StopError` for who does."""


class Row:
    """The threads of a row. The first error of any of them stops all, for :meth:`raise_error` to raise.

    Args:
        belts: all queues between the threads, and whatever else they wait for, to be stopped when anything fails.
    """

    def __init__(self, *belts: Stoppable) -> None:
        self._belts = belts
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._stopped = False

    def add(self, name: str, work: Callable[[], None]) -> None:
        """Add a thread."""
        self._threads.append(threading.Thread(target=self._run, args=(work,), name=name, daemon=True))

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def is_working(self, seconds: float) -> bool:
        """Wait a moment and say whether any thread still works."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)
                return True
        return False

    def stop(self) -> None:
        """Stop all threads at their next item and wait for them; what they raise from now on follows from that."""
        self._stopped = True
        for belt in self._belts:
            belt.stop()
        for thread in self._threads:
            thread.join()

    def raise_error(self) -> None:
        """Raise the first error of the threads, where there was one."""
        if self._errors:
            raise self._errors[0]

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StopError:
            return
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            if not self._stopped:
                self._errors.append(error)
            for belt in self._belts:
                belt.stop()

"""Back-pressure: one thread works on the newest frame; what came in between is counted and dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """A place for one item and the thread that serves it.

    An item that is offered while another waits takes its place. An item in work is finished.

    Args:
        name: of the thread.
        serve: does the work; it runs in the thread.
        failed: called in the thread with what ``serve`` raised; the thread ends then.
    """

    def __init__(self, name: str, serve: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        self._serve = serve
        self._failed = failed
        self._item: T | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, item: T) -> bool:
        """Put an item in place and say whether another one, which nobody served, had to make way."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify()
        return replaced

    def stop(self, timeout: float = 10.0) -> bool:
        """Drop what waits, let the thread finish what it works on, and say whether it did within the timeout."""
        with self._changed:
            self._stopped = True
            self._item = None
            self._changed.notify()
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._item is not None)
                if self._stopped or self._item is None:
                    return
                item, self._item = self._item, None
            try:
                self._serve(item)
            except Exception as error:  # noqa: BLE001 - handed to the node, which goes to error processing with it
                self._failed(error)
                return
            del item

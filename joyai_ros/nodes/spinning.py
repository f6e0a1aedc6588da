"""An executor in a thread of its own, and its orderly end."""

from __future__ import annotations

import threading
import traceback

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node

_END = 10.0  # seconds that the callbacks in work may take at the end


class Spinner:
    """Runs the callbacks of nodes in threads.

    Until Jazzy ``Executor.shutdown`` destroys what its threads still use, and callbacks that had been handed to them fail
    with "destruction was requested". Here the threads end first.

    Args:
        threads: callbacks at once.
        context: of the nodes; None for the default one.
    """

    def __init__(self, threads: int, context: Context | None = None) -> None:
        self._executor = MultiThreadedExecutor(num_threads=threads, context=context)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="executor", daemon=True)

    def start(self) -> None:
        """Begin to run callbacks."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether callbacks are run; a callback that raises ends this, after its traceback was printed."""
        return self._thread.is_alive()

    def add(self, node: Node) -> None:
        """Run the callbacks of a node."""
        self._executor.add_node(node)

    def remove(self, node: Node) -> None:
        """Run no more callbacks of a node."""
        self._executor.remove_node(node)

    def stop(self) -> None:
        """Let the callbacks in work finish and begin no other; the nodes may be destroyed after this."""
        self._stopping.set()
        self._executor.create_task(lambda: None)  # wakes the thread, which waits for something to do
        if self._thread.ident is not None:
            self._thread.join(_END)
        pool = getattr(self._executor, "_executor", None)  # rclpy leaves its threads to themselves
        if pool is not None:
            pool.shutdown(wait=True)
        for future in getattr(self._executor, "_futures", []):
            error = future.exception() if future.done() else None
            if error is not None and not isinstance(error, InvalidHandle):
                traceback.print_exception(type(error), error, error.__traceback__)
        self._executor.shutdown(timeout_sec=_END)

    def _spin(self) -> None:
        while not self._stopping.is_set():
            try:
                self._executor.spin_once()
            except InvalidHandle:
                # Destroyed between being ready and having its turn: a node that is cleaned up at work. Nothing is lost.
                continue
            except ExternalShutdownException:
                return
            if not self._executor.context.ok():
                return

"""One goal at a time: the policy that the actions of this package share.

A goal that comes while another one runs is accepted and at once aborted with ``BUSY``, so that its sender is told why in
the result (a rejected goal has none). So is a goal for a node that is not active (``NODE_INACTIVE``). Cancel requests are
always accepted. Work that cannot be interrupted goes on in the background and its outcome is thrown away, so a cancelled
goal ends at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup

from joyai_ros.nodes.managed import ManagedNode

R = TypeVar("R")
_LOOK = 0.02  # seconds between looks at whether a goal is still wanted


class StopGoalError(Exception):
    """The goal in work must end: it was cancelled, or the node stops. Never leaves this package."""


class Goal:
    """A goal in work; ``request`` is the goal message."""

    def __init__(self, handle: Any, stopped: threading.Event, pool: ThreadPoolExecutor) -> None:
        self.request = handle.request
        self._handle = handle
        self._stopped = stopped
        self._pool = pool

    @property
    def is_cancelled(self) -> bool:
        """Whether its client no longer wants it."""
        return bool(self._handle.is_cancel_requested)

    @property
    def is_stopped(self) -> bool:
        """Whether the node stops."""
        return self._stopped.is_set()

    def check(self) -> None:
        """Look whether the goal is still wanted.

        Raises:
            StopGoalError: it is not.
        """
        if self.is_cancelled or self.is_stopped:
            raise StopGoalError

    def feedback(self, message: Any) -> None:
        """Publish feedback."""
        self._handle.publish_feedback(message)

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            StopGoalError: the goal is no longer wanted.
        """
        if self._stopped.wait(seconds):
            raise StopGoalError
        self.check()

    def do(self, work: Callable[[], R]) -> R:
        """Return what some work returns; it runs in another thread, which is left alone where the goal has to end.

        Raises:
            StopGoalError: the goal is no longer wanted.
        """
        self.check()
        future: Future[R] = self._pool.submit(work)
        while not wait([future], timeout=_LOOK).done:
            self.check()
        return future.result()


class OneGoalServer:
    """An action server that works on one goal at a time.

    Args:
        node: serves; the server lives until its cleanup.
        action: the action class; its goal has the codes ``NONE``, ``UNKNOWN``, ``CANCELED``, ``BUSY``, ``NODE_INACTIVE``
            and its result ``error_code`` and ``error_msg``.
        name: of the action.
        work: does the work and fills the result in; it returns the error code and the message.
        result_timeout: seconds for which a result is kept for its client.
    """

    def __init__(
        self,
        node: ManagedNode[Any],
        action: Any,
        name: str,
        work: Callable[[Goal, Any], tuple[int, str]],
        result_timeout: float,
    ) -> None:
        self._node = node
        self._action = action
        self._work = work
        self._busy = threading.Lock()
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._server = ActionServer(
            node,
            action,
            name,
            self._execute,
            callback_group=ReentrantCallbackGroup(),
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            result_timeout=int(result_timeout),
        )
        node.own(self._destroy)

    def start(self) -> None:
        """Take goals."""
        self._stopped.clear()

    def stop(self, timeout: float = 5.0) -> bool:
        """Abort the goal in work with ``NODE_INACTIVE``; say whether there was one."""
        self._stopped.set()
        had_one = self._busy.locked()
        if self._busy.acquire(timeout=timeout):  # held until its result is out
            self._busy.release()
        return had_one

    def _destroy(self) -> None:
        self._server.destroy()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _execute(self, handle: Any) -> Any:
        result = self._action.Result()
        codes = self._action.Goal
        if not self._node.is_active or self._stopped.is_set():
            name, (_, state) = self._node.get_fully_qualified_name(), self._node.state
            return self._end(handle, result, codes.NODE_INACTIVE, f"{name} is {state}; activate it")
        if not self._busy.acquire(blocking=False):
            return self._end(handle, result, codes.BUSY, "another goal is in work; wait for its result or cancel it")
        try:
            goal = Goal(handle, self._stopped, self._pool)
            try:
                code, message = self._work(goal, result)
            except StopGoalError:
                code, message = codes.CANCELED, "cancelled by the client"
                if not goal.is_cancelled:
                    code, message = codes.NODE_INACTIVE, "the node was stopped while it worked on this goal"
            except Exception as error:  # noqa: BLE001 - told to the client, and the node goes to error processing
                code, message = codes.UNKNOWN, f"{type(error).__name__}: {error}"
                self._node.fail(error)
            return self._end(handle, result, code, message)
        finally:
            self._busy.release()

    def _end(self, handle: Any, result: Any, code: int, message: str) -> Any:
        codes = self._action.Goal
        result.error_code, result.error_msg = code, message
        if code == codes.NONE:
            handle.succeed()
        elif code == codes.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        if code not in (codes.NONE, codes.CANCELED):
            self._node.get_logger().warning(f"goal ended with code {code}: {message}")
        return result

"""An action client for nodes whose callbacks run in threads of their own, as those of :class:`Spinner` do."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.action import ActionClient


class ThreadedActionClient(ActionClient):
    """Loses no answer that comes before its request is noted.

    rclpy sends a request first and notes it then: another thread that takes the answer in between drops it ("Ignoring
    unexpected goal response"), and who waits for it waits for ever (https://github.com/ros2/rclpy/issues/1123; mended in rclpy
    7.1.6 for Jazzy and 9.1.2 for Kilted). Here an answer waits until requests that are being sent are noted.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._sending = threading.RLock()
        super().__init__(*arguments, **options)

    def send_goal_async(self, *arguments: Any, **options: Any) -> Any:
        """Send a goal; see rclpy."""
        with self._sending:
            return super().send_goal_async(*arguments, **options)

    def _get_result_async(self, goal_handle: Any) -> Any:
        with self._sending:
            return super()._get_result_async(goal_handle)

    def _cancel_goal_async(self, goal_handle: Any) -> Any:
        with self._sending:
            return super()._cancel_goal_async(goal_handle)

    async def execute(self, taken_data: Any) -> None:
        """Take answers in; see rclpy."""
        with self._sending:
            pass
        await super().execute(taken_data)

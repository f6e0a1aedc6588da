"""``/diagnostics``: what a node reports about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import QoSProfile

_LEVELS = {
    "ok": DiagnosticStatus.OK,
    "warning": DiagnosticStatus.WARN,
    "error": DiagnosticStatus.ERROR,
    "stale": DiagnosticStatus.STALE,
}


@dataclass(frozen=True)
class Report:
    """One status.

    Attributes:
        name: which part of the node.
        level: ``ok``, ``warning``, ``error`` or ``stale``.
        message: one line for people.
        values: figures; numbers are written with four digits.
    """

    name: str
    level: str
    message: str
    values: dict[str, Any] = field(default_factory=dict)


class DiagnosticsPublisher:
    """Publishes reports under the node's full name.

    diagnostic_updater's timer runs on ROS time and stands still with ``/clock``, just when somebody wants to know why;
    so the node brings its own timer.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._name = node.get_fully_qualified_name().lstrip("/")
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))

    def publish(self, reports: list[Report]) -> None:
        """Publish all reports in one message, stamped with the node's time."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for report in reports:
            values = [KeyValue(key=key, value=_text(value)) for key, value in report.values.items()]
            message.status.append(
                DiagnosticStatus(
                    level=_LEVELS[report.level],
                    name=f"{self._name}: {report.name}",
                    message=report.message,
                    hardware_id=self._name,
                    values=values,
                )
            )
        self._publisher.publish(message)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

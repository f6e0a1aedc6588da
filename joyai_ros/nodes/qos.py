"""Quality of service by what a topic carries. Every profile can be overridden per topic by ROS 2's own parameters
(``qos_overrides.<topic>.<publisher|subscription>.<policy>``).
"""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind


def sensor() -> QoSProfile:
    """Return what camera streams are listened to with: best effort, so that any camera driver's offer fits."""
    return _profile(ReliabilityPolicy.BEST_EFFORT, 5)


def detections() -> QoSProfile:
    """Return what detections are listened to with: as camera streams, a little longer because they come in bursts."""
    return _profile(ReliabilityPolicy.BEST_EFFORT, 10)


def result() -> QoSProfile:
    """Return what results are offered with: reliable, so that both kinds of listeners can have them."""
    return _profile(ReliabilityPolicy.RELIABLE, 5)


def camera() -> QoSProfile:
    """Return what the simulated camera offers, as camera drivers do: reliable, a short queue."""
    return _profile(ReliabilityPolicy.RELIABLE, 2)


def transforms() -> QoSProfile:
    """Return what ``/tf`` is offered with (tf2's own profile)."""
    return _profile(ReliabilityPolicy.RELIABLE, 100)


def clock() -> QoSProfile:
    """Return what ``/clock`` is offered with: reliable, the newest alone."""
    return _profile(ReliabilityPolicy.RELIABLE, 1)


def latched() -> QoSProfile:
    """Return what is said once and holds, also for those who come later."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def heartbeat(period: float) -> QoSProfile:
    """Return what heartbeats are offered with: a listener that asks for the same learns when they stop.

    Args:
        period: seconds between heartbeats; twice as long is promised as deadline, four times as liveliness lease.
    """
    profile = _profile(ReliabilityPolicy.RELIABLE, 1)
    profile.deadline = Duration(seconds=2 * period)
    profile.liveliness = LivelinessPolicy.MANUAL_BY_TOPIC
    profile.liveliness_lease_duration = Duration(seconds=4 * period)
    return profile


def overridable() -> QoSOverridingOptions:
    """Return the option that makes history, depth, reliability and durability of a topic parameters."""
    kinds = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
    return QoSOverridingOptions(kinds)


def _profile(reliability: ReliabilityPolicy, depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=DurabilityPolicy.VOLATILE
    )

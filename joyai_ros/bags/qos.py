"""Quality of service that a bag offers for each topic, so that replayed topics reach the nodes that listen to them."""

from __future__ import annotations

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

_INFINITE = QosTime(9223372036, 854775807)  # what rosbag2 records for "no limit"
_LATCHED = ("tf_static", "robot_description", "map")  # published once, also for those who come later


def offered_qos(topic: str) -> Qos:
    """Return reliable, keep last 10; latched (transient local) for topics that are published once, as ``tf_static``."""
    latched = topic.rsplit("/", 1)[-1] in _LATCHED
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 10,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_INFINITE,
        lifespan=_INFINITE,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_INFINITE,
        avoid_ros_namespace_conventions=False,
    )

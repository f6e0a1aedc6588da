"""ROS parameters from settings classes: declared once, typed, described, ranged; what nobody reads is an error."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from joyai_ros import settings as typed
from joyai_ros.errors import ConfigError
from joyai_ros.settings import Setting

C = TypeVar("C")

# Parameters of every rclpy node, and those that other parts of the process read.
_NOT_OURS = ("use_sim_time", "start_type_description_service", "nodes")
QOS_PREFIX = "qos_overrides."


class Parameters(Generic[C]):
    """The parameters of a node as one settings object.

    The node must be made with ``automatically_declare_parameters_from_overrides=True``: that is how rclpy shows what a
    user has given, typing errors included.

    Args:
        node: whose parameters.
        kind: the settings class.
        live: names, or beginnings of names that end with a dot, of what may change while the node runs; everything else
            is read-only.
        elsewhere: names that other nodes of the process read, which are no errors here: ``/**`` sections of parameter
            files and plain ``-p`` arguments reach every node.

    Attributes:
        value: the settings as they are now.

    Raises:
        ConfigError: a given parameter is unknown, of the wrong type or out of its range.
    """

    def __init__(self, node: Node, kind: type[C], live: Iterable[str] = (), elsewhere: Iterable[str] = ()) -> None:
        self._node = node
        self._kind = kind
        self._live = tuple(live)
        self._changed: Callable[[], None] = lambda: None
        given = {name: p.value for name, p in node.get_parameters_by_prefix("").items() if name not in _NOT_OURS}
        self._qos = [name for name in given if name.startswith(QOS_PREFIX)]
        own = self._own(given, elsewhere)
        self.value = typed.build(kind, own, node.get_fully_qualified_name())
        for name in given:  # so that they can be declared again with type, range and description
            node.undeclare_parameter(name)
        values = typed.flatten(self.value)
        declared = [(s.name, ros_value(values[s.name]), self._descriptor(s)) for s in typed.describe(kind)]
        node.declare_parameters("", declared, ignore_override=True)
        node.add_on_set_parameters_callback(self._on_set)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call this after live parameters have changed; :attr:`value` holds the new ones then."""
        self._changed = callback

    def check_qos(self) -> None:
        """Check that every given quality of service belongs to a topic, once all topics are there.

        Raises:
            ConfigError: one does not.
        """
        for name in self._qos:
            if not self._node.has_parameter(name):
                topics = sorted({t.topic_name for t in (*self._node.publishers, *self._node.subscriptions)})
                raise ConfigError(
                    f"parameter {name!r} sets the quality of no topic of {self._node.get_fully_qualified_name()}; "
                    f"write {QOS_PREFIX}TOPIC.publisher.POLICY or {QOS_PREFIX}TOPIC.subscription.POLICY, with POLICY one "
                    f"of history, depth, reliability, durability and TOPIC one of {', '.join(topics)}"
                )

    def _own(self, given: Mapping[str, Any], elsewhere: Iterable[str]) -> dict[str, Any]:
        mine = {s.name for s in typed.describe(self._kind)}
        foreign = set(elsewhere) - mine
        return {
            name: plain(value)
            for name, value in given.items()
            if not name.startswith(QOS_PREFIX) and name not in foreign
        }

    def _descriptor(self, item: Setting) -> ParameterDescriptor:
        descriptor = ParameterDescriptor(description=item.description, read_only=not self._is_live(item.name))
        if isinstance(item.kind, type) and issubclass(item.kind, enum.Enum):
            descriptor.additional_constraints = f"one of {', '.join(str(m.value) for m in item.kind)}"
        elif item.range is not None and _element(item.kind) is float:
            descriptor.floating_point_range = [FloatingPointRange(from_value=item.range[0], to_value=item.range[1])]
        elif item.range is not None and _element(item.kind) is int:
            low, high = (int(v) for v in item.range)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor

    def _is_live(self, name: str) -> bool:
        return any(name == entry or (entry.endswith(".") and name.startswith(entry)) for entry in self._live)

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        mine = {s.name for s in typed.describe(self._kind)}
        new = {p.name: plain(p.value) for p in changes if p.name in mine}
        if not new:
            return SetParametersResult(successful=True)
        try:
            self.value = typed.build(self._kind, {**typed.flatten(self.value), **new}, "parameters")
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._changed()
        return SetParametersResult(successful=True)


def names(*kinds: type[Any]) -> frozenset[str]:
    """Return the parameter names of settings classes."""
    return frozenset(item.name for kind in kinds for item in typed.describe(kind))


def ros_value(value: Any) -> Any:
    """Return a setting as a parameter value: enums by their value, tuples as lists."""
    if isinstance(value, enum.Enum):
        return value.value
    return [ros_value(v) for v in value] if isinstance(value, tuple) else value


def plain(value: Any) -> Any:
    """Return a parameter value as plain Python: rclpy gives arrays of numbers as :class:`array.array`."""
    return value if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") else list(value)


def _element(kind: Any) -> Any:
    """Return the type of a number, or of the numbers in a tuple."""
    arguments = [a for a in typing.get_args(kind) if a is not Ellipsis]
    return arguments[0] if arguments else kind


def with_only(kind: type[C], config: Any) -> C:
    """Return a settings object made of the equally named fields of another one."""
    fields = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(config, name) for name in fields})

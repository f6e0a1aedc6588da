"""One process, one executor, the nodes that its ``nodes`` parameter names; and its orderly end."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from joyai_ros.errors import ConfigError, InputError, JoyaiError
from joyai_ros.nodes import heap
from joyai_ros.nodes.config import NodeConfig, QaNodeConfig, SceneNodeConfig, SimNodeConfig, ViewNodeConfig
from joyai_ros.nodes.managed import ManagedNode
from joyai_ros.nodes.parameters import names
from joyai_ros.nodes.spinning import Spinner

# Node name: module, class, settings. Modules are imported on demand: a process pays for the nodes that it hosts.
KINDS: dict[str, tuple[str, str, type[NodeConfig]]] = {
    "scene": ("joyai_ros.nodes.scene_node", "SceneNode", SceneNodeConfig),
    "view": ("joyai_ros.nodes.view_node", "ViewNode", ViewNodeConfig),
    "qa": ("joyai_ros.nodes.qa_node", "QaNode", QaNodeConfig),
    "sim": ("joyai_ros.nodes.sim_node", "SimNode", SimNodeConfig),
}
PERCEPTION = ("scene", "view")
BAD_INPUT, FAILED = 2, 1
_THREADS = 4  # callbacks at once; a goal takes one for as long as it runs
_TIDY = 30.0  # seconds between two returns of free memory; the frame after one takes some milliseconds longer
_FLUSH = 0.3  # seconds left to the middleware to deliver results of goals that the shutdown aborted


def node_class(name: str) -> type[ManagedNode[Any]]:
    """Return the class of a node.

    Raises:
        ConfigError: there is no such node.
    """
    if name not in KINDS:
        raise ConfigError(f"there is no node {name!r}; nodes are {', '.join(KINDS)}")
    module, attribute, _ = KINDS[name]
    return getattr(import_module(module), attribute)  # type: ignore[no-any-return]


def perception(arguments: Sequence[str] | None = None) -> int:
    """Run the nodes that the parameter ``nodes`` names (default: scene and view) in this process."""
    return run(_hosted, arguments)


def single(name: str) -> Callable[[], int]:
    """Return the entry point of a process with one node."""
    return lambda: run(lambda: [name])


def run(choose: Callable[[], Sequence[str]], arguments: Sequence[str] | None = None) -> int:
    """Run nodes until SIGINT or SIGTERM and return the exit code: 0 stopped, 1 failed, 2 bad parameters.

    Args:
        choose: says which nodes, once ROS is there.
        arguments: of the command line; None for those of this process.
    """
    stop = threading.Event()
    heap.share()
    # Threads hand the interpreter over after this long. By default a frame waits 5 ms for whoever else is at work.
    sys.setswitchinterval(0.001)
    # rclpy's own handlers would take the context away at once, and with it the results of running goals.
    rclpy.init(args=list(arguments) if arguments is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return Host(choose()).run(stop)
    except InputError as error:
        return _complain(error, BAD_INPUT)
    except JoyaiError as error:
        return _complain(error, FAILED)
    finally:
        rclpy.try_shutdown()


def _hosted() -> list[str]:
    """Return what the parameter ``nodes`` of the process names."""
    reader = Node(
        "joyai_perception", start_parameter_services=False, automatically_declare_parameters_from_overrides=True
    )
    try:
        given = reader.get_parameters_by_prefix("").get("nodes")
        wanted = list(PERCEPTION) if given is None else given.value
    finally:
        reader.destroy_node()
    if not isinstance(wanted, list) or not wanted or not all(isinstance(name, str) for name in wanted):
        raise ConfigError(f"parameter nodes is {wanted!r}; give a list of some of {', '.join(KINDS)}")
    return list(dict.fromkeys(wanted))


class Host:
    """The nodes of one process and the executor that they share.

    Args:
        wanted: names of nodes.

    Raises:
        ConfigError: there is no such node, or its parameters are wrong.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        classes = [node_class(name) for name in wanted]
        # One parameter file serves all nodes, in one process or each alone.
        elsewhere = names(*(config for _, _, config in KINDS.values()))
        self._spinner = Spinner(_THREADS)
        self._nodes = [kind(elsewhere=elsewhere) for kind in classes]
        for node in self._nodes:
            self._spinner.add(node)

    def run(self, stop: threading.Event) -> int:
        """Spin until asked to stop, or until no node could be configured; then end in order."""
        _set_aside_what_stays()
        self._spinner.start()
        code = 0
        tidied = time.monotonic()
        while not stop.wait(0.2):
            if time.monotonic() - tidied > _TIDY:
                heap.give_back()
                tidied = time.monotonic()
            refused = [node.problem for node in self._nodes if node.problem is not None and node.config.autostart]
            if refused:
                code = _complain(refused[0], BAD_INPUT if isinstance(refused[0], InputError) else FAILED)
                break
            if not self._spinner.is_alive:
                code = FAILED
                break
        self._end()
        return code

    def _end(self) -> None:
        """Abort goals while callbacks still run, so that their results reach the clients; then shut all down."""
        had_goals = [node.abort_goals() for node in self._nodes]
        if any(had_goals):
            time.sleep(_FLUSH)
        self._spinner.stop()
        for node in self._nodes:
            node.close()
            node.destroy_node()


def _set_aside_what_stays() -> None:
    """Take what is in memory now, mostly modules, out of what the collector of cycles looks through.

    Else it stops everything for some 70 ms about every ten seconds, and a frame in work with it.
    """
    gc.collect()
    gc.freeze()


def _complain(error: Exception, code: int) -> int:
    print(f"joyai_ros: {' '.join(str(error).split())}", file=sys.stderr)
    return code

"""What the measurements on ROS 2 share: whether it is there, and processes in a domain of their own.

``make evidence`` builds the package for ROS 2 where it finds one; without it the lines of these modules say so.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_END = 20.0  # seconds that a process may take to end
_PRIORITY = -15


def install() -> Path | None:
    """Return where the package is installed for ROS 2; None without."""
    prefix = os.environ.get("JOYAI_ROS_INSTALL")
    return Path(prefix) if prefix and importlib.util.find_spec("rclpy") else None


def not_measured(lines: dict[str, str], command: str) -> list[dict[str, Any]]:
    """Return evidence lines (name: target) that could not be measured, because there is no ROS 2."""
    return [
        {"line": line, "figure": "no ROS 2 here", "target": target, "ok": None, "command": command}
        for line, target in lines.items()
    ]


def environment(domain: int) -> dict[str, str]:
    """Return the environment of a process in a domain, with this interpreter first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {**os.environ, "ROS_DOMAIN_ID": str(domain), "PATH": path, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def executable(name: str, *arguments: str) -> list[str]:
    """Return the command of one of our executables with ROS arguments."""
    prefix = install()
    assert prefix is not None
    return [str(prefix / "joyai_ros" / "lib" / "joyai_ros" / name), "--ros-args", *arguments]


class Running:
    """A process that is stopped with SIGINT at the end of the ``with``."""

    def __init__(self, domain: int, command: list[str]) -> None:
        self._process = subprocess.Popen(command, env=environment(domain), cwd=ROOT)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None


@contextmanager
def undisturbed(*, real_time: bool = False) -> Iterator[str]:
    """Put this process, and those that it starts, before others where that is allowed; yield what could be had.

    Args:
        real_time: with real-time priority, so that other programs are not measured at all; only for processes that sleep
            most of the time, because it leaves nothing to others.
    """
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    load = f"load of the machine {os.getloadavg()[0]:.1f}"
    try:
        if real_time:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        else:
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    except (AttributeError, PermissionError):
        yield load
        return
    try:
        yield "real-time priority" if real_time else f"priority {_PRIORITY}, {load}"
    finally:
        if real_time:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, usual)


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    raise ProcessLookupError(pid)

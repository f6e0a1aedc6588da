"""What a run logs: one JSON line for each interval, and the same for TensorBoard where it is installed."""

from __future__ import annotations

import contextlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from joyai_ros.errors import OutputError
from joyai_ros.training.loop import METRICS, TENSORBOARD


class Metrics:
    """The log of one run. What was logged after the checkpoint that the run goes on from is dropped."""

    def __init__(self, run: Path, step: int) -> None:
        """Open the log behind a step.

        Raises:
            OutputError: it cannot be written.
        """
        self._path = run / METRICS
        self._writer: Any = None
        try:
            run.mkdir(parents=True, exist_ok=True)
            _cut(self._path, step)
            self._file = self._path.open("a", encoding="utf-8")
            if find_spec("tensorboard") is not None:
                from torch.utils.tensorboard import SummaryWriter

                kind: Any = SummaryWriter
                self._writer = kind(str(run / TENSORBOARD), purge_step=step + 1 if step else None)
        except OSError as error:
            raise self._cannot(error) from error

    def write(self, step: int, figures: dict[str, float], seconds: float) -> None:
        """Write a line.

        Raises:
            OutputError: it cannot be written.
        """
        line = {"step": step, **figures, "seconds": round(seconds, 3)}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            if self._writer is not None:
                for name, value in figures.items():
                    self._writer.add_scalar(name, value, step)
        except OSError as error:
            raise self._cannot(error) from error

    def close(self) -> None:
        """Close the log."""
        with contextlib.suppress(OSError):  # what matters was flushed; a full disk has been told of by then
            self._file.close()
            if self._writer is not None:
                self._writer.close()

    def _cannot(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._path} cannot be written ({error.strerror or error}); the last checkpoint stands: make room and run the "
            "same command again"
        )


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log; none where it has none."""
    path = run / METRICS
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _cut(path: Path, step: int) -> None:
    """Keep the whole lines up to a step."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):  # cut short when the process was killed
            continue
    partial = path.with_name(path.name + ".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    os.replace(partial, path)

"""The scene engine in a process of its own, so that measuring a frame and reading, drawing and writing the others share
no interpreter lock. Relations are stated in the parent: they would be most of what the child sends back.

Parent and child speak over the child's standard input and output: pickled heads, and the pixels of an observation behind
them as they lie in memory. The child ends with its input, so it never outlives its parent.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import struct
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, cast

import numpy as np

import joyai_ros
from joyai_ros.errors import JoyaiError
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine, related
from joyai_ros.scene.observation import Observation
from joyai_ros.scene.types import Scene

_LENGTH = struct.Struct("<Q")
_PIPE = 1 << 18  # bytes: a scene fits, so that the next observation is taken before anybody has read it


class EngineProcess:
    """A scene engine of one sequence in another process. Use it as a context manager.

    Args:
        config: thresholds and margins of the engine.

    Raises:
        JoyaiError: from :meth:`process`, where the process ended by itself (the kernel ran out of memory).
    """

    def __init__(self, config: SceneConfig) -> None:
        root = str(Path(joyai_ros.__file__).parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "joyai_ros.perception.engine_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path},
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's to handle
        )
        _widen(self._child.stdin, self._child.stdout)
        self._relations = config.relations
        self._sent: deque[Observation] = deque()
        self._send(config)

    def send(self, observation: Observation) -> None:
        """Hand an observation over ahead of :meth:`process`, in the same order; another thread may do so.

        The process takes it as soon as it is done with the one before, and need not wait for anybody here.
        """
        color = np.ascontiguousarray(observation.color)
        depth = None if observation.depth is None else np.ascontiguousarray(observation.depth)
        self._send((_without_pixels(observation), depth is not None), color, *([] if depth is None else [depth]))
        self._sent.append(observation)

    def process(self, observation: Observation) -> Scene:
        """Return the scene of one observation; errors of the engine are raised here."""
        if not self._sent:
            self.send(observation)
        if self._sent[0] is not observation:
            raise ValueError("observations that were sent ahead are asked for in another order")
        self._sent.popleft()
        scene, error = self._receive()
        if error is not None:
            raise error
        return related(cast("Scene", scene), observation, self._relations)

    def stop(self) -> None:
        """Give up what it works on, so that no thread waits for it any longer."""
        self._child.kill()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(BrokenPipeError):  # what a dead child did not take is lost with it
                cast("BinaryIO", pipe).close()
        self._child.wait()

    def __enter__(self) -> EngineProcess:
        """Return the engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _send(self, head: Any, *pixels: np.ndarray[Any, Any]) -> None:
        try:
            _write(cast("BinaryIO", self._child.stdin), head, *pixels)
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self) -> Any:
        head = _read(cast("BinaryIO", self._child.stdout))
        if head is None:
            raise self._ended()
        return head

    def _ended(self) -> JoyaiError:
        return JoyaiError(
            f"the process of the scene engine ended by itself (code {self._child.wait()}); is memory short?"
        )


def _without_pixels(observation: Observation) -> dict[str, Any]:
    """Return the fields of an observation, its images left out: they travel beside it."""
    return {**vars(observation), "color": None, "depth": None}


def _widen(*pipes: IO[bytes] | None) -> None:
    """Let pipes hold more, where the kernel has this and the user's share of its memory allows it; else they are slower."""
    for pipe in pipes:
        with suppress(OSError, AttributeError):
            fcntl.fcntl(cast("IO[bytes]", pipe), fcntl.F_SETPIPE_SZ, _PIPE)


def _write(stream: BinaryIO, head: Any, *pixels: np.ndarray[Any, Any]) -> None:
    content = pickle.dumps(head, protocol=5)
    stream.write(_LENGTH.pack(len(content)) + content)
    for image in pixels:
        stream.write(image.reshape(-1).view(np.uint8).data)
    stream.flush()


def _read(stream: BinaryIO) -> Any:
    """Return the next head; None at the end."""
    prefix = stream.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    content = stream.read(_LENGTH.unpack(prefix)[0])
    return pickle.loads(content)  # from this package's own other half


def _read_image(stream: BinaryIO, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray[Any, Any]:
    image = np.empty(shape, dtype)
    stream.readinto(image.reshape(-1).view(np.uint8).data)  # type: ignore[attr-defined]
    return image


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer observations with scenes until the input ends."""
    engine = SceneEngine(_read(source))
    while (head := _read(source)) is not None:
        fields, has_depth = head
        shape = fields["camera"].shape
        color = _read_image(source, (*shape, 3), np.uint8)
        depth = _read_image(source, shape, np.float32) if has_depth else None
        try:
            answer: tuple[Scene | None, Exception | None] = (
                engine.measure(Observation(**{**fields, "color": color, "depth": depth})),
                None,
            )
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            answer = (None, error)
        _write(sink, answer)


def _main() -> None:
    import cv2

    cv2.setNumThreads(1)
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is not ours to parse
    _serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    _main()

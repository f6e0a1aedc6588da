"""The thread that owns the simulated scene: it alone draws, at its rate, and hands every frame over. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from joyai_ros.errors import JoyaiError
from joyai_ros.geometry.arrays import Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.nodes.camera_path import CameraPath
from joyai_ros.nodes.config import Path, SimNodeConfig
from joyai_ros.sim.frames import SimFrame, SimSettings, observe
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.trajectory import sweep
from joyai_ros.sim.truth import WorldTruth

_SWEEP_FRAMES = 120
_SETTINGS = SimSettings(whole="none")


class Simulation:
    """A scene of ``tabletop-v1`` with a camera that takes a frame now and then.

    MuJoCo's drawing context belongs to one thread, so the scene lives in a thread from construction to :meth:`close`.

    Args:
        config: scene, camera, noise.
        now: returns simulated time in nanoseconds.
        take: takes each frame; called in the thread.
        failed: called in the thread with an error that ends it.

    Raises:
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
        ConfigError: the seed is not one.
    """

    def __init__(
        self,
        config: SimNodeConfig,
        now: Callable[[], int],
        take: Callable[[SimFrame], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._config = config
        self._now = now
        self._take = take
        self._failed = failed
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._running = threading.Event()
        self._error: Exception | None = None
        self.latest: SimFrame | None = None
        self.world: WorldTruth
        self.path: CameraPath
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def resume(self) -> None:
        """Take frames."""
        self._running.set()

    def pause(self) -> None:
        """Take no more frames until :meth:`resume`."""
        self._running.clear()

    def close(self) -> None:
        """End the thread and free the graphics memory."""
        self._stop.set()
        self._running.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        try:
            with TabletopSim(self._config.seed) as sim:
                camera = self._camera(sim)
                self.world = sim.world_truth()
                poses: Iterable[Mat4] = ()
                if self._config.path is Path.SWEEP:
                    poses = sweep(sim.description, _SWEEP_FRAMES)
                self.path = CameraPath(sim.world_from_camera, list(poses), self._config.sweep_seconds)
                self._ready.set()
                self._take_frames(sim, camera)
        except JoyaiError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits, or handed to the node
            self._error = error
            if self._ready.is_set():
                self._failed(error)
        finally:
            self._ready.set()

    def _camera(self, sim: TabletopSim) -> Camera:
        if self._config.width == 0:
            return sim.camera
        width = self._config.width
        return sim.camera.resized(width, round(width * sim.camera.height / sim.camera.width))

    def _take_frames(self, sim: TabletopSim, camera: Camera) -> None:
        index, due = 0, time.monotonic()
        period = 1.0 / (self._config.camera_rate * self._config.real_time_factor)
        while not self._stop.is_set():
            self._running.wait()
            left = due - time.monotonic()
            if left > 0 and self._stop.wait(left):
                return
            # A camera that cannot keep its rate takes fewer frames; it does not take late ones.
            due = max(due + period, time.monotonic())
            if self._stop.is_set() or not self._running.is_set():
                continue
            frame = self._frame(sim, camera, index)
            self.latest = frame
            self._take(frame)
            index += 1

    def _frame(self, sim: TabletopSim, camera: Camera, index: int) -> SimFrame:
        stamp = self._now()
        truth = sim.truth(self.path.pose(stamp / 1e9), camera, whole=False)
        settings = replace(_SETTINGS, noise=self._config.noise)
        observation = observe(sim.description, truth, index, stamp, settings, self._config.boxes.value)
        return SimFrame(self._config.seed, index, observation, truth, sim.description)

"""The model of the view node: loaded once, asked by one goal at a time, let go at cleanup."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from joyai_ros.action import Imagine
from joyai_ros.errors import ConfigError
from joyai_ros.geometry.arrays import Mat4, Vec3
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawMemoryError
from joyai_ros.imagination.mmdit.request import IsCanceled, OnStep, Step
from joyai_ros.imagination.model_view import Drawing, ModelView, Warp
from joyai_ros.imagination.opening import OpenPainter, open_painter
from joyai_ros.messages import headers
from joyai_ros.messages.compressed import jpeg_message
from joyai_ros.messages.factory import Message, RosFactory
from joyai_ros.messages.views import VIEW_FRAME
from joyai_ros.nodes.diagnostics import Report
from joyai_ros.nodes.goals import Goal, StopGoalError
from joyai_ros.scene.observation import Observation

MODEL_METHODS = ("model", "both")
_METHODS = ("", "depth", *MODEL_METHODS)
_QUALITY = 75  # of previews, jpeg
_CLOSING = 10.0  # seconds that a drawing may take to notice that nobody wants it


class RefusedError(Exception):
    """A goal that is refused with a code of its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Order:
    """One view that a goal wants of a model.

    Attributes:
        view, views: which one it is, and of how many.
        observation: the frame.
        motion, pivot, up: what the camera does, in the frame's optical frame.
        pose: (4, 4) where it is wanted, in the same frame; the motion may only lead near it.
        warp: gives the measured surface.
        how: preset, seed and the like.
    """

    view: int
    views: int
    observation: Observation
    motion: CameraMotion
    pivot: Vec3
    up: Vec3
    pose: Mat4
    warp: Warp
    how: Drawing


class Painting:
    """Draws the views of goals.

    Attributes:
        trouble: why there is no model although the settings name one, or why it failed on the last goal; empty while all
            is well. The words alone: the error itself would keep what was in memory when it was raised.
    """

    def __init__(self, open_painter: Callable[[ImaginationConfig], OpenPainter] = open_painter) -> None:
        self._open = open_painter
        self._opened: OpenPainter | None = None
        self._factory = RosFactory()
        self.trouble = ""

    def load(self, config: ImaginationConfig) -> str:
        """Load the model of the settings, if they name one, and return its name.

        Too little memory leaves the node to its depth views, and is told to whoever asks for the model.

        Raises:
            JoyaiError: as :func:`joyai_ros.imagination.opening.open_painter`, but for the memory.
        """
        self._opened, self.trouble = None, ""
        if not config.model:
            return ""
        try:
            self._opened = self._open(config)
        except DrawMemoryError as error:
            self.trouble = str(error)
            return ""
        return self._opened.card.name

    def close(self) -> bool:
        """Let go of the model; say whether that was possible, or whether it still works."""
        opened, self._opened = self._opened, None
        if opened is None:
            return True
        is_idle = opened.lock.acquire(timeout=_CLOSING)
        if is_idle:
            opened.lock.release()
        return is_idle

    def drawing(self, request: Imagine.Goal) -> Drawing | None:
        """Return how the views of a goal are drawn; None where depth alone is asked for.

        Raises:
            RefusedError: there is no such method or preset, or no model.
        """
        if request.method not in _METHODS:
            raise RefusedError(
                Imagine.Goal.INVALID_METHOD, f"there is no method {request.method!r}; use depth, model or both"
            )
        if request.method not in MODEL_METHODS:
            return None
        opened = self._opened
        if opened is None:
            if self.trouble:
                raise RefusedError(Imagine.Goal.OUT_OF_MEMORY, self.trouble)
            raise RefusedError(
                Imagine.Goal.MODEL_UNAVAILABLE,
                f"method {request.method!r} needs a model, and none is loaded; set the parameter imagination.model, "
                "or use depth",
            )
        config = opened.config
        try:
            preset = opened.preset(request.preset)
            keep, surface = bool(request.keep_seen), config.show_surface
            return Drawing(preset, config.size, int(request.seed), config.strength, surface, keep)
        except ConfigError as error:
            raise RefusedError(Imagine.Goal.INVALID_METHOD, str(error)) from error

    def draw(self, goal: Goal, order: Order) -> ModelView:
        """Return one view of a goal, with feedback after each step.

        Raises:
            StopGoalError: the goal is no longer wanted; the model stops at its next step.
            DrawMemoryError: there is too little memory; the model stays loaded.
        """
        ended = threading.Event()  # a goal that has ended gives no feedback

        def is_canceled() -> bool:
            return ended.is_set() or goal.is_cancelled or goal.is_stopped

        def on_step(step: Step) -> None:
            if not is_canceled():
                goal.feedback(self._feedback(order, step, bool(goal.request.preview)))

        try:
            made = goal.do(lambda: self._imagine(order, on_step, is_canceled))
        except DrawCanceledError:
            raise StopGoalError from None
        except DrawMemoryError as error:
            self.trouble = str(error)
            raise
        finally:
            ended.set()
        self.trouble = ""
        return made

    def reports(self) -> list[Report]:
        """Return the diagnostics of the model; none where the settings name none."""
        opened, trouble = self._opened, self.trouble
        if trouble:
            return [Report("model", "error", trouble)]
        if opened is None:
            return []
        if opened.fallback:
            return [Report("model", "warning", opened.fallback)]
        return [Report("model", "ok", f"{opened.card.name} draws")]

    def _imagine(self, order: Order, on_step: OnStep, is_canceled: IsCanceled) -> ModelView:
        opened = self._opened
        if opened is None:
            raise DrawCanceledError("the model was let go")
        with opened.lock:
            return opened.imaginer.imagine(
                order.observation,
                order.motion,
                order.how,
                order.pivot,
                order.up,
                order.warp,
                on_step,
                is_canceled,
                order.pose,
            )

    def _feedback(self, order: Order, step: Step, has_preview: bool) -> Message:
        feedback = Imagine.Feedback(view=order.view, views=order.views, step=step.index + 1, steps=step.steps)
        if has_preview:
            header = headers.header(self._factory, order.observation.stamp, VIEW_FRAME)
            feedback.preview = jpeg_message(self._factory, header, step.preview()[0], _QUALITY)
        return feedback

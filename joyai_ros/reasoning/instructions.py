"""From words to a camera motion: "look at the cup from the other side", "a bit higher and closer"."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import Vec3
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.reasoning.mentions import mentions, only
from joyai_ros.reasoning.question import Look, Thing
from joyai_ros.understanding.anchors import draw_marks
from joyai_ros.understanding.backend import Backend, Finish, ModelError, ModelRequest
from joyai_ros.understanding.formats import AnswerFormatError, Fields, parse
from joyai_ros.understanding.prompts import SYSTEM, plain
from joyai_ros.understanding.tasks import QuestionError

_SCENE = "scene"
_MOST_YAW, _MOST_PITCH, _MOST_ZOOM = 180.0, 80.0, 4.0
_PROMPT = (
    'The user wants to see the scene from elsewhere and says: "{text}". Give the motion of the camera as an orbit about a '
    "target: yaw_deg above 0 moves the camera to its own right (180: to the other side), pitch_deg above 0 moves it up, zoom "
    "above 1 brings it nearer (2 halves the distance), 0, 0 and 1 keep it where it is. target is the number of the marked "
    "object that stays in the middle, or scene."
)
_TURN, _TILT, _STEP = 30.0, 20.0, 1.5  # degrees, degrees, ratio: what "left", "higher" and "closer" mean by themselves
_LESS, _MORE = 0.5, 2.0  # times that, for "a bit" and "a lot"
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:°|deg)")


@dataclass(frozen=True)
class Instruction:
    """A camera motion and what it goes about.

    Attributes:
        motion: what the camera does.
        target: the thing that stays in the middle; None for the scene.
        from_model: a model understood the words; else rules did.
    """

    motion: CameraMotion
    target: Thing | None
    from_model: bool

    @property
    def pivot(self) -> Vec3 | None:
        """(3,) metres in the optical frame: the middle of the target; None where it was not measured."""
        if self.target is None or self.target.measured is None:
            return None
        return np.asarray(self.target.measured.obb.center)


def motion_from_words(text: str, look: Look, backend: Backend | None = None) -> Instruction:
    """Return the motion that some words ask for.

    Args:
        text: what a person says.
        look: the frame that it is said about.
        backend: the model that reads it; None: a few rules do, which know sides, heights, distances, degrees, and the names
            of objects.

    Raises:
        QuestionError: the words are empty, or the rules find no motion in them.
        ModelError: the model cannot answer.
    """
    if not text.strip():
        raise QuestionError("the instruction is empty; say where to look from")
    return _by_rules(text, look) if backend is None else _by_model(text, look, backend)


def _by_model(text: str, look: Look, backend: Backend) -> Instruction:
    marks = {str(k): thing for k, thing in enumerate(look.things, start=1) if thing.box is not None}
    wanted = Fields(
        numbers=(
            ("yaw_deg", -_MOST_YAW, _MOST_YAW),
            ("pitch_deg", -_MOST_PITCH, _MOST_PITCH),
            ("zoom", 1.0 / _MOST_ZOOM, _MOST_ZOOM),
        ),
        choices=(("target", (*marks, _SCENE)),),
    )
    image = draw_marks(look.observation.color, [thing.box for thing in look.things])
    reply = backend.answer([ModelRequest((image,), _PROMPT.format(text=plain(text)), wanted, SYSTEM)])[0]
    if reply.finish is not Finish.STOP:
        raise ModelError(f"the model did not finish its answer ({reply.finish.value}); ask again")
    try:
        fields = parse(wanted, reply.text).fields
    except AnswerFormatError as error:
        raise ModelError(f"the model's answer cannot be used: {error}") from error
    yaw, pitch, zoom = (float(fields[name]) for name in ("yaw_deg", "pitch_deg", "zoom"))
    return Instruction(CameraMotion(yaw, pitch, zoom), marks.get(str(fields["target"])), True)


def _by_rules(text: str, look: Look) -> Instruction:
    words = text.lower()
    degrees = _DEGREES.search(words)
    amount = _LESS if re.search(r"\b(a bit|a little|slightly)\b", words) else 1.0
    amount = _MORE if re.search(r"\b(a lot|much|far more)\b", words) else amount
    turn = float(degrees.group(1)) if degrees else _TURN * amount
    tilt = float(degrees.group(1)) if degrees else _TILT * amount
    yaw = 0.0
    if re.search(r"\b(other side|from behind|from the back|opposite)\b", words):
        yaw = 180.0
    elif re.search(r"\bright\b", words):
        yaw = turn
    elif re.search(r"\bleft\b", words):
        yaw = -turn
    pitch = 0.0
    if re.search(r"\b(from above|top view|from the top)\b", words):
        pitch = float(degrees.group(1)) if degrees else 3.0 * _TILT
    elif re.search(r"\b(higher|up|upwards?|raise)\b", words):
        pitch = tilt
    elif re.search(r"\b(lower|down|downwards?|from below)\b", words):
        pitch = -tilt
    zoom = 1.0
    step = 1.0 + (_STEP - 1.0) * amount
    if re.search(r"\b(closer|nearer|zoom in|approach)\b", words):
        zoom = step
    elif re.search(r"\b(farther|further|back off|zoom out|away)\b", words):
        zoom = 1.0 / step
    motion = CameraMotion(min(yaw, _MOST_YAW), max(min(pitch, _MOST_PITCH), -_MOST_PITCH), zoom)
    if motion.is_identity:
        raise QuestionError(
            f"no motion is found in {plain(text, 80)!r}; say left, right, higher, lower, closer, farther or other side"
        )
    found = mentions(text, look.things)
    return Instruction(motion, only(found[0], text) if found else None, False)

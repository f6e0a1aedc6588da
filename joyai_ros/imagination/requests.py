"""What a generating model is asked for, as typed requests that give its authors' exact prompts.

The wording is that of the JoyAI-Image guide: the models were trained on it, character by character.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np

from joyai_ros.errors import InputError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Mat4, Vec3
from joyai_ros.geometry.boxes import Box2D, checked_box2d
from joyai_ros.geometry.motion import CameraMotion, nearest_motion, orbit
from joyai_ros.models.angles import Angles

_RED = (255, 0, 0)
_MOST_TEXT = 2000  # characters
_MISSED_ANGLE = np.radians(5.0)  # a motion that misses a pose by more is another view
_MISSED_SHARE = 0.1  # of the distance to the pivot
_ZOOM_PLAY = 1.02  # ratio below which a zoom is none


class RequestError(InputError):
    """A model cannot be asked for this: an angle that it does not know, an empty text, too many images."""


class Side(str, enum.Enum):
    """The side of an object that a rotation shows."""

    FRONT = "front"
    RIGHT = "right"
    LEFT = "left"
    REAR = "rear"
    FRONT_RIGHT = "front right"
    FRONT_LEFT = "front left"
    REAR_RIGHT = "rear right"
    REAR_LEFT = "rear left"


@dataclass(frozen=True)
class MoveCamera:
    """Look at the scene from elsewhere."""

    motion: CameraMotion
    angles: Angles = field(default_factory=Angles)

    @property
    def prompt(self) -> str:
        """The authors' words; the zoom is only in, out or unchanged.

        Raises:
            RequestError: the angles are beyond what the model knows; :func:`split` the motion.
        """
        motion, known = self.motion, self.angles
        if abs(motion.yaw_deg) > known.most_yaw or abs(motion.pitch_deg) > known.most_pitch:
            raise RequestError(
                f"yaw {motion.yaw_deg:g} and pitch {motion.pitch_deg:g} degrees are beyond the {known.most_yaw:g} and "
                f"{known.most_pitch:g} that this model knows; split the motion into smaller ones"
            )
        yaw, pitch = known.yaw_sign * motion.yaw_deg, known.pitch_sign * motion.pitch_deg
        zoom = "in" if motion.zoom > _ZOOM_PLAY else "out" if motion.zoom < 1.0 / _ZOOM_PLAY else "unchanged"
        return (
            f"Move the camera.\n- Camera rotation: Yaw {_degrees(yaw)}°, Pitch {_degrees(pitch)}°.\n- Camera zoom: {zoom}.\n"
            "- Keep the 3D scene static; only change the viewpoint."
        )


@dataclass(frozen=True)
class MoveObject:
    """Move an object to a place in the image, which is marked by a red box."""

    name: str
    place: Box2D

    @property
    def prompt(self) -> str:
        """The authors' words."""
        return f"Move the {_text(self.name)} into the red box and finally remove the red box."


@dataclass(frozen=True)
class RotateObject:
    """Show another side of an object."""

    name: str
    side: Side

    @property
    def prompt(self) -> str:
        """The authors' words."""
        return f"Rotate the {_text(self.name)} to show the {Side(self.side).value} side view."


@dataclass(frozen=True)
class Edit:
    """Change the image as some words say; with several reference images for an Edit-Plus model."""

    text: str

    @property
    def prompt(self) -> str:
        """The words themselves."""
        return _text(self.text)


@dataclass(frozen=True)
class Generate:
    """Draw an image from words alone."""

    text: str

    @property
    def prompt(self) -> str:
        """The words themselves."""
        return _text(self.text)


Request: TypeAlias = MoveCamera | MoveObject | RotateObject | Edit | Generate


def references(request: Request, images: Sequence[ColorImage], most: int = 1) -> list[ColorImage]:
    """Return the images that a model gets with a request; the red box of an object's move is drawn here.

    Args:
        request: what is asked for.
        images: (H, W, 3) uint8 RGB each; none for :class:`Generate`.
        most: that the model takes: 1, or 5 for Edit-Plus.

    Raises:
        RequestError: there are too few or too many images.
        BoxError: the place of a move is outside the image or inverted.
    """
    if isinstance(request, Generate):
        if images:
            raise RequestError("text to image takes no image; use Edit to change one")
        return []
    if not 1 <= len(images) <= most:
        raise RequestError(f"{len(images)} images came; this request to this model takes 1 to {most}")
    if not isinstance(request, MoveObject):
        return list(images)
    image = images[0].copy()
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(value) for value in checked_box2d(request.place, width, height, "place to move to"))
    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), _RED, max(round(width / 320), 2))
    return [np.asarray(image), *images[1:]]


def split(motion: CameraMotion, angles: Angles) -> list[CameraMotion]:
    """Return equal steps of a motion that a model knows, one after the other about the same pivot.

    Args:
        motion: of any size.
        angles: what the model knows in one request.
    """
    steps = max(
        1,
        int(np.ceil(abs(motion.yaw_deg) / angles.most_yaw - 1e-9)),
        int(np.ceil(abs(motion.pitch_deg) / angles.most_pitch - 1e-9)),
    )
    return [CameraMotion(motion.yaw_deg / steps, motion.pitch_deg / steps, motion.zoom ** (1.0 / steps))] * steps


@dataclass(frozen=True)
class Towards:
    """A motion towards a pose, and by how much it misses it: radians and metres."""

    motion: CameraMotion
    turned: float
    moved: float


def towards(pose: Mat4, pivot: Vec3, up: Vec3) -> Towards:
    """Return the camera motion that comes nearest to a pose: models are told motions alone.

    Args:
        pose: (4, 4) in the frame's optical frame.
        pivot, up: (3,) as for :func:`joyai_ros.geometry.motion.orbit`.

    Raises:
        RequestError: it misses the pose by more than 5 degrees, or by a tenth of the distance to the pivot.
        MotionError: there is no such motion.
    """
    motion = nearest_motion(pose, pivot, up)
    off = rigid.inverse(orbit(motion, pivot, up)) @ pose
    found = Towards(motion, rigid.rotation_angle(off[:3, :3]), float(np.linalg.norm(off[:3, 3])))
    if found.turned > _MISSED_ANGLE or found.moved > _MISSED_SHARE * np.linalg.norm(pivot):
        raise RequestError(
            f"no motion about the pivot leads to this pose: yaw {motion.yaw_deg:.1f}, pitch {motion.pitch_deg:.1f} and zoom "
            f"{motion.zoom:.2f} miss it by {np.degrees(found.turned):.1f} degrees and {found.moved:.2f} m; draw it from depth"
        )
    return found


def _degrees(value: float) -> str:
    return (
        f"{value:.1f}".rstrip("0").rstrip(".").replace("-0", "0")
        if abs(value) < 0.05
        else f"{value:.1f}".removesuffix(".0")
    )


def _text(text: str) -> str:
    """Return words of a user on one line.

    Raises:
        RequestError: there are none, or too many.
    """
    line = " ".join(text.split())
    if not 0 < len(line) <= _MOST_TEXT:
        raise RequestError(f"the text has {len(line)} characters; give 1 to {_MOST_TEXT}")
    return line

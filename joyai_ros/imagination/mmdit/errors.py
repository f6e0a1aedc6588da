"""What can go wrong when an image is drawn."""

from __future__ import annotations

from joyai_ros.errors import InputError, JoyaiError


class DrawError(JoyaiError):
    """The image could not be drawn."""


class DrawCanceledError(DrawError):
    """Nobody wants the image any more; nothing of it is left."""


class DrawMemoryError(DrawError, InputError):
    """The memory ran out: the caller must ask for less; a model that is loaded stays so."""

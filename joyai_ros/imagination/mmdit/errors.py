"""What can go wrong when an image is drawn."""

from __future__ import annotations

from joyai_ros.errors import JoyaiError


class DrawError(JoyaiError):
    """The image could not be drawn."""


class DrawCanceledError(DrawError):
    """Nobody wants the image any more; nothing of it is left."""


class DrawMemoryError(DrawError):
    """The memory ran out; the model stays loaded, and a smaller image or batch may work."""

"""What can go wrong when an image is drawn."""

from __future__ import annotations

from joyai_ros.errors import InputError, JoyaiError


class PipelineFolderError(InputError):
    """A folder holds no pipeline that can be loaded: a part is missing, of the wrong kind, or not safetensors."""


class DrawError(JoyaiError):
    """The image could not be drawn."""


class DrawCanceledError(DrawError):
    """Nobody wants the image any more; nothing of it is left."""


class DrawMemoryError(DrawError):
    """The memory ran out; the model stays loaded, and a smaller image or batch may work."""

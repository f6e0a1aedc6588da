"""What can be wrong with a model's card, folder or download."""

from __future__ import annotations

from joyai_ros.errors import InputError, JoyaiError


class CardError(InputError):
    """There is no such model card, or a card is not one."""


class ModelFolderError(InputError):
    """A model's folder cannot be used: a file is missing, of the wrong kind, or not what it was."""


class PipelineFolderError(ModelFolderError):
    """A folder holds no pipeline that can be loaded: a part is missing, of the wrong kind, or not safetensors."""


class PullError(JoyaiError):
    """A model could not be downloaded; what was there stays as it was."""

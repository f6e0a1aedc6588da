"""What can go wrong with an engine."""

from __future__ import annotations

from joyai_ros.errors import InputError, JoyaiError


class EngineError(JoyaiError):
    """An engine could not be built or run."""


class EngineExportError(EngineError):
    """A network could not be exported, or its graph holds a size that should be free."""


class EngineTargetError(EngineError, InputError):
    """No engine can be built for this GPU, or in this precision for it: choose another."""


class EngineParityError(EngineError):
    """An engine does not compute what PyTorch computes, within the stated tolerance."""


class EngineFileError(InputError):
    """An engine's files are missing, truncated, changed, or no engine at all: build it again."""


class ForeignEngineError(EngineFileError):
    """An engine was built for something else: other weights, shapes, precision, library version or GPU."""

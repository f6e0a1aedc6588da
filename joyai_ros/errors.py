"""Named exceptions of the package.

Every message says what was wrong, where, and what to do about it. Programs catch :class:`JoyaiError`; the command line
turns :class:`InputError` and its children into exit code 2 with one line and no traceback.
"""

from __future__ import annotations


class JoyaiError(Exception):
    """Root of everything this package raises on purpose."""


class InputError(JoyaiError):
    """What came in cannot be used: the caller must change it."""


class CameraError(InputError):
    """A camera model is missing, incomplete, or not a camera (zero, negative or non-finite intrinsics)."""


class DepthError(InputError):
    """A depth image is unusable: wrong shape, wrong type, or no valid pixel."""


class ImageError(InputError):
    """A colour image is unusable: wrong shape, wrong type, or not decodable."""


class PoseError(InputError):
    """A rigid transform is not one: wrong shape, non-finite, or not a rotation."""


class BoxError(InputError):
    """A 2D or 3D box is inverted, empty, non-finite or outside the image."""


class MotionError(InputError):
    """A camera motion is non-finite, has no positive zoom, or leaves the poses that exist (past straight up or down)."""


class ConfigError(InputError):
    """A configuration holds an unknown key, a value of the wrong type, or one out of range."""


class EncodingError(InputError):
    """An image message has an encoding that is not supported, or data whose size does not fit its encoding."""


class BagError(InputError):
    """A bag is missing, empty, truncated, or holds no usable RGB-D stream."""


class TransformError(InputError):
    """No transform between two frames at the asked time."""


class OutputError(JoyaiError):
    """Results cannot be written (disk full, permission, an existing file that must not be replaced)."""


class MissingDependencyError(JoyaiError):
    """An optional dependency is not installed; the message names the extra that brings it."""

"""How far a fused box may be off: what its views know together, but never better than they err alike.

The views' own uncertainties are combined as independent measurements are (information adds up), with one difference: what
the views of one object share (the shape that is assumed for it, the bias of the sensor, the pose of the camera) does not
average out. So the information grows with the square root of the number of sides that were seen, and a floor remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import Mat3, Vec3
from joyai_ros.scene.fuse_views import KeyView

_CENTER_SCALE, _CENTER_FLOOR = 0.65, 0.0009  # factor on the variance, and metres that no number of views removes
_SIZE_SCALE, _SIZE_FLOOR = 1.0, 0.0018
_HEIGHT_SCALE, _HEIGHT_FLOOR = 0.7, 0.0012
_FINEST = 0.001  # metres: no view is better than this


@dataclass(frozen=True)
class FusedSigma:
    """One standard deviation of a fused box.

    Attributes:
        spread: (3, 3) covariance of the centre in the world, square metres.
        size: (3,) of length, width and height, metres.
    """

    spread: Mat3
    size: Vec3

    def center(self, world_from_camera: Mat3) -> Vec3:
        """Return (3,) metres, one standard deviation of the centre along the optical axes.

        Args:
            world_from_camera: (3, 3) rotation.
        """
        return np.sqrt(np.einsum("ji,jk,ki->i", world_from_camera, self.spread, world_from_camera))

    def times(self, factor: float) -> FusedSigma:
        """Return it with all standard deviations multiplied."""
        return FusedSigma(self.spread * factor**2, self.size * factor)


def fuse_sigma(views: list[KeyView], sides: int) -> FusedSigma:
    """Return the uncertainty of the box that is fused from some views of an object.

    Args:
        views: its key views, at least one.
        sides: from how many sides they are.
    """
    shared = 1.0 / np.sqrt(max(sides, 1))
    finest = np.eye(3) * _FINEST**2
    information = np.linalg.inv(np.stack([view.spread for view in views]) + finest).mean(axis=0)
    spread = np.linalg.inv(information) * (_CENTER_SCALE * shared) + np.eye(3) * _CENTER_FLOOR**2
    own = np.stack([view.size_sigma for view in views])
    size = 1.0 / np.mean(1.0 / np.square(np.maximum(own, _FINEST)), axis=0) * (_SIZE_SCALE * shared) + _SIZE_FLOOR**2
    levels = np.maximum([(view.low_sigma, view.high_sigma) for view in views], _FINEST)
    height = (1.0 / np.mean(1.0 / np.square(levels), axis=0)).sum() * (_HEIGHT_SCALE * shared) + _HEIGHT_FLOOR**2
    return FusedSigma(spread, np.sqrt([size[0], size[1], height]))

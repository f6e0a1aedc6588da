"""Which frame of a transform tree is the world, and which one tells where up is.

REP-105 names the frames: ``map`` and ``odom`` are fixed in the world with z up, ``base_link`` (and ``base_footprint``)
are fixed to the robot with z up, ``earth`` is fixed to the planet and says nothing of up. Only the last part of a
namespaced frame id counts (``robot1/odom``).

- The world is the ancestor of the camera nearest to the root that is called ``map``, ``odom`` or ``world``; else the
  root, where anything between it and the camera moves (a sensor rig alone is a tree too, but its root moves with it).
- Up is the z axis of the ancestor nearest to the root that is called ``map``, ``odom`` or ``world``, else
  ``base_footprint`` or ``base_link``. Any other root may lie as it likes: then up is found from the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass

from joyai_ros.bags.config import TransformConfig
from joyai_ros.bags.transforms import TransformBuffer

_FIXED = ("map", "odom", "world")
_UPRIGHT = ("base_footprint", "base_link")
_NEVER = ("earth",)


@dataclass(frozen=True)
class World:
    """The frames that poses and up are taken from; empty where the tree has none."""

    frame: str = ""
    up_frame: str = ""

    @property
    def is_level(self) -> bool:
        """Whether the z axis of the world points up."""
        return bool(self.frame) and self.frame == self.up_frame


def find_world(buffer: TransformBuffer, camera_frame: str, config: TransformConfig) -> World:
    """Return the world of a camera by the rules above; frames that the settings name come first."""
    ancestors = buffer.chain(camera_frame)[1:]
    from_root = ancestors[::-1]
    fixed = next((frame for frame in from_root if _last(frame) in _FIXED), "")
    upright = next((frame for frame in from_root if _last(frame) in _UPRIGHT), "")
    moving_root = from_root[0] if buffer.moves(camera_frame) and _last(from_root[0]) not in _NEVER else ""
    return World(
        frame=config.world_frame or fixed or moving_root,
        up_frame=config.up_frame or fixed or upright,
    )


def _last(frame: str) -> str:
    return frame.rsplit("/", 1)[-1]

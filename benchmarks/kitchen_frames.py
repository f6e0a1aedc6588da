"""The frames of the kitchen recording, one by one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from joyai_ros.cli.files import Rig, read_color, read_depth, read_pose, read_rig
from joyai_ros.errors import CameraError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mat4
from joyai_ros.geometry.registration import register_depth
from joyai_ros.scene.observation import Observation

DATA = Path(os.environ.get("JOYAI_DATA", Path(__file__).parents[2] / "shared" / "data")) / "kitchen"


@dataclass(frozen=True)
class KitchenFrame:
    """One frame as recorded.

    Attributes:
        number: in the recording, at 30 frames a second.
        color: (H, W, 3) uint8 RGB of the colour camera.
        raw_depth: (H, W) float32 metres of the depth camera, not registered.
        observation: the same with registered depth, posed in the recording's world.
        world_from_depth: (4, 4) recorded pose of the depth camera.
    """

    number: int
    color: ColorImage
    raw_depth: DepthImage
    observation: Observation
    world_from_depth: Mat4


class Kitchen:
    """The recording in a folder.

    Raises:
        CameraError: the folder has no camera file with two cameras.
    """

    def __init__(self, folder: Path = DATA) -> None:
        self.folder = folder
        self.rig: Rig = read_rig(folder / "camera.json")
        self.numbers = sorted(int(file.name[6:12]) for file in folder.glob("frame-*.color.jpg"))
        self.frame = lru_cache(maxsize=128)(self._read)

    def pairs(self, apart: int) -> list[tuple[int, int]]:
        """Return all (source, target) frame numbers so far apart, the target later."""
        return [(number, number + apart) for number in self.numbers if number + apart in set(self.numbers)]

    def before(self, number: int, count: int, without: int | None = None) -> list[int]:
        """Return up to ``count`` frame numbers before this one, newest first, leaving one out."""
        return [other for other in reversed(self.numbers) if other < number and other != without][:count]

    def _read(self, number: int) -> KitchenFrame:
        stem = f"frame-{number:06d}"
        color = read_color(self.folder / f"{stem}.color.jpg")
        depth = read_depth(self.folder / f"{stem}.depth.png", self.rig)
        world_from_depth = read_pose(self.folder / f"{stem}.pose.txt")
        if self.rig.depth is None or self.rig.color_from_depth is None:
            raise CameraError(f"{self.folder / 'camera.json'}: expected two cameras")
        observation = Observation(
            color=color,
            camera=self.rig.color,
            depth=register_depth(depth, self.rig.depth, self.rig.color, self.rig.color_from_depth),
            stamp=round(number / 30.0 * 1e9),
            world_from_camera=np.asarray(world_from_depth @ rigid.inverse(self.rig.color_from_depth)),
            world_frame="reconstruction",
        )
        return KitchenFrame(number, color, depth, observation, world_from_depth)


def pose_between(source: Mat4, target: Mat4) -> Mat4:
    """Return (4, 4) ``source_from_target`` of two camera-to-world poses."""
    return np.asarray(rigid.inverse(source) @ target)

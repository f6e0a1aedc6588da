"""Ray-cast frames of known things on a table, and the comparison of a scene with what is there.

The world is metres, z up, the table's top at z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.raycast import Block, Seen, Solid, look, pose_towards
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.types import Scene, SceneObject

CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
SMALL = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)
EYE, TARGET = (0.0, -0.9, 0.6), (0.0, 0.0, 0.05)
TABLE: list[Solid] = [Block((0.0, 0.0, -0.02), (1.4, 1.2, 0.04))]
NOISE = 0.0015  # metres at one metre, growing with the square of depth: a good RGB-D camera


@dataclass(frozen=True)
class Shot:
    """A frame and what is in it."""

    observation: Observation
    seen: Seen
    pose: np.ndarray  # world_from_camera

    def asked(self, how: str, *names: str) -> Observation:
        """The frame pointed at by ``boxes`` or ``masks`` of these things (default: all on the table), or by ``nothing``."""
        if how == "nothing":
            return replace(self.observation, detections=None)
        names = names or tuple(n for n in self.seen.names if n != "table" and self.seen.mask(n).any())
        found = (Detection(n, n, self.seen.box(n), mask=self.seen.mask(n) if how == "masks" else None) for n in names)
        return replace(self.observation, detections=tuple(found))

    def in_world(self, item: SceneObject) -> np.ndarray:
        """(3,) the centre of an object's box in the world."""
        return rigid.apply(self.pose, item.obb.center)

    def named(self, scene: Scene) -> dict[str, SceneObject]:
        """Objects by the name of the thing that most of their pixels are on."""
        found = {}
        for item in scene.objects:
            left, top = int(item.box[0]), int(item.box[1])
            owners = self.seen.owner[top : top + item.mask.shape[0], left : left + item.mask.shape[1]][item.mask]
            found[self.seen.names[int(np.bincount(owners[owners >= 0]).argmax())]] = item
        return found


def shoot(
    things: dict[str, Sequence[Solid]],
    camera: Camera = CAMERA,
    eye: Sequence[float] = EYE,
    target: Sequence[float] = TARGET,
    roll: float = 0.0,
    noise: float = 0.0,
    up: str = "given",
    table: Sequence[Solid] | None = None,
    seed: int = 0,
) -> Shot:
    """Return a frame of things on a table, pointed at by nothing yet.

    Args:
        things: name -> solids; the world is z up.
        camera, eye, target, roll: of the view.
        noise: of depth, see :data:`NOISE`.
        up: ``given``, ``tf`` (a camera pose) or ``unknown``.
        table: what things stand on; an empty list for nothing.
        seed: of noise and colours.
    """
    random = np.random.default_rng(seed)
    pose = pose_towards(eye, target, roll)
    furniture = TABLE if table is None else table
    seen = look({"table": furniture, **things} if furniture else things, camera, pose)
    measured = seen.depth + random.normal(size=camera.shape) * noise * np.square(seen.depth)
    palette = random.integers(40, 215, (len(seen.names) + 1, 3))
    grain = random.integers(-10, 11, (*camera.shape, 1))
    observation = Observation(
        color=np.clip(palette[seen.owner] + grain, 0, 255).astype(np.uint8),
        camera=camera,
        depth=np.where(seen.depth > 0, measured, 0.0).astype(np.float32),
        up=pose[2, :3] if up == "given" else None,
        world_from_camera=pose if up == "tf" else None,
    )
    return Shot(observation, seen, pose)


def block(
    right: float, forward: float, size: Sequence[float], heading: float = 0.0, bottom: float = 0.0
) -> list[Solid]:
    """A box standing at a place of the table."""
    return [Block((right, forward, bottom + size[2] / 2.0), size, heading)]


def without_depth(shot: Shot, hole: np.ndarray) -> Shot:
    """The same frame with no depth reading where ``hole`` (H, W) is true."""
    depth = np.where(hole, np.float32(0), shot.observation.depth)
    return replace(shot, observation=replace(shot.observation, depth=depth))

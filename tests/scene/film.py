"""Films of things on a table: a sequence of ray-cast frames, watched by one engine, and what it makes of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.raycast import Solid
from benchmarks.scene_checks import complaints
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.config import SceneConfig, TrackingConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.fuse_views import KeyView, KeyViews
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.scene.types import Scene, SceneObject
from tests.scene.stage import NOISE, SMALL, Shot, shoot

STEP = 0.1  # seconds between frames
TARGET = (0.0, 0.0, 0.04)


@dataclass(frozen=True)
class Take:
    """One frame of a film and the scene that it gave."""

    shot: Shot
    scene: Scene

    @property
    def seen(self) -> dict[str, SceneObject]:
        """Objects that the frame shows, by the name of the thing."""
        visible = tuple(item for item in self.scene.objects if item.visible)
        return self.shot.named(replace(self.scene, objects=visible))

    @property
    def ids(self) -> dict[str, str]:
        """Their ids by the name of the thing."""
        return {name: item.id for name, item in self.seen.items()}

    @property
    def remembered(self) -> dict[str, SceneObject]:
        """Objects that it does not show, by id."""
        return {item.id: item for item in self.scene.objects if not item.visible}

    def box(self, item: SceneObject) -> OrientedBox:
        """An object's box in the world."""
        return item.obb.transformed(self.shot.pose)


def around(degrees: float, distance: float = 0.85, height: float = 0.55) -> tuple[float, float, float]:
    """A place from which to look at the table's middle; 0 degrees is in front, more is further to the right."""
    angle = np.radians(degrees)
    return float(distance * np.sin(angle)), float(-distance * np.cos(angle)), height


class Film:
    """One engine and the table before it.

    Args:
        things: name -> solids; change ``film.things`` between frames.
        how: objects are pointed at by ``boxes``, ``masks`` or ``nothing``.
        noise: of depth.
        settings: of :class:`TrackingConfig`.
    """

    def __init__(self, things: dict[str, list[Solid]], how: str = "boxes", noise: float = NOISE, **settings) -> None:
        self.engine = SceneEngine(SceneConfig(tracking=TrackingConfig(**settings)))
        self.things, self.how, self.noise = dict(things), how, noise
        self.colors: dict[str, str] = {}  # things that look like another
        self.seconds, self.count, self.height = 100.0, 0, 0.55

    def shoot(self, degrees: float = 0.0, target: Sequence[float] = TARGET, names: Sequence[str] | None = None) -> Shot:
        """One frame with colours that stay with their things, pointed at ``names`` (default: all that is in sight)."""
        self.count += 1
        shot = shoot(
            self.things, SMALL, around(degrees, height=self.height), target, noise=self.noise, up="tf", seed=self.count
        )
        grain = np.random.default_rng(self.count).integers(-10, 11, (*SMALL.shape, 1))
        palette = np.array([color_of(self.colors.get(name, name)) for name in (*shot.seen.names, "")])
        color = np.clip(palette[shot.seen.owner] + grain, 0, 255).astype(np.uint8)
        stamp = round(self.seconds * 1e9)
        shot = replace(shot, observation=replace(shot.observation, color=color, stamp=stamp))
        if names is None:
            names = [name for name in self.things if shot.seen.mask(name).sum() > 60]
        return replace(shot, observation=shot.asked(self.how, *names) if names else _nobody(shot.observation, self.how))

    def take(
        self,
        degrees: float = 0.0,
        target: Sequence[float] = TARGET,
        names: Sequence[str] | None = None,
        change: Callable[[Observation], Observation] = lambda observation: observation,
        after: float = STEP,
    ) -> Take:
        """Shoot a frame ``after`` so many seconds, let ``change`` alter it, and process it."""
        self.seconds += after
        shot = self.shoot(degrees, target, names)
        shot = replace(shot, observation=change(shot.observation))
        scene = self.engine.process(shot.observation)
        assert complaints(scene) == []
        return Take(shot, scene)

    def views(self, name: str) -> KeyViews:
        """A copy of the key views that the engine keeps of the object with this id."""
        assert self.engine._tracker is not None
        (track,) = [track for track in self.engine._tracker._tracks if track.id == name]
        return copied(*track.views.views)

    def pan(self, *degrees: float, **more) -> list[Take]:
        """Take one frame from each of these sides."""
        return [self.take(angle, **more) for angle in degrees]


def copied(*views: KeyView) -> KeyViews:
    """Key views as one would find them before any fit."""
    found = KeyViews()
    found.views = list(views)
    return found


def color_of(name: str) -> np.ndarray:
    """(3,) RGB of a thing, the same wherever it is."""
    return np.random.default_rng(zlib.crc32(name.encode())).integers(40, 215, 3)


def _nobody(observation: Observation, how: str) -> Observation:
    return replace(observation, detections=None if how == "nothing" else ())


def nameless(random: np.random.Generator) -> Callable[[Observation], Observation]:
    """What a plain detector makes of a frame: no labels, ids and order anew each time."""

    def change(observation: Observation) -> Observation:
        found = list(observation.detections or ())
        order = random.permutation(len(found))
        detections = [Detection(f"{k}", "", found[i].box, mask=found[i].mask) for k, i in enumerate(order)]
        return replace(observation, detections=tuple(detections))

    return change


def without_pose(observation: Observation) -> Observation:
    """The frame where TF has a gap: gravity is known from elsewhere, the pose is not."""
    assert observation.world_from_camera is not None
    return replace(observation, world_from_camera=None, up=observation.world_from_camera[2, :3])

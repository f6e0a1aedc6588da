"""What a simulated scene is, before anything is drawn: plain frozen data, metres and radians, world z up.

The world's origin lies on the floor under the centre of the table.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.cameras import Camera
from joyai_ros.sim.shapes import NOUNS, Dimensions

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Texture:
    """A surface's look.

    Attributes:
        pattern: ``plain``, ``checker``, ``stripes`` or ``noise``.
        color: base colour, RGB within [0, 1].
        second: the pattern's other colour; the same as ``color`` for a plain one.
        scale: metres for one repeat.
        seed: of the noise.
        gloss: strength of the highlight within [0, 1].
    """

    pattern: str
    color: Triple
    second: Triple
    scale: float
    seed: int
    gloss: float


@dataclass(frozen=True)
class ObjectDescription:
    """One object as it is put down; where it comes to rest is the simulation's.

    Attributes:
        id: kind and number, unique within the scene.
        kind: a name in :data:`joyai_ros.sim.shapes.KINDS`.
        color: colour name.
        dimensions: (name, metres) of the shape.
        texture: its look.
        position: of the body's origin, metres.
        quaternion: world from body, (x, y, z, w).
        placed: ``table``, ``on:ID``, ``in:ID`` or ``beside:ID``: how it was put down.
        reflective: whether depth sensors lose parts of it.
        lying: whether its axis lies level.
    """

    id: str
    kind: str
    color: str
    dimensions: Dimensions
    texture: Texture
    position: Triple
    quaternion: tuple[float, float, float, float]
    placed: str
    reflective: bool
    lying: bool

    @property
    def label(self) -> str:
        """Colour and kind, such as "red mug"; not always unique in a scene."""
        return f"{self.color} {NOUNS.get(self.kind, self.kind)}"


@dataclass(frozen=True)
class Table:
    """The table: a rectangular or round top on legs, its upper side at ``height``."""

    length: float
    width: float
    height: float
    thickness: float
    round: bool
    yaw: float
    texture: Texture


@dataclass(frozen=True)
class Wall:
    """A wall: its foot's middle, and the yaw of the direction it faces."""

    position: Triple
    yaw: float
    texture: Texture


@dataclass(frozen=True)
class Light:
    """A directional light.

    Attributes:
        position: metres; where its shadow map is taken from.
        direction: the way the light goes, unit.
        intensity: diffuse strength.
        shadow: whether it casts shadows.
    """

    position: Triple
    direction: Triple
    intensity: float
    shadow: bool


@dataclass(frozen=True)
class DepthNoise:
    """What a depth sensor does to a true depth; see :mod:`joyai_ros.sim.sensors` for the formulas.

    Attributes:
        model: ``stereo``, ``structured_light`` or ``time_of_flight``.
        strength: factor on the model's standard deviation.
        edge_loss: chance that a pixel at a depth edge is lost.
        hole_density: lost patches per reflective object.
    """

    model: str
    strength: float
    edge_loss: float
    hole_density: float


@dataclass(frozen=True)
class ColorNoise:
    """What a colour camera does to a drawn image: exposure factor, blur (pixels), grain (standard deviation, grey levels)."""

    exposure: float
    blur: float
    grain: float


@dataclass(frozen=True)
class CameraPlacement:
    """A camera and where it looks from.

    Attributes:
        sensor: the name of its kind.
        camera: intrinsics.
        target: the point looked at, metres.
        distance: metres from the target.
        azimuth: direction from the target to the camera about z, from x.
        elevation: above the horizontal.
        roll: about the optical axis.
    """

    sensor: str
    camera: Camera
    target: Triple
    distance: float
    azimuth: float
    elevation: float
    roll: float


@dataclass(frozen=True)
class SceneDescription:
    """Everything that a seed means."""

    name: str
    seed: int
    dense: bool
    objects: tuple[ObjectDescription, ...]
    table: Table
    floor: Texture
    walls: tuple[Wall, ...]
    lights: tuple[Light, ...]
    ambient: float
    view: CameraPlacement
    depth_noise: DepthNoise
    color_noise: ColorNoise

    def fingerprint(self) -> str:
        """Return a SHA-256 over all values, numbers rounded to a nanometre, so that it is the same on every machine."""
        text = json.dumps(_rounded(dataclasses.asdict(self)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(np.round(value, 9)) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value

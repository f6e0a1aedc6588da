"""What a store holds: frames with their objects, questions about them, and pairs of views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mask, Mat4, Points, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.scene.types import SceneObject
from joyai_ros.training.data.masks import Runs, mask_of


@dataclass(frozen=True)
class SeenObject:
    """One object in one frame.

    Attributes:
        measured: its boxes, sizes and uncertainties in the colour optical frame; ``box`` is that round its mask, None
            where the frame shows nothing of it. Its own ``mask`` stays empty: it is ``runs``.
        kind: its label without a colour.
        color: one of :data:`joyai_ros.understanding.tasks.COLORS`; empty where unknown.
        visibility: share of it that the image shows, 0 to 1.
        exact: visibility and boxes are known from a simulator; else measured.
        runs: its mask within ``measured.box``.
        cloud: (N, 3) float32 metres in the optical frame, a few of its measured points.
        gaps: to other objects between closest points, metres, by id; where a simulator knows the shapes, not only their boxes.
    """

    measured: SceneObject
    kind: str
    color: str
    visibility: float
    exact: bool
    runs: Runs
    cloud: Points
    gaps: tuple[tuple[str, float], ...] = ()

    @property
    def id(self) -> str:
        """Its id within the scene."""
        return self.measured.id

    def mask(self) -> Mask:
        """Return its (h, w) mask within its box.

        Raises:
            ValueError: the runs are not those of the box.
        """
        if self.measured.box is None:
            return np.zeros((0, 0), dtype=bool)
        x0, y0, x1, y1 = (round(value) for value in self.measured.box)
        return mask_of(self.runs, y1 - y0, x1 - x0)


@dataclass(frozen=True)
class Pixels:
    """The images of a frame while its shard is made: colour (H, W, 3) uint8 and depth (H, W) float32 metres."""

    color: ColorImage
    depth: DepthImage


@dataclass(frozen=True)
class Frame:
    """One frame and its objects.

    Attributes:
        id: unique within the store.
        scene: the scene that it is of; splits go by it.
        stamp: nanoseconds.
        camera: undistorted.
        world_from_camera: (4, 4) pose of the optical frame.
        up: (3,) unit, against gravity, optical frame.
        middle_depth: median of the measured depth, metres.
        objects: in the order of their marks, which differs from frame to frame: a number says nothing about another image.
        image, depth: files of the shard.
        image_hash: SHA-256 of the image's file.
        pixels: the images themselves, while the shard is made.
    """

    id: str
    scene: str
    stamp: int
    camera: Camera
    world_from_camera: Mat4
    up: Vec3
    middle_depth: float
    objects: tuple[SeenObject, ...]
    image: str = ""
    depth: str = ""
    image_hash: str = ""
    depth_hash: str = ""
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Item:
    """One question with its answer.

    Attributes:
        id: unique within the store.
        scene, task: what it is of; a name in the task table.
        frames: ids of the one or two frames shown.
        objects: ids of the objects it is about, in the task's order.
        about: the label or kind that its words name, for tasks that name and do not point.
        words: the question in words, where the task has such.
        template: which wording of the task's prompt; 0 is the table's own.
        named: the prompt names objects by their labels too, not by their marks alone.
        prompt: the whole prompt.
        answer: JSON in the task's format.
        key: by what answers are balanced.
    """

    id: str
    scene: str
    task: str
    frames: tuple[str, ...]
    objects: tuple[str, ...] = ()
    about: str = ""
    words: str = ""
    template: int = 0
    named: bool = True
    prompt: str = ""
    answer: str = ""
    key: str = ""


@dataclass(frozen=True)
class Pair:
    """Two frames of one scene and how the camera moved.

    Attributes:
        id, scene: of the pair.
        source, target: ids of the frames.
        source_from_target: (4, 4) pose of the target's camera in the source's optical frame.
        pivot: (3,) metres in the source's optical frame.
        motion: the orbit about the pivot that comes nearest.
        off_m, off_deg: by how much it misses the true pose.
        seen: share of the target's measured surface that the source sees too.
    """

    id: str
    scene: str
    source: str
    target: str
    source_from_target: Mat4
    pivot: Vec3
    motion: CameraMotion
    off_m: float
    off_deg: float
    seen: float


@dataclass(frozen=True)
class Content:
    """Everything in a shard but the images."""

    frames: tuple[Frame, ...]
    items: tuple[Item, ...]
    pairs: tuple[Pair, ...]

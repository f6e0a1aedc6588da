"""What a store shows to the one who learns to draw: frames of one shape, and pairs that are orbits, with their prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from joyai_ros.errors import DepthError, InputError
from joyai_ros.geometry.arrays import ColorImage, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.buckets import Fitting, buckets, fit
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.requests import MoveCamera
from joyai_ros.models.angles import Angles
from joyai_ros.scene.observation import Observation
from joyai_ros.training.data.records import Frame, Pair
from joyai_ros.training.data.store import ShardEntry, Store
from joyai_ros.training.view.config import ViewTraining


@dataclass(frozen=True)
class MovePair:
    """Two frames, and what the camera did between them.

    Attributes:
        source, target: numbers of the frames.
        motion: an orbit about what the source's middle shows.
        source_from_target: (4, 4) pose of the target's camera in the source's optical frame.
    """

    source: int
    target: int
    motion: CameraMotion
    source_from_target: Mat4

    def prompt(self, angles: Angles, is_mirrored: bool) -> str:
        """Return the words of the motion, or of the one that a mirror shows."""
        motion = self.motion
        turned = CameraMotion(-motion.yaw_deg, motion.pitch_deg, motion.zoom) if is_mirrored else motion
        return MoveCamera(turned, angles).prompt


@dataclass(frozen=True)
class Examples:
    """Frames and pairs of one split of a store.

    Attributes:
        store: where they are read.
        frames: with the shard of each.
        pairs: of them.
        size: (height, width) of all images, pixels.
    """

    store: Store
    frames: tuple[tuple[ShardEntry, Frame], ...]
    pairs: tuple[MovePair, ...]
    size: tuple[int, int]

    def image(self, number: int) -> ColorImage:
        """Return a frame's image (height, width, 3) as the model sees it."""
        entry, frame = self.frames[number]
        return self._fitting(frame.camera).image(self.store.color(entry, frame))

    def images(self) -> NDArray[np.uint8]:
        """Return all frames' images, (N, height, width, 3)."""
        images = np.empty((len(self.frames), *self.size, 3), np.uint8)
        for number in range(len(self.frames)):
            images[number] = self.image(number)
        return images

    def warps(self) -> Iterator[ColorImage]:
        """Yield what each pair's source measured, seen from its target, without holes: (height, width, 3).

        It is what a drawing that begins at the measured surface begins with.
        """
        imaginer, seen, number = DepthImaginer(), None, -1
        for pair in self.pairs:
            if pair.source != number or seen is None:
                number = pair.source
                entry, frame = self.frames[number]
                seen = Observation(
                    color=self.store.color(entry, frame),
                    camera=frame.camera,
                    depth=self.store.depth(entry, frame),
                    stamp=frame.stamp,
                    up=frame.up,
                )
            if seen.depth is None or not seen.depth.any():
                raise DepthError(
                    f"frame {self.frames[number][1].id} has no depth to begin a view at; set move.guided=0"
                )
            camera = self._fitting(seen.camera).camera(seen.camera)
            yield imaginer.imagine_pose(seen, pair.source_from_target, camera, is_exact=True).image

    def description(self, number: int) -> str:
        """Return in words what a frame shows, nearest first: what the model draws from words alone."""
        visible = [item for item in self.frames[number][1].objects if item.measured.box is not None]
        near = sorted(visible, key=lambda item: float(np.linalg.norm(item.measured.obb.center)))
        things = [item.measured.label for item in near if item.visibility > 0.3]
        return f"A picture of a table with {', '.join(f'a {thing}' for thing in things) or 'nothing on it'}."

    def _fitting(self, camera: Camera) -> Fitting:
        return fit(camera.size, [self.size])


def read_examples(config: ViewTraining, split: str = "train") -> Examples:
    """Return what a store's split has to learn from.

    Raises:
        StoreError: there is no store, or it is damaged.
        InputError: it has no frames of this split, frames of several shapes, or no pairs.
        BucketError: there is no such size.
    """
    from diffusers.pipelines.joyimage.image_processor import BUCKETS

    store = Store(Path(config.data))
    frames: list[tuple[ShardEntry, Frame]] = []
    found: list[Pair] = []
    for entry in store.shards(split):
        content = store.read(entry)
        frames += [(entry, frame) for frame in content.frames]
        found += content.pairs
    if not frames:
        raise InputError(f"{config.data} has no frames to learn from in the split {split}; build more scenes")
    known = buckets(config.size, BUCKETS[1024])
    shapes = {fit(frame.camera.size, known).bucket for _, frame in frames}
    if len(shapes) > 1:
        raise InputError(
            f"frames of {config.data} have {len(shapes)} shapes ({', '.join(f'{w}x{h}' for w, h in sorted(shapes))}); "
            "train on stores of cameras of one shape"
        )
    width, height = shapes.pop()
    numbers = {frame.id: number for number, (_, frame) in enumerate(frames)}
    pairs = [
        MovePair(numbers[pair.source], numbers[pair.target], pair.motion, pair.source_from_target)
        for pair in found
        if _is_asked(pair, config)
    ]
    pairs.sort(key=lambda pair: pair.source)
    if 0 < config.most_pairs < len(pairs):
        pairs = [pairs[int(place)] for place in np.linspace(0, len(pairs) - 1, config.most_pairs)]
    return Examples(store, tuple(frames), tuple(pairs), (height, width))


def _is_asked(pair: Pair, config: ViewTraining) -> bool:
    """Whether a pair is an orbit of the kind that the model is to know."""
    motion = pair.motion
    return (
        abs(motion.yaw_deg) <= config.most_yaw
        and abs(motion.pitch_deg) <= config.most_pitch
        and 1.0 / config.most_zoom <= motion.zoom <= config.most_zoom
        and pair.off_deg <= config.most_off_deg
        and pair.off_m <= config.most_off_m
    )

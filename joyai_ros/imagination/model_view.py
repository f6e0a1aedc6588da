"""Views drawn by a model, as cameras: what was drawn is held against the measured surface before anybody relies on it.

A model is told a camera motion in words and moves the camera about as far. So a drawn view is aligned with the measured
surface: where that succeeds the view has an estimated pose, the depth and validity of the surface seen from there, and a
verdict; where it fails, or where there is no depth, the view is flagged unverified and says nothing of depth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from joyai_ros.errors import ConfigError, DepthError
from joyai_ros.geometry.arrays import ColorImage, Mat4, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import SEEN, UNKNOWN, View
from joyai_ros.imagination.buckets import BASES, Fitting, buckets, fit
from joyai_ros.imagination.consistency import ConsistencyConfig, Verdict, check_view, judged
from joyai_ros.imagination.depth_view import DepthImaginer, up_or_image
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import SEEDS, Drawn, DrawRequest, IsCanceled, OnStep
from joyai_ros.imagination.requests import MoveCamera, RequestError, split
from joyai_ros.models.angles import Angles
from joyai_ros.scene.observation import Observation

Warp = Callable[[Mat4, Camera], View]  # the measured surface from a pose in the frame's optical frame, for a camera
_FEATHER = 6.0  # pixels over which kept pixels pass into drawn ones


class Draws(Protocol):
    """Draws images; ``mmdit.sampler.Sampler`` does."""

    def draw(
        self,
        requests: Sequence[DrawRequest],
        size: tuple[int, int],
        preset: Preset,
        on_step: OnStep | None = None,
        is_canceled: IsCanceled | None = None,
    ) -> Drawn:
        """Draw one image for each request, each of ``size`` (height, width)."""


@dataclass(frozen=True)
class Drawing:
    """How a view is drawn.

    Attributes:
        preset: how many steps, with how much guidance.
        size: pixels along the side of a square view, one of ``buckets.BASES``; 0: the largest that the image fills.
        seed: of the noise.
        strength: share of the way from noise to the view that is gone: below 1 it begins at the measured surface, seen
            from the commanded pose, and takes that share of the steps; needs depth.
        show_surface: whether that surface is shown to the model as a second image, for which it must take several; needs
            depth.
        keep_seen: whether pixels that the sensor saw replace drawn ones, where the view's pose is known.

    Raises:
        ConfigError: on construction, for a strength or seed that is none.
        BucketError: on construction, for a size that is none.
    """

    preset: Preset
    size: int = 0
    seed: int = 0
    strength: float = 1.0
    show_surface: bool = False
    keep_seen: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.strength <= 1.0:
            raise ConfigError(f"strength is {self.strength}; it is above 0, and at most 1, which draws from noise")
        if not 0 <= self.seed < SEEDS:
            raise ConfigError(f"seed {self.seed} is none; give a whole number from 0 to 2^63 - 1")
        if self.size:
            buckets(self.size, ())


@dataclass(frozen=True)
class ModelView:
    """A drawn view, and how it came about.

    Attributes:
        view: with its flags.
        drawn: (H, W, 3) uint8 RGB as the model gave it, before seen pixels were kept.
        verdict: what geometry says; None without depth.
        prompts: one for each part of the motion.
        steps, rows: calls of the network, and rows through it, of all parts together.
        seconds: for conditioning and references, for the steps, for decoding, and for the check.
    """

    view: View
    drawn: ColorImage
    verdict: Verdict | None
    prompts: tuple[str, ...]
    steps: int
    rows: int
    seconds: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Painted:
    """All parts of a motion, drawn one after the other: the last image, the prompts, and each part's costs."""

    image: ColorImage
    prompts: tuple[str, ...]
    parts: tuple[Drawn, ...]

    def as_view(self, view: View, verdict: Verdict | None, checked: float) -> ModelView:
        """Return what came of it; ``checked``: seconds that the verdict took."""
        prepared, denoised, decoded = (sum(times) for times in zip(*(p.seconds for p in self.parts), strict=True))
        return ModelView(
            view=view,
            drawn=self.image,
            verdict=verdict,
            prompts=self.prompts,
            steps=sum(part.steps for part in self.parts),
            rows=sum(part.rows for part in self.parts),
            seconds=(prepared, denoised, decoded, checked),
        )


@dataclass(frozen=True)
class ModelImaginer:
    """Imagines views of a frame with a model.

    Attributes:
        sampler: draws.
        name: of the model's card.
        shapes: (height, width) buckets of the model at 1024.
        angles: how it counts the angles of a motion, and how far it goes at once.
        parts: a motion beyond that is drawn in at most so many parts, each from the one before.
        check: when a view counts as consistent.
    """

    sampler: Draws
    name: str
    shapes: Sequence[tuple[int, int]]
    angles: Angles = Angles()
    parts: int = 4
    check: ConsistencyConfig = ConsistencyConfig()

    def imagine(
        self,
        observation: Observation,
        motion: CameraMotion,
        how: Drawing,
        pivot: Vec3 | None = None,
        up: Vec3 | None = None,
        warp: Warp | None = None,
        on_step: OnStep | None = None,
        is_canceled: IsCanceled | None = None,
        pose: Mat4 | None = None,
    ) -> ModelView:
        """Return what the camera would see after a motion, as the model draws it.

        Args:
            observation: the frame; without depth the view stays unverified.
            motion: what the camera does.
            how: preset, seed and the like.
            pivot: (3,) metres in the optical frame; None: :func:`joyai_ros.geometry.motion.default_pivot`.
            up: (3,) direction against gravity in the optical frame; None: the observation's, or the image's.
            warp: gives the measured surface; None: from this frame alone.
            on_step: called after each step; steps are counted through all parts.
            is_canceled: asked before each step.
            pose: (4, 4) in the optical frame that the view is wanted from, and held against, where the motion only leads
                near it (``requests.towards``); None: where the motion leads.

        Raises:
            RequestError: the motion needs too many parts.
            DepthError: a view without depth was to begin at the measured surface, or to be shown it.
            BucketError: there is no such size.
            MotionError: as :func:`joyai_ros.geometry.motion.orbit`.
            DrawError: it could not be drawn, or was canceled (``mmdit.errors``).
        """
        up = up_or_image(observation) if up is None else up
        pivot = default_pivot(observation.camera, observation.depth) if pivot is None else pivot
        commanded = orbit(motion, pivot, up) if pose is None else pose
        motions = self._parts(motion)
        fitting = self._fitting(observation.camera, how.size)
        camera = fitting.camera(observation.camera)
        if observation.depth is None or not observation.depth.any():
            warp = None
        elif warp is None:
            warp = _warp_of(observation)
        surfaces: Sequence[ColorImage | None] = [None] * len(motions)
        if how.strength < 1.0 or how.show_surface:
            shares = [part / len(motions) for part in range(1, len(motions))]
            poses = [*(orbit(_share(motion, share), pivot, up) for share in shares), commanded]
            surfaces = _surfaces(warp, poses, camera)
        painted = self._paint(fitting.image(observation.color), motions, surfaces, how, on_step, is_canceled)
        started = time.perf_counter()
        view, verdict = self._judge(painted.image, observation, commanded, camera, warp, how.keep_seen)
        return painted.as_view(replace(view, motion=motion, seed=how.seed), verdict, time.perf_counter() - started)

    def _parts(self, motion: CameraMotion) -> list[CameraMotion]:
        motions = split(motion, self.angles)
        if len(motions) > self.parts:
            raise RequestError(
                f"yaw {motion.yaw_deg:g} and pitch {motion.pitch_deg:g} degrees need {len(motions)} parts of at most "
                f"{self.angles.most_yaw:g} and {self.angles.most_pitch:g}, more than {self.parts}; ask for a smaller motion"
            )
        return motions

    def _fitting(self, camera: Camera, size: int) -> Fitting:
        return fit(camera.size, buckets(size or filled_size(camera.size), self.shapes))

    def _paint(
        self,
        image: ColorImage,
        motions: Sequence[CameraMotion],
        surfaces: Sequence[ColorImage | None],
        how: Drawing,
        on_step: OnStep | None,
        is_canceled: IsCanceled | None,
    ) -> _Painted:
        """Draw part after part, each from the image of the one before."""
        prompts, drawn = [], []
        for index, (motion, surface) in enumerate(zip(motions, surfaces, strict=True)):
            prompts.append(MoveCamera(motion, self.angles).prompt)
            shown = (image, surface) if how.show_surface and surface is not None else (image,)
            start = surface if how.strength < 1.0 else None
            request = DrawRequest(prompts[-1], how.seed, shown, None, start, how.strength)
            counted = _counted(on_step, index, len(motions))
            size = (image.shape[0], image.shape[1])
            drawn.append(self.sampler.draw([request], size, how.preset, counted, is_canceled))
            image = drawn[-1].images[0]
        return _Painted(image, tuple(prompts), tuple(drawn))

    def _judge(
        self,
        image: ColorImage,
        observation: Observation,
        commanded: Mat4,
        camera: Camera,
        warp: Warp | None,
        keep_seen: bool,
    ) -> tuple[View, Verdict | None]:
        """Return the view of a drawn image with its verdict; validity and depth are the surface's from where it is."""
        view = View(
            image=image,
            camera=camera,
            validity=np.full(camera.shape, UNKNOWN, np.uint8),
            source_from_view=commanded,
            stamp=observation.stamp,
            source_frame=observation.frame_id,
            method="model",
            model=self.name,
        )
        world = observation.world_from_camera
        if world is not None:
            view = replace(view, world_from_view=world @ commanded, world_frame=observation.world_frame)
        if warp is None:
            return view, None
        verdict = check_view(image, warp(commanded, camera), observation, self.check)
        view = judged(view, verdict)
        if view.estimated_source_from_view is None:
            return view, verdict
        surface = warp(view.estimated_source_from_view, camera)
        if world is not None:
            view = replace(view, world_from_view=world @ view.estimated_source_from_view)
        kept = with_seen(image, surface) if keep_seen else image
        return replace(view, image=kept, validity=surface.validity, depth=surface.depth), verdict


def filled_size(size: tuple[int, int]) -> int:
    """Return the largest of ``buckets.BASES`` of which an image of (width, height) has the pixels, or the smallest."""
    side = math.sqrt(size[0] * size[1])
    return max((base for base in BASES if base <= side), default=BASES[0])


def with_seen(image: ColorImage, surface: View) -> ColorImage:
    """Return a drawn image with the pixels that the sensor saw over the drawn ones, passing softly into them.

    Args:
        image: (H, W, 3) uint8 RGB.
        surface: the measured surface from the same pose, for the same camera.
    """
    inward = cv2.distanceTransform((surface.validity == SEEN).astype(np.uint8), cv2.DIST_L2, 3)
    weight = np.clip(inward / _FEATHER, 0.0, 1.0)[..., None].astype(np.float32)
    return np.asarray(np.rint(weight * surface.image + (1.0 - weight) * image), dtype=np.uint8)


def _surfaces(warp: Warp | None, poses: Sequence[Mat4], camera: Camera) -> list[ColorImage]:
    """Return the measured surface seen from each of some poses.

    Raises:
        DepthError: there is none.
    """
    if warp is None:
        raise DepthError("a view can begin at the measured surface only where there is depth; draw from noise")
    return [warp(pose, camera).image for pose in poses]


def _share(motion: CameraMotion, share: float) -> CameraMotion:
    return CameraMotion(motion.yaw_deg * share, motion.pitch_deg * share, motion.zoom**share)


def _counted(on_step: OnStep | None, part: int, parts: int) -> OnStep | None:
    """Return a listener that counts the steps of all parts."""
    if on_step is None:
        return None
    listener = on_step
    return lambda step: listener(replace(step, index=step.index + part * step.steps, steps=parts * step.steps))


def _warp_of(observation: Observation) -> Warp:
    imaginer = DepthImaginer()
    return lambda pose, camera: imaginer.imagine_pose(observation, pose, camera, is_exact=True)

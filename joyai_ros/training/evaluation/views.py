"""Views of simulated scenes from elsewhere, drawn and warped, against what the simulator draws from there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Mask, Mat4, Pixels, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.imagination.buckets import Fitting
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.mmdit.errors import DrawError
from joyai_ros.imagination.model_view import Drawing, ModelImaginer
from joyai_ros.scene.observation import Observation
from joyai_ros.sim.frames import SimSettings, observe
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.truth import FrameTruth
from joyai_ros.training.evaluation.camera_error import Renders, best_homography, true_renders
from joyai_ros.training.evaluation.estimates import beyond_chance, bootstrap
from joyai_ros.training.evaluation.image_scores import psnr, ssim
from joyai_ros.training.evaluation.plain_view import plain_view

GRID = tuple((yaw, pitch) for yaw in range(-45, 46, 15) for pitch in range(-20, 21, 10) if (yaw, pitch) != (0, 0))
WITHIN = 10.0  # degrees of yaw
_CLEAR = 0.18  # metres that the camera keeps from everything, as in training data
_SAME, _SAME_SHARE = 0.01, 0.01  # metres, and share of the distance, by which a surface may differ to be the same
_LEAST_UNSEEN = 0.01  # share of a view
_MATCHES = 2000  # correspondences for a homography

Tried = dict[str, Any]


@dataclass(frozen=True)
class Painted:
    """A model that draws, and how.

    Attributes:
        imaginer: the model.
        how: by way: ``model`` from noise, ``guided`` from the measured surface. Of the last one what the sensor saw is kept
            too, as a way of its own, ``kept``.
        fit: gives the model's bucket for a frame of (width, height).
    """

    imaginer: ModelImaginer
    how: dict[str, Drawing]
    fit: Callable[[tuple[int, int]], Fitting]


@dataclass(frozen=True)
class _Stage:
    """One scene: what the robot knows of its first frame, and what is true."""

    sim: TabletopSim
    truth: FrameTruth
    observation: Observation
    fitting: Fitting
    pivot: Vec3
    renders: Renders

    @property
    def camera(self) -> Camera:
        return self.fitting.camera(self.observation.camera)

    @property
    def input(self) -> ColorImage:
        return self.fitting.image(self.observation.color)


def motions_of(number: int, poses: int, seed: int) -> list[tuple[int, int]]:
    """Return the yaw and pitch that scene ``number`` is asked for, degrees: the grid is dealt out evenly over the scenes."""
    dealt: list[tuple[int, int]] = []
    for place in range(number * poses, (number + 1) * poses):
        turn, index = divmod(place, len(GRID))
        dealt.append(GRID[int(np.random.default_rng([seed, 45, turn]).permutation(len(GRID))[index])])
    return dealt


def score_scene(
    seed: int,
    motions: Sequence[tuple[int, int]],
    fitting: Callable[[tuple[int, int]], Fitting],
    painted: Painted | None,
    with_depth: bool,
) -> Iterator[tuple[Tried, ColorImage]]:
    """Yield the scores of each view of one scene, and its pictures side by side.

    Args:
        seed: of the scene.
        motions: (yaw, pitch) in degrees.
        fitting: to what size views of a frame of (width, height) are brought.
        painted: the model; None for depth alone.
        with_depth: whether depth views are scored too.

    Raises:
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
    """
    with TabletopSim(seed) as sim:
        truth = sim.truth(whole=False)
        observation = observe(sim.description, truth, 0, 1, SimSettings(), "none")
        fitted = fitting(observation.camera.size)
        pivot = default_pivot(observation.camera, observation.depth)
        renders = true_renders(sim, truth.world_from_camera, fitted.camera(truth.camera), pivot, truth.up)
        stage = _Stage(sim, truth, observation, fitted, pivot, renders)
        for yaw, pitch in motions:
            found = _score_view(stage, seed, CameraMotion(yaw, pitch), painted, with_depth)
            if found is not None:
                yield found


def _score_view(
    stage: _Stage, seed: int, motion: CameraMotion, painted: Painted | None, with_depth: bool
) -> tuple[Tried, ColorImage] | None:
    """Return the scores of one view; None where no camera can stand there."""
    try:
        source_from_view = orbit(motion, stage.pivot, stage.truth.up)
    except MotionError:  # past straight down
        return None
    pose = stage.truth.world_from_camera @ source_from_view
    depth = stage.sim.render_depth(pose, stage.camera).depth
    if not depth.any() or depth[depth > 0].min() < _CLEAR:
        return None
    true = stage.fitting.image(stage.sim.render(pose, stage.truth.camera))
    unseen, source_pixels, true_pixels = _sight(stage, source_from_view, depth)
    pictures = {"input": stage.input}
    pictures["homography"] = best_homography(stage.input, true, source_pixels, true_pixels)
    if with_depth:
        pictures["warp"] = _plain(stage, source_from_view)
        pictures["depth"] = _by_depth(stage, source_from_view)
    said: dict[str, str] = {}
    failures: dict[str, str] = {}
    if painted is not None:
        pictures |= _drawn(stage, seed, motion, painted, said, failures)
    scores = {way: _scores(picture, true, unseen, stage.renders, motion) for way, picture in pictures.items()}
    tried: Tried = {
        "id": f"{seed}/{motion.yaw_deg:g}/{motion.pitch_deg:g}",
        "scene": str(seed),
        "yaw": motion.yaw_deg,
        "pitch": motion.pitch_deg,
        "unseen": float(unseen.mean()),
        "ways": scores,
        "consistency": said,
        "failures": failures,
    }
    return tried, np.hstack([*(pictures[way] for way in pictures), true])


def _drawn(
    stage: _Stage, seed: int, motion: CameraMotion, painted: Painted, said: dict[str, str], failures: dict[str, str]
) -> dict[str, ColorImage]:
    """Return what a model draws, by way; what the check says of it goes into ``said``, what failed into ``failures``."""
    pictures: dict[str, ColorImage] = {}
    for way, how in painted.how.items():
        try:
            made = painted.imaginer.imagine(
                stage.observation, motion, _seeded(how, seed, motion), stage.pivot, stage.truth.up
            )
            pictures[way], kept = made.drawn, made.view.image
            said[way] = made.view.consistency.name.lower()
        except DrawError as error:  # counted as a picture that shows nothing
            kept = pictures[way] = np.full_like(stage.input, 127)
            failures[way] = str(error)
    return pictures | {"kept": kept}


def _sight(stage: _Stage, source_from_view: Mat4, depth: Any) -> tuple[Mask, Pixels, Pixels]:
    """Return which pixels of a view show a surface that the first frame does not, and pixels of points that both see.

    It is the simulator's own depth that tells, without noise, not what the engine says of itself.
    """
    camera, frame = stage.camera, stage.truth.camera
    points = rigid.apply(source_from_view, camera.cloud(depth).reshape(-1, 3).astype(np.float64))
    pixels = frame.project(points)
    rounded = np.rint(np.nan_to_num(pixels, nan=-1.0, posinf=-1.0, neginf=-1.0))
    there = (depth.ravel() > 0) & (points[:, 2] > 0)
    inside = there & (rounded >= 0).all(axis=1) & (rounded < frame.size).all(axis=1)
    columns, rows = rounded[inside].astype(np.intp).T
    seen = np.zeros(len(points), bool)
    gap = np.abs(stage.truth.depth[rows, columns] - points[inside, 2])
    seen[np.flatnonzero(inside)] = gap < _SAME + _SAME_SHARE * points[inside, 2]
    chosen = np.flatnonzero(seen)
    chosen = chosen[:: max(len(chosen) // _MATCHES, 1)]
    true_pixels = np.stack([chosen % camera.width, chosen // camera.width], axis=1).astype(np.float64)
    return (there & ~seen).reshape(depth.shape), camera.project(points[chosen]), true_pixels


def _plain(stage: _Stage, source_from_view: Mat4) -> ColorImage:
    """Return the plain warp: every pixel splatted to the nearest one, the rest filled by ``cv2.inpaint``."""
    seen = stage.observation
    assert seen.depth is not None
    warped, _ = plain_view(seen.color, seen.depth, seen.camera, rigid.inverse(source_from_view))
    return stage.fitting.image(warped)


def _by_depth(stage: _Stage, source_from_view: Mat4) -> ColorImage:
    view = DepthImaginer().imagine_pose(stage.observation, source_from_view, is_exact=True)
    return stage.fitting.image(view.image)


def _seeded(how: Drawing, seed: int, motion: CameraMotion) -> Drawing:
    """Return the same with noise of its own for each view."""
    drawn = np.random.default_rng([seed, round(motion.yaw_deg) + 360, round(motion.pitch_deg) + 360])
    return replace(how, seed=int(drawn.integers(2**31)))


def _scores(picture: ColorImage, true: ColorImage, unseen: Mask, renders: Renders, motion: CameraMotion) -> Tried:
    yaw, pitch = renders.nearest(picture)
    has_unseen = unseen.mean() >= _LEAST_UNSEEN
    return {
        "psnr": psnr(picture, true),
        "ssim": ssim(picture, true),
        "psnr_unseen": psnr(picture, true, unseen) if has_unseen else None,
        "psnr_seen": psnr(picture, true, ~unseen),
        "yaw_error": abs(yaw - motion.yaw_deg),
        "pitch_error": abs(pitch - motion.pitch_deg),
    }


def summarise_views(tried: Sequence[Tried], seed: int) -> dict[str, dict[str, Any]]:
    """Return the figures of each way of making views."""
    asked = [view["yaw"] for view in tried]
    chance = max(float(np.mean([abs(yaw - guess) <= WITHIN for yaw in asked])) for guess in range(-60, 61, 5))
    ways = dict.fromkeys(way for view in tried for way in view["ways"])
    return {way: _figures(way, tried, chance, seed) for way in ways}


def _figures(way: str, tried: Sequence[Tried], chance: float, seed: int) -> dict[str, Any]:
    views = [view for view in tried if way in view["ways"]]
    scenes = [view["scene"] for view in views]
    scores = [view["ways"][way] for view in views]
    hits = [float(score["yaw_error"] <= WITHIN) for score in scores]
    accuracy = float(np.mean(hits))
    said = [view["consistency"][way] for view in views if way in view["consistency"]]
    figures: dict[str, Any] = {
        "metric": f"share whose best true render is within {WITHIN:g} degrees of the asked yaw",
        "n": len(views),
        "accuracy": accuracy,
        "chance": chance,
        "chance_adjusted": beyond_chance(accuracy, chance),
        "interval": list(bootstrap(hits, scenes, seed)),
        "by_yaw": {f"{yaw:g}": _share(views, way, yaw) for yaw in sorted({view["yaw"] for view in views})},
        "yaw_error_median": float(np.median([score["yaw_error"] for score in scores])),
        "psnr": _mean(scores, "psnr"),
        "ssim": _mean(scores, "ssim"),
        "psnr_seen": _mean(scores, "psnr_seen"),
        "psnr_unseen": _mean(scores, "psnr_unseen"),
        "unseen": float(np.mean([view["unseen"] for view in views])),
        "consistent": said.count("consistent") / len(said) if said else None,
        "failures": sum(way in view["failures"] for view in views),
    }
    for other in ("input", "homography", "warp"):
        if other != way and all(other in view["ways"] for view in views):
            figures[f"over_{other}"] = _gain(views, way, other, "psnr", seed)
            figures[f"over_{other}_unseen"] = _gain(views, way, other, "psnr_unseen", seed)
    return figures


def _share(views: Sequence[Tried], way: str, yaw: float) -> float:
    """Return the share of views at one asked yaw that are found there."""
    return float(np.mean([view["ways"][way]["yaw_error"] <= WITHIN for view in views if view["yaw"] == yaw]))


def _mean(scores: Sequence[Tried], name: str) -> float | None:
    known = [score[name] for score in scores if score[name] is not None and math.isfinite(score[name])]
    return float(np.mean(known)) if known else None


def _gain(views: Sequence[Tried], way: str, other: str, name: str, seed: int) -> dict[str, Any] | None:
    """Return by how many dB one way is better than another on the same views, with its interval."""
    pairs = [(view["ways"][way][name], view["ways"][other][name], view["scene"]) for view in views]
    known = [(a - b, scene) for a, b, scene in pairs if a is not None and b is not None]
    if not known:
        return None
    gains = [gain for gain, _ in known]
    interval = bootstrap(gains, [scene for _, scene in known], seed)
    return {"mean": float(np.mean(gains)), "interval": list(interval)}

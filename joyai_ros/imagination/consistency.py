"""Whether a generated view shows what was measured, from where it was asked for.

The measured surface is warped to the commanded pose; the generated picture is aligned with it
(:mod:`joyai_ros.imagination.alignment`), the surface is warped again to where the picture seems to be from, and aligned once
more. The rest is arithmetic: how far the pose is from the commanded one, and how well the structure of both pictures agrees
where the surface was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.special import ndtr

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, Mask, Mat4
from joyai_ros.geometry.view import SEEN, Consistency, View
from joyai_ros.imagination.alignment import Alignment, align, local_correlation
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.scene.observation import Observation

_WINDOW = 11  # pixels over which pictures are correlated
_TEXTURE = 3.0  # grey levels; flatter places say nothing
_LEAST_WIDTH = 384  # pixels; narrower pictures are enlarged: windows and the grid of matches have sizes in pixels
_SPREAD = 3.0  # times the alignment's own sigma: what it errs in truth (benchmarks/view_consistency.py)
_FINEST = 0.003  # radians: no pose is known better
_SOFTNESS = 0.0017  # radians; drawn pictures are about so soft, and are matched better with a surface that is too


@dataclass(frozen=True)
class ConsistencyConfig:
    """When a view counts as consistent.

    Attributes:
        angle: radians that its pose may be turned from the commanded one.
        share: of the distance to the scene, by which its place may be off.
        agreement: least correlation of its structure with the measured surface, -1 to 1.
    """

    angle: float = 0.044
    share: float = 0.05
    agreement: float = 0.35


@dataclass(frozen=True)
class Verdict:
    """What geometry says of a picture.

    Attributes:
        alignment: with the surface warped to the commanded pose; None where it failed: nothing is known of the pose.
        commanded_from_view: (4, 4) where the picture was taken from, in the commanded camera's optical frame; None likewise.
        angle: radians between the two poses; NaN without an alignment.
        share: of the distance to the scene, between the two places; NaN likewise.
        agreement: mean local correlation of both pictures where the surface was seen, at the estimated pose; NaN where
            nothing was seen.
        consistency: the verdict.
        confidence: 0 to 1, that the pose is within the limits; NaN without an alignment.
    """

    alignment: Alignment | None
    commanded_from_view: Mat4 | None
    angle: float
    share: float
    agreement: float
    consistency: Consistency
    confidence: float


def check_view(
    image: ColorImage, expected: View, observation: Observation, config: ConsistencyConfig = ConsistencyConfig()
) -> Verdict:
    """Return what geometry says of a generated picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        expected: the depth warp to the commanded pose, of the same camera.
        observation: the frame, with depth, that both come from.
        config: the limits.
    """
    nothing = float("nan")
    if expected.camera.width < _LEAST_WIDTH:
        image, expected = _enlarged(image, expected, observation)
    if expected.depth is None or not (expected.validity == SEEN).any():
        return Verdict(None, None, nothing, nothing, nothing, Consistency.UNCHECKED, nothing)
    found = align(image, expected.image, expected.depth, expected.validity, expected.camera)
    if found is None:
        # Enough was seen, and nothing of it is found in the picture: that is a finding.
        agreement = structure_agreement(image, expected.image, expected.validity == SEEN)
        verdict = Consistency.UNCHECKED if np.isnan(agreement) else Consistency.INCONSISTENT
        return Verdict(None, None, nothing, nothing, agreement, verdict, nothing)
    pose, surface, found = _again(image, expected, observation, found)
    seen = surface.validity == SEEN
    depth = expected.depth[expected.depth > 0]
    angle = rigid.rotation_angle(pose[:3, :3])
    share = float(np.linalg.norm(pose[:3, 3])) / max(float(np.median(depth)), 1e-6)
    agreement = structure_agreement(image, surface.image, seen)
    sigma = max(_SPREAD * float(np.sqrt(np.trace(found.covariance[3:, 3:]))), _FINEST)
    near = float(ndtr((config.angle - angle) / sigma)) * float(ndtr((config.share - share) / sigma))
    good = angle <= config.angle and share <= config.share and agreement >= config.agreement
    return Verdict(
        found, pose, angle, share, agreement, Consistency.CONSISTENT if good else Consistency.INCONSISTENT, near
    )


def _enlarged(image: ColorImage, expected: View, observation: Observation) -> tuple[ColorImage, View]:
    """Return a narrow picture at a multiple of its size, and the surface for it."""
    times = math.ceil(_LEAST_WIDTH / expected.camera.width)
    camera = expected.camera.resized(expected.camera.width * times, expected.camera.height * times)
    surface = DepthImaginer().imagine_pose(observation, expected.source_from_view, camera, is_exact=True)
    return np.asarray(cv2.resize(image, camera.size, interpolation=cv2.INTER_CUBIC)), surface


def _again(
    image: ColorImage, expected: View, observation: Observation, first: Alignment
) -> tuple[Mat4, View, Alignment]:
    """Return the pose in the commanded frame, the surface as seen from there, and how the picture lies to it.

    The farther two pictures are apart, the less of them matches: aligned from nearby, a pose is better known.
    """
    pose = first.commanded_from_view
    imaginer = DepthImaginer()
    surface = imaginer.imagine_pose(observation, expected.source_from_view @ pose, expected.camera, is_exact=True)
    soft = cv2.GaussianBlur(surface.image, (0, 0), expected.camera.fx * _SOFTNESS)
    surface = replace(surface, image=np.asarray(soft, dtype=np.uint8))
    assert surface.depth is not None
    second = align(image, surface.image, surface.depth, surface.validity, surface.camera)
    if second is None or second.inliers < first.inliers:
        return pose, surface, first
    return pose @ second.commanded_from_view, surface, second


def structure_agreement(first: ColorImage, second: ColorImage, where: Mask) -> float:
    """Return the mean correlation over small windows of two pictures, 1 for the same structure, whatever its brightness.

    Args:
        first, second: (H, W, 3) uint8 RGB.
        where: (H, W) bool; windows that reach beyond it, or without texture in the second picture, do not count. NaN where
            none is left.
    """
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (first, second))
    size = (_WINDOW, _WINDOW)
    value = b.astype(np.float32)
    spread = np.sqrt(np.maximum(cv2.blur(value * value, size) - np.square(cv2.blur(value, size)), 0.0))
    inside = cv2.erode(where.astype(np.uint8), np.ones(size, np.uint8)) > 0
    counted = inside & (spread > _TEXTURE)
    return float(local_correlation(a, b, _WINDOW)[counted].mean()) if counted.any() else float("nan")


def judged(view: View, verdict: Verdict) -> View:
    """Return a generated view with its estimated pose and verdict; without an alignment it stays unverified."""
    if verdict.alignment is None or verdict.commanded_from_view is None:
        return replace(view, verified=False, consistency=verdict.consistency, confidence=verdict.confidence)
    return replace(
        view,
        estimated_source_from_view=view.source_from_view @ verdict.commanded_from_view,
        pose_covariance=verdict.alignment.covariance,
        verified=True,
        consistency=verdict.consistency,
        confidence=verdict.confidence,
    )

"""Where a picture of a simulated scene seems to be taken from, and what a homography could make of another one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry.arrays import ColorImage, Float, Mat3, Mat4, Pixels, Vec3
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.motion import CameraMotion, orbit
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.training.evaluation.image_scores import psnr

YAWS = tuple(range(-60, 61, 5))
PITCHES = tuple(range(-30, 31, 10))
_WIDTH = 64  # pixels of the pictures that are compared
_BLUR = 1.5  # pixels there: a drawn view may be soft, and the grid is coarse
_RANSAC = 2.0  # pixels
_LEAST = 12  # correspondences


@dataclass(frozen=True)
class Renders:
    """True renders of one scene over a dense grid of motions about one pivot, to find a picture among.

    Attributes:
        motions: (n, 2) yaw and pitch, degrees.
        features: (n, k) of unit length.
    """

    motions: Float
    features: Float

    def nearest(self, picture: ColorImage) -> tuple[float, float]:
        """Return yaw and pitch of the render that a picture matches best.

        The measure is the zero-mean normalised cross-correlation over all pixels and channels, each channel less its own
        mean, of both pictures at a width of 64 pixels blurred by 1.5: neither brightness nor contrast nor sharpness counts.
        """
        best = int(np.argmax(self.features @ _feature(picture)))
        return float(self.motions[best, 0]), float(self.motions[best, 1])


def true_renders(sim: TabletopSim, world_from_camera: Mat4, camera: Camera, pivot: Vec3, up: Vec3) -> Renders:
    """Return the renders of a scene from everywhere on the grid.

    Args:
        sim: the scene.
        world_from_camera: (4, 4) pose that motions start from.
        camera: of the pictures that will be compared.
        pivot, up: (3,) of the motions, in the optical frame.
    """
    small = camera.resized(_WIDTH, round(_WIDTH * camera.height / camera.width))
    motions, features = [], []
    for yaw in YAWS:
        for pitch in PITCHES:
            try:
                pose = world_from_camera @ orbit(CameraMotion(yaw, pitch), pivot, up)
            except MotionError:  # past straight down
                continue
            motions.append((yaw, pitch))
            features.append(_feature(sim.render(pose, small)))
    return Renders(np.array(motions, np.float64), np.stack(features))


def best_homography(source: ColorImage, truth: ColorImage, source_pixels: Pixels, true_pixels: Pixels) -> ColorImage:
    """Return what the best homography makes of a picture: no warp of the whole image comes closer that we know how to find.

    It is told the truth: homographies are fitted to exact correspondences by least squares and by RANSAC, each is refined on
    the true view itself (ECC), what comes from outside is the nearest border pixel, and of these and the picture as it is the
    one with the highest PSNR is taken.

    Args:
        source: (H, W, 3) uint8 RGB.
        truth: (H, W, 3) the view from elsewhere.
        source_pixels, true_pixels: (n, 2) of points that both see.
    """
    tried: list[Mat3] = []
    if len(source_pixels) >= _LEAST:
        for method in (0, cv2.RANSAC):
            found, _ = cv2.findHomography(true_pixels, source_pixels, method, _RANSAC)
            if found is not None:
                tried += [found, *_refined(found, source, truth)]
    pictures = [source, *(_warped(source, matrix) for matrix in tried)]
    return max(pictures, key=lambda picture: psnr(picture, truth))


def _refined(matrix: Mat3, source: ColorImage, truth: ColorImage) -> list[Mat3]:
    """Return a homography moved to where the warped picture correlates best with the truth; none where that diverges."""
    wanted, given = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (truth, source))
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    try:
        start = matrix.astype(np.float32)
        _, found = cv2.findTransformECC(wanted, given, start, cv2.MOTION_HOMOGRAPHY, until)
    except cv2.error:
        return []
    return [np.asarray(found, np.float64)] if np.isfinite(found).all() else []


def _warped(source: ColorImage, source_from_view: Mat3) -> ColorImage:
    height, width = source.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(
        source, source_from_view, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _feature(picture: ColorImage) -> Float:
    """Return what pictures are compared by, (k,) of unit length."""
    height = round(_WIDTH * picture.shape[0] / picture.shape[1])
    method = cv2.INTER_AREA if picture.shape[1] > _WIDTH else cv2.INTER_LINEAR
    small = cv2.resize(picture, (_WIDTH, height), interpolation=method)
    soft = cv2.GaussianBlur(small.astype(np.float32), (0, 0), _BLUR)
    centred = (soft - soft.mean(axis=(0, 1))).ravel()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-9))

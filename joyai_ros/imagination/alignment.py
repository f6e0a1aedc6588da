"""Where a generated view was really taken from: aligned with the measured surface that was warped to the commanded pose.

Dense optical flow (DIS: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) leads from the warped
picture to the generated one; each seen pixel of the warp has a measured 3D point. From these pairs follows the pose
(perspective-n-point with RANSAC, refined by Levenberg-Marquardt). Both pictures are normalised locally first, so that
brightness, colour shifts and blur of a generator matter little.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Float, GrayImage, Mask, Mat4
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.view import SEEN

_WINDOW = 15  # pixels at 640 wide: pictures are normalised over so much
_FLOOR = 4.0  # grey levels: flatter than this is no texture
_STEP = 4  # pixels between those that are matched
_RETURN = 1.5  # pixels by which flow there and back may miss
_ALIKE = 0.5  # least correlation of the surroundings of a match: flow finds a way between any two pictures
_AROUND = 13  # pixels of these surroundings
_TEXTURE = 0.35  # least gradient of the normalised picture at a match
_INLIER = 3.0  # pixels at 640 wide
_LEAST = 60  # matches, and inliers
_LEAST_SHARE = 0.3  # of the matches that must agree on one pose
_TRIES = 200
_SEED = 3


@dataclass(frozen=True)
class Alignment:
    """How a picture lies to the warp.

    Attributes:
        view_from_commanded: (4, 4) from the commanded camera's optical frame to that of the camera which the picture
            was taken by.
        covariance: (6, 6) of that pose, x y z then rotation about x y z, metres and radians, from the inliers' scatter.
        matches: pixels that could be matched both ways.
        inliers: of these, those that agree on the pose.
    """

    view_from_commanded: Mat4
    covariance: Float
    matches: int
    inliers: int

    @property
    def commanded_from_view(self) -> Mat4:
        """(4, 4) the pose of the picture's camera in the commanded one's optical frame."""
        return rigid.inverse(self.view_from_commanded)


def align(
    image: ColorImage, warped: ColorImage, depth: DepthImage, validity: GrayImage, camera: Camera
) -> Alignment | None:
    """Return where a picture was taken from; None where too little of it can be matched, or matches do not agree.

    Args:
        image: (H, W, 3) uint8 RGB, the generated view.
        warped: (H, W, 3) uint8 RGB, the measured surface seen from the commanded pose.
        depth: (H, W) float32 metres of the warp.
        validity: (H, W) uint8; only SEEN pixels are matched.
        camera: the undistorted camera of both.
    """
    scale = camera.width / 640.0
    first, second = (_normalised(picture, scale) for picture in (warped, image))
    seen = cv2.erode((validity == SEEN).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    pixels, found = _matches(first, second, seen & (depth > 0))
    if len(pixels) < _LEAST:
        return None
    u, v = pixels.T
    z = depth[v, u].astype(np.float64)
    points = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], axis=1)
    return _pose(points, found.astype(np.float64), camera, max(_INLIER * scale, 1.5))


def _normalised(image: ColorImage, scale: float) -> GrayImage:
    """Return a grey picture with the same local mean and contrast everywhere, (H, W) uint8."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = max(int(_WINDOW * scale) | 1, 5)
    mean = cv2.GaussianBlur(grey, (0, 0), size / 3.0)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(grey * grey, (0, 0), size / 3.0) - mean * mean, 0.0))
    return np.asarray(np.clip(128.0 + 48.0 * (grey - mean) / (spread + _FLOOR), 0, 255), dtype=np.uint8)


def local_correlation(first: GrayImage, second: GrayImage, window: int) -> NDArray[np.float32]:
    """Return (H, W) float32 correlation of two grey pictures within the window around each pixel, -1 to 1.

    Args:
        first, second: (H, W) uint8.
        window: pixels along its sides.
    """
    a, b, size = first.astype(np.float32), second.astype(np.float32), (window, window)
    mean_a, mean_b = cv2.blur(a, size), cv2.blur(b, size)
    spread_a = np.sqrt(np.maximum(cv2.blur(a * a, size) - mean_a * mean_a, 0.0))
    spread_b = np.sqrt(np.maximum(cv2.blur(b * b, size) - mean_b * mean_b, 0.0))
    # Less than a grey level of spread is none.
    return np.asarray(
        (cv2.blur(a * b, size) - mean_a * mean_b) / np.maximum(spread_a * spread_b, 1.0), dtype=np.float32
    )


def _matches(first: GrayImage, second: GrayImage, seen: Mask) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return (N, 2) pixels of the first picture and where each is in the second, matched there and back."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there = flow.calc(first, second, np.zeros((*first.shape, 2), np.float32))
    back = flow.calc(second, first, np.zeros((*first.shape, 2), np.float32))
    gradient = np.hypot(cv2.Sobel(first, cv2.CV_32F, 1, 0), cv2.Sobel(first, cv2.CV_32F, 0, 1)) / 255.0
    down, across = np.mgrid[: first.shape[0], : first.shape[1]].astype(np.float32)
    moved = cv2.remap(second, across + there[..., 0], down + there[..., 1], cv2.INTER_LINEAR)
    alike = local_correlation(first, moved, _AROUND) > _ALIKE
    usable = np.zeros_like(seen)
    usable[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP] = True
    v, u = np.nonzero(usable & seen & alike & (gradient > _TEXTURE))
    target = np.stack([u, v], axis=1).astype(np.float32) + there[v, u]
    inside = (target >= 0).all(axis=1) & (target[:, 0] <= first.shape[1] - 1) & (target[:, 1] <= first.shape[0] - 1)
    u, v, target = u[inside], v[inside], target[inside]
    if len(u) == 0:
        return np.zeros((0, 2), np.int64), np.zeros((0, 2), np.float32)
    returned = cv2.remap(back, target[:, None, 0], target[:, None, 1], cv2.INTER_LINEAR)[:, 0]
    missed = np.linalg.norm(there[v, u] + returned, axis=1)
    good = missed < _RETURN
    return np.stack([u[good], v[good]], axis=1), target[good]


def _pose(points: Float, pixels: Float, camera: Camera, inlier: float) -> Alignment | None:
    matrix = camera.matrix
    cv2.setRNGSeed(_SEED)
    ok, turn, shift, inliers = cv2.solvePnPRansac(
        points, pixels, matrix, None, iterationsCount=_TRIES, reprojectionError=inlier, flags=cv2.SOLVEPNP_EPNP
    )
    if not ok or inliers is None or len(inliers) < max(_LEAST, _LEAST_SHARE * len(points)):
        return None
    kept = inliers.reshape(-1)
    turn, shift = cv2.solvePnPRefineLM(points[kept], pixels[kept], matrix, None, turn, shift)
    projected, jacobian = cv2.projectPoints(points[kept], turn, shift, matrix, None)
    residual = (projected.reshape(-1, 2) - pixels[kept]).reshape(-1)
    information = jacobian[:, :6].T @ jacobian[:, :6] / max(float(residual @ residual) / (len(residual) - 6), 1e-4)
    covariance = np.linalg.inv(information + 1e-9 * np.eye(6))
    order = [3, 4, 5, 0, 1, 2]  # OpenCV gives rotation first
    rotation, _ = cv2.Rodrigues(turn)
    pose = rigid.make_transform(rotation, shift.reshape(3))
    return Alignment(pose, covariance[np.ix_(order, order)], len(points), len(kept))

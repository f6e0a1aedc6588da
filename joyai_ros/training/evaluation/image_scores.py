"""How close a picture is to the true one: PSNR and SSIM."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from joyai_ros.geometry.arrays import ColorImage, Mask


def psnr(picture: ColorImage, truth: ColorImage, where: Mask | None = None) -> float:
    """Return the peak signal to noise ratio in dB of two (H, W, 3) pictures, over all pixels or a (H, W) mask."""
    error = np.square(picture.astype(np.float32) - truth.astype(np.float32)).mean(axis=2)
    mean = float(error.mean() if where is None else error[where].mean())
    return float(10 * np.log10(255.0**2 / max(mean, 1e-10)))


def ssim(picture: ColorImage, truth: ColorImage) -> float:
    """Return the structural similarity of two (H, W, 3) pictures on luma.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity": an 11 x 11 Gaussian
    window of 1.5 pixels, K1 = 0.01, K2 = 0.03, averaged over the windows inside the image.
    """
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (picture, truth))
    mean_a, mean_b = _window(a), _window(b)
    variance_a, variance_b = _window(a * a) - mean_a**2, _window(b * b) - mean_b**2
    covariance = _window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return float((luminance * structure)[5:-5, 5:-5].mean())


def _window(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5))

"""Visual anchors: boxes with numbers drawn on an image, so that a question can point at what it means."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D

# Far apart in hue, and readable on most surfaces; RGB.
_COLORS = (
    (230, 25, 75),
    (60, 180, 75),
    (0, 130, 200),
    (245, 130, 48),
    (145, 30, 180),
    (0, 128, 128),
    (170, 110, 40),
    (128, 0, 0),
)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_marks(image: ColorImage, boxes: Sequence[Box2D | None]) -> ColorImage:
    """Return a copy of an image with its boxes drawn and numbered from 1.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: pixels; None keeps its number and draws nothing.
    """
    result = image.copy()
    scale = max(image.shape[0] / 480.0, 0.5)
    thick = max(round(2 * scale), 1)
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        color = _COLORS[(number - 1) % len(_COLORS)]
        x0, y0, x1, y1 = (round(value) for value in box)
        cv2.rectangle(result, (x0, y0), (x1 - 1, y1 - 1), color, thick)
        _tag(result, str(number), (x0, y0), color, scale, thick)
    return np.asarray(result)


def _tag(
    image: ColorImage, text: str, corner: tuple[int, int], color: tuple[int, ...], scale: float, thick: int
) -> None:
    """Write a number in white on its colour at a box's corner, within the image."""
    (wide, high), below = cv2.getTextSize(text, _FONT, 0.55 * scale, thick)
    wide, high = wide + 2 * thick, high + below + thick
    x = min(max(corner[0], 0), max(image.shape[1] - wide, 0))
    y = min(max(corner[1] - high, 0), max(image.shape[0] - high, 0))
    cv2.rectangle(image, (x, y), (x + wide, y + high), color, -1)
    cv2.putText(image, text, (x + thick, y + high - below), _FONT, 0.55 * scale, (255, 255, 255), thick, cv2.LINE_AA)

"""Visual anchors: boxes with numbers drawn on an image, so that a question can point at what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.listing import Marks

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


def with_marks(requests: Sequence[ModelRequest]) -> list[ModelRequest]:
    """Return requests with their marks drawn on the images; what several show alike is drawn once, and stays one object."""
    drawn: dict[tuple[int, Marks], ColorImage] = {}

    def shown(image: ColorImage, marks: Marks | None) -> ColorImage:
        if marks is None:
            return image
        if (id(image), marks) not in drawn:
            height, width = image.shape[:2]
            boxes = [box and (box[0] * width, box[1] * height, box[2] * width, box[3] * height) for box in marks]
            drawn[id(image), marks] = draw_marks(image, boxes)
        return drawn[id(image), marks]

    return [
        replace(request, images=tuple(map(shown, request.images, (*request.marks, *([None] * len(request.images))))))
        for request in requests
    ]


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

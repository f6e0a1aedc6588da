"""Tokenizer and image processor of a Qwen3-VL folder, with or without torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.models.qwen_processor import read_processor
from joyai_ros.understanding.backend import ModelError


def load_processor(folder: Path) -> Any:
    """Return the folder's ``Qwen3VLProcessor``: tokenizer, image processor and chat template; nothing is downloaded.

    Raises:
        ModelError: a file of the processor is missing or broken.
    """
    try:
        return read_processor(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the processor in {folder} cannot be loaded: {reason}; check the folder") from error


def patches_of(processor: Any, image: ColorImage, most_pixels: int) -> tuple[Any, Any]:
    """Return an image as the vision tower takes it.

    Args:
        processor: from :func:`load_processor`.
        image: (H, W, 3) uint8 RGB.
        most_pixels: larger images are made smaller, to at most this many pixels, or to those that the processor says.

    Returns:
        Float tensor (patches, values of a patch), and the long tensor (1, 3) of its grid (time, rows, columns).

    Raises:
        ImageError: it is no such image, or more than 200 times as long as wide.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(f"an image has shape {image.shape} and type {image.dtype}; give (H, W, 3) uint8 RGB")
    images = processor.image_processor
    most_pixels = min(most_pixels, images.size["longest_edge"])  # the folder's names for the most and least pixels
    least = min(images.size["shortest_edge"], most_pixels)
    try:
        # Without its format named, an image of one or three rows would be read as channels first.
        result = images(
            images=[image],
            size={"shortest_edge": least, "longest_edge": most_pixels},
            input_data_format="channels_last",
            return_tensors="pt",
        )
    except ValueError as error:
        raise ImageError(f"an image of {image.shape[1]}x{image.shape[0]} cannot be used: {error}") from error
    return result["pixel_values"], result["image_grid_thw"]

"""Tokenizer and image processor of a Qwen3-VL folder, with or without torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage, check_image
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


def patches_of(processor: Any, images: Sequence[ColorImage], most_pixels: int) -> tuple[Any, Any]:
    """Return images as the vision tower takes them.

    Args:
        processor: from :func:`load_processor`.
        images: one or more, (H, W, 3) uint8 RGB.
        most_pixels: larger images are made smaller, to at most this many pixels, or to those that the processor says.

    Returns:
        Float tensor (patches of all, values of a patch), and the long tensor (images, 3) of their grids (time, rows, columns).

    Raises:
        ImageError: one is no such image, or more than 200 times as long as wide.
    """
    for image in images:
        check_image(image)
    made = processor.image_processor
    most_pixels = min(most_pixels, made.size["longest_edge"])  # the folder's names for the most and least pixels
    least = min(made.size["shortest_edge"], most_pixels)
    try:
        # Without its format named, an image of one or three rows would be read as channels first.
        result = made(
            images=list(images),
            size={"shortest_edge": least, "longest_edge": most_pixels},
            input_data_format="channels_last",
            return_tensors="pt",
        )
    except ValueError as error:
        height, width = max((image.shape[:2] for image in images), key=lambda size: max(size) / min(size))
        raise ImageError(f"an image of {width}x{height} cannot be used: {error}") from error
    return result["pixel_values"], result["image_grid_thw"]

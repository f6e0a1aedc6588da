"""Tokenizer and image processor of a Qwen3-VL folder, with or without torchvision."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.understanding.backend import ModelError

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def load_processor(folder: Path) -> Any:
    """Return the folder's ``Qwen3VLProcessor``: tokenizer, image processor and chat template; nothing is downloaded.

    The stock class needs torchvision, though only for videos. Where there is none, the same class without a video
    processor and with the image processor on PIL takes its place; its pixels differ by at most 0.008 of their range.

    Raises:
        ModelError: a file of the processor is missing or broken.
    """
    from transformers import AutoTokenizer, Qwen3VLProcessor

    try:
        if find_spec("torchvision") is not None:
            return Qwen3VLProcessor.from_pretrained(folder, **_LOCAL)
        tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
        return _without_video(_pil_images(folder), tokenizer, chat_template(folder, tokenizer))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the processor in {folder} cannot be loaded: {reason}; check the folder") from error


def chat_template(folder: Path, tokenizer: Any) -> str:
    """Return the folder's chat template.

    Raises:
        ModelError: it has none.
    """
    file, older = folder / "chat_template.jinja", folder / "chat_template.json"
    if file.is_file():
        template = file.read_text(encoding="utf-8")
    elif older.is_file():
        template = json.loads(older.read_text(encoding="utf-8"))["chat_template"]
    else:
        template = tokenizer.chat_template
    if not template:
        raise ModelError(f"{folder} has no chat template (chat_template.jinja); pull the model again")
    return str(template)


def _pil_images(folder: Path) -> Any:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil.from_pretrained(folder, **_LOCAL)


def _without_video(images: Any, tokenizer: Any, template: str) -> Any:
    from transformers import Qwen3VLProcessor

    class ImageProcessorOnly(Qwen3VLProcessor):  # passes isinstance checks for the stock class
        """Qwen3-VL's processor for images and text."""

        def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str) -> None:
            super().__init__(  # type: ignore[no-untyped-call]
                image_processor, tokenizer, None, chat_template=chat_template
            )

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            """Accept that there is no video processor."""
            if argument_name == "video_processor" and argument is None:
                return None
            return super().check_argument_for_proper_class(  # type: ignore[no-untyped-call]
                argument_name, argument
            )

    ImageProcessorOnly.__name__ = Qwen3VLProcessor.__name__  # what it saves is for the stock class to load
    return ImageProcessorOnly(images, tokenizer, template)


def patches_of(processor: Any, image: ColorImage, most_pixels: int) -> tuple[Any, Any]:
    """Return an image as the vision tower takes it.

    Args:
        processor: from :func:`load_processor`.
        image: (H, W, 3) uint8 RGB.
        most_pixels: larger images are made smaller, to at most this many pixels.

    Returns:
        Float tensor (patches, values of a patch), and the long tensor (1, 3) of its grid (time, rows, columns).

    Raises:
        ImageError: it is no such image, or more than 200 times as long as wide.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(f"an image has shape {image.shape} and type {image.dtype}; give (H, W, 3) uint8 RGB")
    images = processor.image_processor
    least = min(images.size["shortest_edge"], most_pixels)  # the folder's names for the least and most pixels
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

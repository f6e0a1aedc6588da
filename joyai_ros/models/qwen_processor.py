"""Qwen3-VL's tokenizer and image processor, with or without torchvision."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def read_processor(folder: Path) -> Any:
    """Return a folder's ``Qwen3VLProcessor``; nothing is downloaded.

    The stock class needs torchvision, though only for videos. Where there is none, the same class without a video
    processor and with the image processor on PIL takes its place; its pixels differ by at most 0.008 of their range.

    Raises:
        OSError, ValueError, KeyError, TypeError: a file is missing or broken.
    """
    from transformers import AutoTokenizer, Qwen3VLProcessor

    if find_spec("torchvision") is not None:
        return Qwen3VLProcessor.from_pretrained(folder, **_LOCAL)
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    images = Qwen2VLImageProcessorPil.from_pretrained(folder, **_LOCAL)
    return processor_without_video(images, tokenizer, chat_template(folder, tokenizer))


def chat_template(folder: Path, tokenizer: Any) -> str:
    """Return the folder's chat template.

    Raises:
        ValueError: it has none.
    """
    file, older = folder / "chat_template.jinja", folder / "chat_template.json"
    if file.is_file():
        template = file.read_text(encoding="utf-8")
    elif older.is_file():
        template = json.loads(older.read_text(encoding="utf-8"))["chat_template"]
    else:
        template = tokenizer.chat_template
    if not template:
        raise ValueError(f"{folder} has no chat template (chat_template.jinja)")
    return str(template)


def processor_without_video(images: Any, tokenizer: Any, template: str) -> Any:
    """Return a processor for images and text alone, which passes isinstance checks for the stock class."""
    from transformers import Qwen3VLProcessor

    class ImageProcessorOnly(Qwen3VLProcessor):
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

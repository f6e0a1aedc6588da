"""Files that the commands write: JSON and pictures, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from joyai_ros.errors import InputError, OutputError
from joyai_ros.geometry.arrays import ColorImage, GrayImage


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as strict JSON to a file, or to standard output where the path is ``-``.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        _write_whole(path, text.encode())


def write_picture(path: Path, image: ColorImage | GrayImage) -> None:
    """Write an (H, W, 3) RGB or (H, W) grey uint8 picture in the format that the file's ending names.

    Raises:
        InputError: the ending names no picture format.
        OutputError: the file cannot be written.
    """
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    try:
        good, buffer = cv2.imencode(path.suffix or ".none", pixels)
    except cv2.error:
        good, buffer = False, np.zeros(0, dtype=np.uint8)
    if not good:
        raise InputError(f"{path}: {path.suffix or 'no ending'} is not a picture format; end the name in .png or .jpg")
    _write_whole(path, buffer.tobytes())


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as reason:
        with contextlib.suppress(OSError):  # a folder that cannot be made holds no part of the file either
            partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({reason.strerror}); nothing was left there") from reason

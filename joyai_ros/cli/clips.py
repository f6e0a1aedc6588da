"""Short clips from files: some frames, evenly over the whole, in the order of time."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from joyai_ros.errors import ImageError
from joyai_ros.geometry.arrays import ColorImage

_SUFFIXES = frozenset((".avi", ".mkv", ".mov", ".mp4", ".webm"))


def is_clip(path: Path) -> bool:
    """Return whether a file's name is that of a clip."""
    return path.suffix.lower() in _SUFFIXES


def read_clip(path: Path, most: int) -> list[ColorImage]:
    """Return at most so many (at least two) of a clip's frames, its first and last among them: (H, W, 3) uint8 RGB each.

    Raises:
        ImageError: the file is missing or no clip, or has fewer than two frames.
    """
    if not path.is_file():
        raise ImageError(f"{path}: no such clip")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its decoder writes to standard error by itself
    count = sum(1 for _ in iter(_opened(path).grab, False))  # what a header promises is often wrong
    if count < 2:
        raise ImageError(f"{path}: this is no clip with frames that can be read; give an mp4 file, or single images")
    wanted = {round(float(place)) for place in np.linspace(0, count - 1, most)}
    clip = _opened(path)
    frames = []
    for place in range(count):
        clip.grab()
        if place in wanted:
            frames.append(np.asarray(cv2.cvtColor(clip.retrieve()[1], cv2.COLOR_BGR2RGB), dtype=np.uint8))
    return frames


def _opened(path: Path) -> cv2.VideoCapture:
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)

"""Posed scans in the layout that ScanNet's own exporter writes, one file for each frame.

============================== =======================================================================
color/N.jpg (or png)           colour
depth/N.png                    16 bits, millimetres, 0 where unmeasured; its size may be another
pose/N.txt                     4x4 camera to world, z up
intrinsic/intrinsic_color.txt  3x3 or 4x4 camera matrix; intrinsic_depth.txt where the sizes differ
instance/N.png                 8 or 16 bits, of the colour image's size: 0 nothing, else an object (optional)
labels.json                    {"1": "chair", ...}: what these numbers are (optional)
============================== =======================================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from joyai_ros.errors import BagError, InputError
from joyai_ros.geometry.arrays import Float
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.registration import register_depth
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from joyai_ros.training.data.config import RecordingConfig
from joyai_ros.training.data.recorded import Seen, frames_of, measured
from joyai_ros.training.data.records import Frame

_RATE = 30  # frames a second; the layout has no stamps
_MILLIMETRE = np.float32(0.001)
_IMAGES = (".jpg", ".jpeg", ".png")


def is_scan(path: Path) -> bool:
    """Whether a path is a folder of this layout."""
    return all((path / name).is_dir() for name in ("color", "depth", "pose"))


def scan_id(scan: Path) -> str:
    """Return the scene's id of a scan: its own name."""
    return f"scan/{Path(scan).resolve().name}"


def scan_frames(scan: Path, scene: str, config: RecordingConfig, seed: int, left_out: Counter[str]) -> list[Frame]:
    """Return the frames of a scan that are worth keeping, with their pixels; arguments as for :func:`frames_of`.

    The scene engine measures the objects: within their instance masks, or in depth alone where there are none.

    Raises:
        BagError: a part of the layout is missing, no frame has a pose, or no object was found.
    """
    seen = _seen(scan, config, left_out)
    return frames_of(scan, seen, scene, config, seed, left_out)


def _seen(scan: Path, config: RecordingConfig, left_out: Counter[str]) -> Iterator[Seen]:
    matrix = _numbers(scan / "intrinsic" / "intrinsic_color.txt")
    other = scan / "intrinsic" / "intrinsic_depth.txt"
    depth_matrix = _numbers(other) if other.is_file() else matrix
    labels = _labels(scan / "labels.json")
    images = [path for path in (scan / "color").iterdir() if path.suffix.lower() in _IMAGES]
    numbered = [path for path in images if path.stem.isdigit()]
    left_out_names = len(images) - len(numbered)
    if left_out_names:
        left_out["image whose name is no number"] += left_out_names
    engine = SceneEngine(config.scene)
    for path in sorted(numbered, key=lambda image: int(image.stem)):
        try:
            observation = _observation(scan, path, matrix, depth_matrix, labels)
        except InputError as error:
            left_out[f"frame that cannot be used: {type(error).__name__}"] += 1
            continue
        yield measured(observation, engine, config)


def _observation(scan: Path, path: Path, matrix: Float, depth_matrix: Float, labels: dict[str, str]) -> Observation:
    color = cv2.cvtColor(_image(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    counts = _image(scan / "depth" / f"{path.stem}.png", cv2.IMREAD_UNCHANGED)
    camera, depth_camera = _camera(matrix, color.shape), _camera(depth_matrix, counts.shape)
    depth = counts.astype(np.float32) * _MILLIMETRE
    if camera != depth_camera:
        depth = register_depth(depth, depth_camera, camera, np.eye(4))
    file = scan / "pose" / f"{path.stem}.txt"
    pose = _numbers(file) if file.is_file() else None
    if pose is not None and not np.isfinite(pose).all():  # where tracking was lost
        pose = None
    stamp = round((int(path.stem) + 1) * 1e9 / _RATE)
    found = _detections(scan / "instance" / f"{path.stem}.png", labels, camera)
    return Observation(color, camera, depth, stamp, world_from_camera=pose, detections=found)


def _detections(path: Path, labels: dict[str, str], camera: Camera) -> tuple[Detection, ...] | None:
    """Return the instances of a frame; None where nobody marked any."""
    if not path.is_file():
        return None
    instances = _image(path, cv2.IMREAD_UNCHANGED)
    if instances.shape != camera.shape:
        raise BagError(f"{path} has another size than the colour image")
    found = []
    for number in np.unique(instances[instances > 0]).tolist():
        mask = np.asarray(instances == number)
        rows, columns = np.nonzero(mask)
        box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        found.append(Detection(str(number), labels.get(str(number), ""), box, mask=mask))
    return tuple(found)


def _camera(matrix: Float, shape: tuple[int, ...]) -> Camera:
    height, width = shape[:2]
    fx, fy, cx, cy = (float(matrix[row, column]) for row, column in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Camera(width, height, fx, fy, cx, cy)


def _image(path: Path, flags: int) -> Any:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error.strerror}") from None
    image = cv2.imdecode(content, flags) if len(content) else None
    if image is None:
        raise BagError(f"{path} is no image")
    return image


def _numbers(path: Path) -> Float:
    """Return the matrix of a text file.

    Raises:
        BagError: it is missing or is no matrix of three or four rows and columns.
    """
    try:
        rows = [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BagError(f"{path} holds something else than numbers") from None
    if len(rows) not in (3, 4) or any(len(row) not in (3, 4) for row in rows):
        raise BagError(f"{path} holds no matrix of 3x3 or 4x4 numbers")
    return np.array(rows)


def _labels(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(number): str(label) for number, label in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise BagError(f"{path} does not say what the instances are: {error}") from None

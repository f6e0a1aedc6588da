"""Single frames from files: images, depth, cameras, poses and boxes, checked as they are read.

Every reader raises a child of :class:`joyai_ros.errors.InputError` whose message names the file and says what to do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from joyai_ros.errors import BoxError, CameraError, DepthError, ImageError, InputError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.arrays import ColorImage, DepthImage, Mat4, Vec3
from joyai_ros.geometry.boxes import checked_box2d
from joyai_ros.geometry.cameras import Camera, Distortion, assumed_camera
from joyai_ros.geometry.rectify import rectify_box, rectify_color, rectify_depth
from joyai_ros.geometry.registration import register_depth
from joyai_ros.scene.observation import MAX_DEPTH, Detection, Observation, clean_depth

_WHOLE = ((b"\x89PNG", b"IEND"), (b"\xff\xd8", b"\xff\xd9"))  # first and last bytes of png and jpeg
DEFAULT_UNITS = 1000.0  # depth steps per metre where the camera file says nothing: REP-118's millimetres


@dataclass(frozen=True)
class Rig:
    """What a camera file describes.

    Attributes:
        color: the colour camera, as calibrated (it may have a lens).
        depth: the depth camera; None where depth is registered to colour.
        color_from_depth: (4, 4) pose of the depth camera in the colour optical frame; None where ``depth`` is.
        depth_units_per_metre: integer depth steps in a metre.
        depth_invalid: integer depth values that mean "no measurement".
    """

    color: Camera
    depth: Camera | None = None
    color_from_depth: Mat4 | None = None
    depth_units_per_metre: float = DEFAULT_UNITS
    depth_invalid: tuple[int, ...] = (0,)

    @property
    def depth_camera(self) -> Camera:
        """The camera whose pixels the depth image has."""
        return self.color if self.depth is None else self.depth


def read_color(path: Path) -> ColorImage:
    """Return a colour image file (png, jpeg, ...) as (H, W, 3) uint8 RGB.

    Raises:
        ImageError: the file is missing, empty or not an image.
    """
    image = _decode(path, cv2.IMREAD_COLOR, "colour image", ImageError)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_depth(path: Path, rig: Rig) -> DepthImage:
    """Return a depth file as (H, W) float32 metres, 0 where there is none: 16-bit in the rig's units, or float metres.

    Raises:
        DepthError: the file is missing, not a one-channel 16-bit or float image, of another size than the depth camera's,
            or holds no valid pixel.
    """
    image = _decode(path, cv2.IMREAD_UNCHANGED, "depth image", DepthError)
    if image.ndim != 2:
        raise DepthError(
            f"{path}: a depth image has one channel, this one has {image.shape[2]}; is it the colour image?"
        )
    if image.dtype == np.uint16:
        depth = (image / np.float32(rig.depth_units_per_metre)).astype(np.float32)
        depth[np.isin(image, rig.depth_invalid)] = 0.0
    elif image.dtype in (np.float32, np.float64):
        depth = image.astype(np.float32)
    else:
        raise DepthError(f"{path}: depth of type {image.dtype} is not supported; give 16-bit integers or float metres")
    camera = rig.depth_camera
    if depth.shape != camera.shape:
        raise DepthError(
            f"{path}: depth is {depth.shape[1]}x{depth.shape[0]}, its camera {camera.width}x{camera.height}; "
            "give the calibration of this image size"
            + ("" if rig.depth else ", or color, depth and color_from_depth where depth is not registered to colour")
        )
    depth = clean_depth(depth)
    if not (depth > 0).any():
        raise DepthError(
            f"{path}: no valid depth between 0 and {MAX_DEPTH:g} m; check depth_units_per_metre "
            f"({rig.depth_units_per_metre:g}) and depth_invalid {list(rig.depth_invalid)} in the camera file"
        )
    return depth


def read_rig(path: Path) -> Rig:
    """Return the camera or cameras that a JSON file describes.

    One camera (``{"width", "height", "fx", "fy", "cx", "cy", ...}``, or under a key ``camera``) means depth registered to
    colour; ``{"color": {...}, "depth": {...}, "color_from_depth": 4x4}`` means two cameras. ``depth_units_per_metre``
    (default 1000) and ``depth_invalid`` (a number or a list, default 0) stand beside the camera that measures depth. A
    lens is ``distortion_model`` and ``distortion_coefficients``, named and ordered as in sensor_msgs/CameraInfo.

    Raises:
        CameraError: the file is missing, not JSON, lacks a key, or does not describe a camera.
        PoseError: color_from_depth is not a rigid transform.
    """
    content = _mapping(_read_json(path, "camera file", CameraError), f"{path}", CameraError)
    if "camera" in content:
        content = _mapping(content["camera"], f"{path}: camera", CameraError)
    if "color" not in content and "depth" not in content:
        if content.get("depth_registered_to_color") is False:
            raise CameraError(
                f"{path}: depth_registered_to_color is false, but only one camera is given; "
                "give color, depth and color_from_depth"
            )
        return Rig(_camera(content, str(path)), None, None, *_depth_scale(content, str(path)))
    missing = [key for key in ("color", "depth", "color_from_depth") if key not in content]
    if missing:
        raise CameraError(
            f"{path}: {' and '.join(missing)} missing; two cameras need color, depth and color_from_depth"
        )
    depth = _mapping(content["depth"], f"{path}: depth", CameraError)
    color = _mapping(content["color"], f"{path}: color", CameraError)
    return Rig(
        _camera(color, f"{path}: color"),
        _camera(depth, f"{path}: depth"),
        _transform(content["color_from_depth"], f"{path}: color_from_depth"),
        *_depth_scale(depth, f"{path}: depth"),
    )


def read_pose(path: Path) -> Mat4:
    """Return a camera-to-world pose (4, 4) from a text file of four rows of four numbers.

    Raises:
        PoseError: the file is missing, is not 16 numbers, or not a rigid transform.
    """
    text = _read_bytes(path, "pose file", PoseError).decode("utf-8", errors="replace")
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if [len(row) for row in rows] != [4, 4, 4, 4]:
        raise PoseError(f"{path}: a pose is four rows of four numbers (camera to world), this is something else")
    return _transform(rows, str(path))


def read_boxes(path: Path, width: int, height: int) -> tuple[Detection, ...]:
    """Return the objects of a boxes file ``{"objects": [{"id", "label", "box": [x0, y0, x1, y1]}, ...]}``.

    Boxes are clipped to the ``width`` x ``height`` image; the label may be absent.

    Raises:
        BoxError: the file is missing or not of that form, an id is absent or given twice, or a box is not one.
    """
    content = _mapping(_read_json(path, "boxes file", BoxError), f"{path}", BoxError)
    objects = content.get("objects")
    if not isinstance(objects, list):
        raise BoxError(f"{path}: no list of objects; give " + '{"objects": [{"id", "label", "box": [x0, y0, x1, y1]}]}')
    detections: dict[str, Detection] = {}
    for number, item in enumerate(objects):
        entry = _mapping(item, f"{path}: objects[{number}]", BoxError)
        if "id" not in entry or "box" not in entry:
            raise BoxError(f"{path}: objects[{number}] needs an id and a box")
        identity = str(entry["id"])
        if identity in detections:
            raise BoxError(f"{path}: id {identity!r} is given twice; ids must be unique")
        box = checked_box2d(entry["box"], width, height, f"{path}: box of {identity!r}")
        detections[identity] = Detection(identity, str(entry.get("label", "")), box)
    return tuple(detections.values())


def observation_from_files(
    rgb: Path,
    depth: Path | None,
    camera: Path | None,
    boxes: Path | None = None,
    up: Vec3 | None = None,
    pose: Path | None = None,
) -> Observation:
    """Return one frame as an observation of the colour camera: undistorted, depth registered to colour.

    Args:
        rgb: colour image.
        depth: depth image, see :func:`read_depth`; None without one.
        camera: camera file, see :func:`read_rig`; None for an image without depth that nobody calibrated.
        boxes: boxes file, see :func:`read_boxes`; None where nobody looked for objects.
        up: (3,) direction against gravity in the colour camera's optical frame, where it is known.
        pose: camera-to-world pose, of the depth camera where there are two, see :func:`read_pose`; None without one.

    Raises:
        InputError: its children, as the readers raise them.
    """
    color = read_color(rgb)
    if camera is None and depth is not None:
        raise CameraError(f"{depth}: depth needs the camera's calibration; give a camera file")
    rig = Rig(assumed_camera(color.shape[1], color.shape[0])) if camera is None else read_rig(camera)
    if color.shape[:2] != rig.color.shape:
        raise ImageError(
            f"{rgb}: colour image is {color.shape[1]}x{color.shape[0]}, its camera {rig.color.width}x{rig.color.height}; "
            "give the calibration of this image size"
        )
    detections = None if boxes is None else read_boxes(boxes, rig.color.width, rig.color.height)
    world_from_color = None if pose is None else read_pose(pose)
    if world_from_color is not None and rig.color_from_depth is not None:
        world_from_color = np.asarray(world_from_color @ rigid.inverse(rig.color_from_depth))
    return Observation(
        color=rectify_color(color, rig.color),
        camera=rig.color.pinhole(),
        depth=None if depth is None else _registered(read_depth(depth, rig), rig, depth),
        world_from_camera=world_from_color,
        up=None if up is None else rigid.unit(up, "up"),
        detections=None if detections is None else tuple(_rectified(d, rig.color) for d in detections),
    )


def _registered(depth: DepthImage, rig: Rig, path: Path) -> DepthImage:
    depth = rectify_depth(depth, rig.depth_camera)
    if rig.depth is None or rig.color_from_depth is None:
        return depth
    registered = register_depth(depth, rig.depth.pinhole(), rig.color.pinhole(), rig.color_from_depth)
    if not (registered > 0).any():
        raise DepthError(
            f"{path}: no depth pixel falls into the colour image; check color_from_depth in the camera file"
        )
    return registered


def _rectified(detection: Detection, camera: Camera) -> Detection:
    if detection.box is None or camera.is_pinhole:
        return detection
    box = checked_box2d(rectify_box(detection.box, camera), camera.width, camera.height, f"box of {detection.id!r}")
    return replace(detection, box=box)


def _read_bytes(path: Path, what: str, error: type[InputError]) -> bytes:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise error(f"{path}: no such {what}") from None
    except OSError as reason:
        raise error(f"{path}: this {what} cannot be read ({reason.strerror}); check the path") from reason
    if not content:
        raise error(f"{path}: this {what} is empty")
    return content


def _decode(path: Path, flags: int, what: str, error: type[InputError]) -> np.ndarray[Any, Any]:
    content = _read_bytes(path, what, error)
    # Decoders write to standard error by themselves, or return half a picture: what is cut off is refused before.
    for start, end in _WHOLE:
        if content.startswith(start) and end not in content:
            raise error(f"{path}: this {what} is cut off; copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    except cv2.error:  # a header that promises an impossible size
        image = None
    if image is None:
        raise error(f"{path}: this is not a readable image; give a png, jpeg or tiff file")
    return np.asarray(image)


def _read_json(path: Path, what: str, error: type[InputError]) -> object:
    try:
        return json.loads(_read_bytes(path, what, error).decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as reason:
        raise error(f"{path}: this {what} is not JSON ({reason})") from reason


def _mapping(value: object, where: str, error: type[InputError]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise error(f"{where} must be a JSON object, not {type(value).__name__}")
    return value


def _number(content: Mapping[str, Any], key: str, where: str) -> float:
    if key not in content:
        raise CameraError(f"{where}: {key} is missing; a camera needs width, height, fx, fy, cx and cy")
    value = content[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CameraError(f"{where}: {key} is {value!r}, not a number")
    return float(value)


def _camera(content: Mapping[str, Any], where: str) -> Camera:
    size = [_number(content, key, where) for key in ("width", "height")]
    if not all(math.isfinite(side) and side == int(side) for side in size):
        raise CameraError(f"{where}: width {size[0]} and height {size[1]} must be whole numbers of pixels")
    fx, fy, cx, cy = (_number(content, key, where) for key in ("fx", "fy", "cx", "cy"))
    coefficients = content.get("distortion_coefficients", [])
    model = content.get("distortion_model", "plumb_bob" if coefficients else "none")
    try:
        lens = tuple(float(value) for value in coefficients)
        distortion = Distortion(model)
    except (TypeError, ValueError):
        raise CameraError(
            f"{where}: distortion {model!r} with {coefficients!r} is not a lens; "
            f"give distortion_model ({', '.join(d.value for d in Distortion)}) and a list of distortion_coefficients"
        ) from None
    try:
        return Camera(int(size[0]), int(size[1]), fx, fy, cx, cy, distortion, lens)
    except CameraError as reason:
        raise CameraError(f"{where}: {reason}") from None


def _depth_scale(content: Mapping[str, Any], where: str) -> tuple[float, tuple[int, ...]]:
    units = content.get("depth_units_per_metre", DEFAULT_UNITS)
    if isinstance(units, bool) or not isinstance(units, (int, float)) or not math.isfinite(units) or units <= 0:
        raise CameraError(f"{where}: depth_units_per_metre is {units!r}; give a positive number, 1000 for millimetres")
    invalid = content.get("depth_invalid", 0)
    values = invalid if isinstance(invalid, list) else [invalid]
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise CameraError(f"{where}: depth_invalid is {invalid!r}; give an integer or a list of integers")
    return float(units), tuple(values)


def _transform(value: object, where: str) -> Mat4:
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise PoseError(f"{where} is not a matrix of numbers; give four rows of four numbers") from None
    return rigid.checked_transform(matrix, where)

"""Detector adapters: the messages of object detectors as vision_msgs, with masks where the detector has them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import cv2
import numpy as np

from joyai_ros.errors import ConfigError
from joyai_ros.geometry.arrays import Mask
from joyai_ros.messages.detections import detections_2d_message
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.nodes.config import Detector
from joyai_ros.scene.observation import Detection


class Detected(NamedTuple):
    """What a detector said of one image.

    Attributes:
        message: vision_msgs/Detection2DArray.
        masks: (H, W) bool by detection id, in the image as it is published.
    """

    message: Message
    masks: dict[str, Mask]


def message_type(detector: Detector) -> type[Any]:
    """Return the message class of a detector.

    Raises:
        ConfigError: its package is not installed.
    """
    module, name, _ = _ADAPTERS[detector]
    try:
        return getattr(import_module(module), name)  # type: ignore[no-any-return]
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise ConfigError(
            f"topics.detector is {detector.value!r}, but the package {package} is not in this workspace; "
            f"build it and source the workspace, or set topics.detector to {Detector.VISION_MSGS.value}"
        ) from None


def adapt(factory: MessageFactory, detector: Detector, message: Message) -> Detected:
    """Return a detector's message as vision_msgs."""
    return _ADAPTERS[detector][2](factory, message)


def _from_vision_msgs(factory: MessageFactory, message: Message) -> Detected:
    del factory
    return Detected(message, {})


def _from_yolo_msgs(factory: MessageFactory, message: Message) -> Detected:
    """yolo_msgs/DetectionArray of yolo_ros: boxes by centre and size, masks as outlines in pixels, ids of its tracker."""
    found, masks = [], {}
    for index, item in enumerate(message.detections):
        label = str(item.class_name) or str(item.class_id)
        name = f"{label}_{item.id}" if item.id else f"{label}_{index}"
        x, y = float(item.bbox.center.position.x), float(item.bbox.center.position.y)
        half = float(item.bbox.size.x) / 2, float(item.bbox.size.y) / 2
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        found.append(Detection(name, label, box, float(item.score)))
        mask = _outlined(item.mask)
        if mask is not None:
            masks[name] = mask
    return Detected(detections_2d_message(factory, message.header, found), masks)


def _outlined(mask: Message) -> Mask | None:
    """Fill the outline of a yolo_msgs/Mask; None where it has none."""
    height, width = int(mask.height), int(mask.width)
    if len(mask.data) < 3 or height < 1 or width < 1:
        return None
    outline = np.array([[point.x, point.y] for point in mask.data])
    filled = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(filled, [np.rint(outline).astype(np.int32)], 1)
    return filled.astype(bool)


_ADAPTERS: dict[Detector, tuple[str, str, Callable[[MessageFactory, Message], Detected]]] = {
    Detector.VISION_MSGS: ("vision_msgs.msg", "Detection2DArray", _from_vision_msgs),
    Detector.YOLO_MSGS: ("yolo_msgs.msg", "DetectionArray", _from_yolo_msgs),
}

"""What is published of a frame: topic names, types and messages."""

from __future__ import annotations

from typing import NamedTuple

from joyai_ros.geometry.view import View
from joyai_ros.messages import headers
from joyai_ros.messages.answer import answer_message
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.compressed import jpeg_message
from joyai_ros.messages.detections import objects_message
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.images import color_message, mono_message
from joyai_ros.messages.markers import markers_message
from joyai_ros.messages.poses import tf_message
from joyai_ros.messages.relations import relations_message
from joyai_ros.messages.scene import scene_message
from joyai_ros.messages.views import VIEW_FRAME, view_transform_message
from joyai_ros.perception.config import OutputConfig
from joyai_ros.perception.pipeline import Perceived
from joyai_ros.scene.drawing import draw_scene

SCENE = "scene"
RELATIONS = "relations"
OBJECTS = "objects"
MARKERS = "markers"
DEBUG_IMAGE = "debug_image/compressed"
VIEW_IMAGE = "view/image"
VIEW_INFO = "view/camera_info"
VIEW_VALIDITY = "view/validity"
ANSWER = "answer"

TYPES = {
    SCENE: "joyai_ros/msg/Scene",
    RELATIONS: "joyai_ros/msg/SpatialRelationArray",
    OBJECTS: "vision_msgs/msg/Detection3DArray",
    MARKERS: "visualization_msgs/msg/MarkerArray",
    DEBUG_IMAGE: "sensor_msgs/msg/CompressedImage",
    VIEW_IMAGE: "sensor_msgs/msg/Image",
    VIEW_INFO: "sensor_msgs/msg/CameraInfo",
    VIEW_VALIDITY: "sensor_msgs/msg/Image",
}
ANSWER_TYPE = "joyai_ros/msg/Answer"
TF = "/tf"
TF_TYPE = "tf2_msgs/msg/TFMessage"


class Output(NamedTuple):
    """One message to publish: absolute topic, type, message."""

    topic: str
    msgtype: str
    message: Message


def topic_name(name: str, namespace: str) -> str:
    """Return the absolute topic of a relative name."""
    return "/" + "/".join(part for part in (namespace.strip("/"), name) if part)


def output_messages(
    factory: MessageFactory, perceived: Perceived, config: OutputConfig, relations: list[Message] | None = None
) -> list[Output]:
    """Return everything that is published of one frame: scene topics always, view topics where there is a view,
    and answers where there are any.

    With a view goes its camera's transform on ``/tf``, a child of the source camera's optical frame.

    Args:
        factory: makes the messages.
        perceived: what was made of the frame.
        config: settings.
        relations: messages of the scene's relations where they are made already, or none where whoever writes the
            messages puts them in.
    """
    scene = perceived.scene
    header = headers.header(factory, scene.stamp, scene.frame_id)
    picture = draw_scene(perceived.observation.color, scene, perceived.observation.camera)
    message = scene_message(factory, scene, masks=config.masks, relations=relations)
    messages = {
        SCENE: message,
        RELATIONS: relations_message(factory, header, scene, relations=message.relations),
        OBJECTS: objects_message(factory, header, scene),
        MARKERS: markers_message(factory, scene, lifetime=config.marker_lifetime),
        DEBUG_IMAGE: jpeg_message(factory, header, picture, config.debug_quality),
    }
    outputs = [Output(topic_name(name, config.namespace), TYPES[name], m) for name, m in messages.items()]
    answer = topic_name(ANSWER, config.namespace)
    outputs += [Output(answer, ANSWER_TYPE, answer_message(factory, item)) for item in perceived.answers]
    return outputs if perceived.view is None else outputs + _view_messages(factory, perceived.view, config)


def _view_messages(factory: MessageFactory, view: View, config: OutputConfig) -> list[Output]:
    header = headers.header(factory, view.stamp, VIEW_FRAME)
    messages = {
        VIEW_IMAGE: color_message(factory, header, view.image),
        VIEW_INFO: info_message(factory, header, view.camera),
        VIEW_VALIDITY: mono_message(factory, header, view.validity),
    }
    transform = tf_message(factory, [view_transform_message(factory, view)])
    outputs = [Output(topic_name(name, config.namespace), TYPES[name], m) for name, m in messages.items()]
    return [Output(TF, TF_TYPE, transform), *outputs]

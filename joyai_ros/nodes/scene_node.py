"""The scene node: RGB-D frames in; scenes, relations, boxes, markers and a debug image out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from joyai_ros.geometry.rigid import make_transform
from joyai_ros.messages import headers
from joyai_ros.messages.compressed import jpeg_message
from joyai_ros.messages.detections import objects_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.markers import markers_message
from joyai_ros.messages.poses import stamped_transform_message
from joyai_ros.messages.relations import RelationMessages, relations_message
from joyai_ros.messages.scene import scene_message
from joyai_ros.msg import Scene as SceneMessage
from joyai_ros.msg import SpatialRelationArray
from joyai_ros.nodes import qos
from joyai_ros.nodes.camera_stream import CameraFrame
from joyai_ros.nodes.config import SceneNodeConfig
from joyai_ros.nodes.managed import publish_all
from joyai_ros.nodes.observing import Observed
from joyai_ros.nodes.stream_node import FrameNode
from joyai_ros.perception.due import Due
from joyai_ros.perception.outputs import DEBUG_IMAGE, MARKERS, OBJECTS, RELATIONS, SCENE
from joyai_ros.perception.pipeline import Seer
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.drawing import draw_scene
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import Scene
from joyai_ros.srv import GetScene


class SceneNode(FrameNode[SceneNodeConfig]):
    """Runs the scene engine on the newest frame.

    Args:
        make_engine: makes the engine of a new sequence.
        options: as for :class:`joyai_ros.nodes.managed.ManagedNode`.
    """

    NAME = "joyai_scene"
    CONFIG = SceneNodeConfig
    LIVE = (
        "scene.",
        "scene_rate",
        "output.masks",
        "output.debug_quality",
        "output.marker_lifetime",
        "history_tolerance",
        "stale_after",
        "recover_after",
    )

    def __init__(self, *, make_engine: Callable[[SceneConfig], Seer] = SceneEngine, **options: Any) -> None:
        self._make_engine = make_engine
        self._factory = RosFactory()
        self._scenes: deque[tuple[int, bytes]] = deque()  # stamp in nanoseconds and the scene as it travels
        self._relation_messages = RelationMessages(self._factory)
        self._engine: Seer | None = None
        self._level = True
        super().__init__(**options)

    def setup(self) -> None:
        """Make publishers, the camera stream and the service."""
        name, output = self.output_name, qos.result()
        self._scene = self.publisher(SceneMessage, name(SCENE), output)
        self._relations = self.publisher(SpatialRelationArray, name(RELATIONS), output)
        self._objects = self.publisher(Detection3DArray, name(OBJECTS), output)
        self._markers = self.publisher(MarkerArray, name(MARKERS), output)
        self._debug = self.publisher(CompressedImage, name(DEBUG_IMAGE), output)
        self._tf = self.publisher(TFMessage, "/tf", qos.transforms()) if self.config.publish_tf else None
        self.serve(GetScene, name("get_scene"), self._get_scene)
        self._renew()
        super().setup()

    def teardown(self) -> None:
        """Forget what was seen."""
        self._scenes.clear()
        self._engine = None
        super().teardown()

    def reconfigure(self) -> None:
        """Take new settings over at the next frame."""
        self._stale_engine = True

    def begin_sequence(self) -> None:
        """Forget the scenes of the sequence before, and its objects."""
        self._scenes.clear()
        self._stale_engine = True

    def _renew(self) -> Seer:
        """Begin a new sequence with the settings of now, and return its engine."""
        self._stale_engine = False
        scene = self.config.scene
        self._engine = self._make_engine(replace(scene, world_is_level=scene.world_is_level and self._level))
        self.limit = Due(self.config.scene_rate) if self.config.scene_rate > 0 else None
        return self._engine

    def process(self, frame: CameraFrame, observed: Observed) -> None:
        """Make the scene of a frame and publish it, what is waited for most first."""
        engine = self._engine
        if engine is None or self._stale_engine or observed.level != self._level:
            self._level = observed.level
            engine = self._renew()
        scene = engine.process(observed.observation)
        scene = replace(scene, seconds=observed.seconds + scene.seconds)  # all that a frame costs but for ROS
        self.tally.time("compute", scene.seconds)
        if observed.rejected:
            scene = replace(scene, rejected=(*observed.rejected, *scene.rejected))
        self.tally.add("rejected_detections", len(scene.rejected))
        relations = self._relation_messages.make(scene.relations)
        message = scene_message(self._factory, scene, masks=self.config.output.masks, relations=relations)
        # Serialised once, for the topic and for get_scene: the messages of relations are filled in anew next time.
        data = serialize_message(message)
        self._remember(scene.stamp, data)  # first: whoever hears of a scene can ask for it
        self._scene.publish(data)
        self.note_latency(scene.stamp)
        self._publish_rest(scene, observed, message)

    def _publish_rest(self, scene: Scene, observed: Observed, message: SceneMessage) -> None:
        factory, output = self._factory, self.config.output
        header = message.header

        def debug_image() -> CompressedImage:
            picture = draw_scene(observed.observation.color, scene, observed.observation.camera)
            return jpeg_message(factory, header, picture, output.debug_quality)

        publish_all(
            [
                (self._relations, lambda: relations_message(factory, header, scene, relations=message.relations)),
                (self._objects, lambda: objects_message(factory, header, scene)),
                (self._markers, lambda: markers_message(factory, scene, lifetime=output.marker_lifetime)),
                (self._debug, debug_image),
            ]
        )
        if self._tf is not None and scene.objects:
            self._tf.publish(TFMessage(transforms=self._object_frames(scene)))

    def _object_frames(self, scene: Scene) -> list[TransformStamped]:
        """Return a frame per object, ``<namespace>/<id>``, at its centre with the axes of its box."""
        prefix = self.config.output.namespace.strip("/")
        header = headers.header(self._factory, scene.stamp, scene.frame_id)
        return [
            stamped_transform_message(
                self._factory,
                header,
                "/".join(part for part in (prefix, item.id) if part),
                make_transform(item.obb.rotation, item.obb.center),
            )
            for item in scene.objects
        ]

    def _remember(self, stamp: int, data: bytes) -> None:
        self._scenes.append((stamp, data))
        oldest = stamp - int(self.config.history * 1e9)
        while len(self._scenes) > 1 and self._scenes[0][0] < oldest:
            self._scenes.popleft()

    def _get_scene(self, request: GetScene.Request, response: GetScene.Response) -> GetScene.Response:
        """Answer with the latest scene, or the one nearest to a stamp."""
        scenes = list(self._scenes)
        if not self.is_active:
            response.error_code = GetScene.Request.NODE_INACTIVE
            response.error_msg = f"{self.get_fully_qualified_name()} is {self.state[1]}; activate it"
            return response
        if not scenes:
            response.error_code = GetScene.Request.NO_SCENE_YET
            response.error_msg = f"no scene yet; is the camera running? {self.waiting_for()}"
            return response
        wanted = headers.nanoseconds(request.stamp)
        stamp, data = scenes[-1] if wanted == 0 else min(scenes, key=lambda kept: abs(kept[0] - wanted))
        tolerance = headers.nanoseconds(request.tolerance) or int(self.config.history_tolerance * 1e9)
        distance = abs(stamp - wanted)
        if wanted != 0 and distance > tolerance:
            response.error_code = GetScene.Request.NO_SCENE_AT_STAMP
            response.error_msg = (
                f"no scene within {tolerance / 1e9:g} s of {wanted / 1e9:.3f} s; the nearest is {distance / 1e9:.3f} s off, "
                f"kept are {scenes[0][0] / 1e9:.3f} to {scenes[-1][0] / 1e9:.3f} s"
            )
            return response
        response.scene = deserialize_message(data, SceneMessage)
        return response

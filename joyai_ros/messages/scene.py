"""Scene, SceneObject and support planes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from joyai_ros.geometry.arrays import Points
from joyai_ros.messages import headers
from joyai_ros.messages.boxes import box2d_from_message, box2d_message, box3d_from_message, box3d_message
from joyai_ros.messages.compressed import mask_from_message, mask_message
from joyai_ros.messages.enums import member
from joyai_ros.messages.factory import Message, MessageFactory
from joyai_ros.messages.poses import pose_from_message, pose_message, vector3_message, vector_from_message
from joyai_ros.messages.relations import relation_from_message, relation_message
from joyai_ros.scene.types import LabelSource, Scene, SceneObject, SupportPlane, UpSource


def scene_message(
    factory: MessageFactory, scene: Scene, *, masks: bool = True, relations: list[Message] | None = None
) -> Message:
    """Return a joyai_ros/Scene.

    Args:
        factory: makes the messages.
        scene: what to say. Of a support plane the message carries equation and outline, not sigma and points; outlines
            are float32.
        masks: whether object masks are published with it.
        relations: messages of the scene's relations, where they are made already.
    """
    header = headers.header(factory, scene.stamp, scene.frame_id)
    pose = scene.world_from_camera
    fields = {} if pose is None else {"camera_pose": pose_message(factory, pose)}
    made = [relation_message(factory, relation) for relation in scene.relations] if relations is None else relations
    return factory("joyai_ros/msg/Scene")(
        header=header,
        objects=[object_message(factory, header, item, masks=masks) for item in scene.objects],
        relations=made,
        support_planes=[_plane_message(factory, plane) for plane in scene.support_planes],
        support_polygons=[_polygon_message(factory, plane.polygon) for plane in scene.support_planes],
        up=vector3_message(factory, np.zeros(3) if scene.up is None else scene.up),
        up_source=int(scene.up_source),
        has_camera_pose=pose is not None,
        world_frame=scene.world_frame,
        abstentions=scene.abstentions,
        rejected=list(scene.rejected),
        compute_seconds=float(scene.seconds),
        **fields,
    )


def scene_from_message(message: Message) -> Scene:
    """Return a Scene.

    Raises:
        EncodingError: an enum field holds an unknown number, or a mask does not decode.
        BoxError, PoseError: a box or the camera pose is not one.
    """
    up = vector_from_message(message.up)
    polygons = list(message.support_polygons)
    return Scene(
        stamp=headers.stamp_ns(message),
        frame_id=str(message.header.frame_id),
        objects=tuple(object_from_message(item) for item in message.objects),
        relations=tuple(relation_from_message(item) for item in message.relations),
        support_planes=tuple(
            _plane_from_message(plane, polygons[i].points if i < len(polygons) else ())
            for i, plane in enumerate(message.support_planes)
        ),
        up=up if up.any() else None,
        up_source=member(UpSource, message.up_source, "up_source"),
        world_from_camera=pose_from_message(message.camera_pose) if message.has_camera_pose else None,
        world_frame=str(message.world_frame) if message.has_camera_pose else "",
        abstentions=int(message.abstentions),
        rejected=tuple(str(r) for r in message.rejected),
        seconds=float(message.compute_seconds),
    )


def object_message(factory: MessageFactory, header: Message, item: SceneObject, *, masks: bool = True) -> Message:
    """Return a joyai_ros/SceneObject; ``header`` is that of the scene, for its mask."""
    fields = {} if item.box is None else {"box": box2d_message(factory, item.box)}
    return factory("joyai_ros/msg/SceneObject")(
        id=item.id,
        label=item.label,
        label_source=int(item.label_source),
        score=float(item.score),
        has_box=item.box is not None,
        obb=box3d_message(factory, item.obb),
        center_sigma=vector3_message(factory, item.center_sigma),
        size_sigma=vector3_message(factory, item.size_sigma),
        height=float(item.height),
        height_sigma=float(item.height_sigma),
        points=int(item.points),
        mask=mask_message(factory, header, item.mask if masks else None),
        truncated=bool(item.truncated),
        visible=bool(item.visible),
        age=headers.duration_message(factory, item.age),
        views=int(item.views),
        moved=bool(item.moved),
        **fields,
    )


def object_from_message(message: Message) -> SceneObject:
    """Return a SceneObject.

    Raises:
        EncodingError: label_source holds an unknown number, or the mask does not decode.
        BoxError, PoseError: the 3D box is not one.
    """
    return SceneObject(
        id=str(message.id),
        label=str(message.label),
        obb=box3d_from_message(message.obb),
        box=box2d_from_message(message.box) if message.has_box else None,
        label_source=member(LabelSource, message.label_source, "label_source"),
        score=float(message.score),
        center_sigma=vector_from_message(message.center_sigma),
        size_sigma=vector_from_message(message.size_sigma),
        height=float(message.height),
        height_sigma=float(message.height_sigma),
        points=int(message.points),
        mask=mask_from_message(message.mask),
        truncated=bool(message.truncated),
        visible=bool(message.visible),
        age=headers.nanoseconds(message.age) / 1e9,
        views=int(message.views),
        moved=bool(message.moved),
    )


def _plane_message(factory: MessageFactory, plane: SupportPlane) -> Message:
    return factory("shape_msgs/msg/Plane")(coef=np.array([*plane.normal, plane.offset], dtype=np.float64))


def _polygon_message(factory: MessageFactory, polygon: Points) -> Message:
    point = factory("geometry_msgs/msg/Point32")
    return factory("geometry_msgs/msg/Polygon")(
        points=[point(x=float(x), y=float(y), z=float(z)) for x, y, z in polygon]
    )


def _plane_from_message(plane: Message, outline: Iterable[Message]) -> SupportPlane:
    polygon = np.array([vector_from_message(p) for p in outline]).reshape(-1, 3)
    return SupportPlane(normal=np.array(plane.coef[:3], dtype=np.float64), offset=float(plane.coef[3]), polygon=polygon)

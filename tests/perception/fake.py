"""A scene engine that is quick and plain, where a test is about what happens around it."""

import numpy as np

from joyai_ros.errors import BoxError
from joyai_ros.geometry.boxes import OrientedBox, checked_box2d
from joyai_ros.scene.types import LabelSource, Scene, SceneObject, SpatialRelation


class FakeEngine:
    """States one object per usable detection, and nothing else."""

    def __init__(self, hook=None):
        self.seen = []
        self._hook = hook

    def process(self, observation):
        self.seen.append(observation)
        if self._hook is not None:
            self._hook(len(self.seen))
        objects, rejected = [], []
        for detection in observation.detections or ():
            try:
                box = checked_box2d(detection.box, observation.camera.width, observation.camera.height)
            except BoxError as error:
                rejected.append(f"{detection.id}: {error}")
                continue
            solid = OrientedBox(np.array([0, 0, 1.0]), np.eye(3), np.full(3, 0.1))
            objects.append(SceneObject(detection.id, detection.label, solid, box, LabelSource.DETECTOR, height=0.1))
        relations = tuple(SpatialRelation(o.id, "height", (), o.height, "m", 0.001) for o in objects)
        return Scene(
            observation.stamp,
            observation.frame_id,
            tuple(objects),
            relations,
            rejected=tuple(rejected),
            world_from_camera=observation.world_from_camera,
            world_frame=observation.world_frame,
        )

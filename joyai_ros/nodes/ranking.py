"""The service ``rank_views``: from the request to the ranking and into the response."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from joyai_ros.errors import MotionError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.rank_views import SeenFrame, rank_views
from joyai_ros.messages import headers
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.motion import Pivot, motion_from_message, motion_message
from joyai_ros.messages.poses import point_message, pose_message, vector_from_message
from joyai_ros.nodes.config import RankConfig
from joyai_ros.nodes.observing import Observed
from joyai_ros.nodes.transforms import Transforms
from joyai_ros.nodes.viewpoints import LatestScene, pivot_of, up_of
from joyai_ros.srv import RankViews


def rank(
    request: RankViews.Request,
    response: RankViews.Response,
    observed: Observed,
    frames: Sequence[SeenFrame],
    config: RankConfig,
    transforms: Transforms,
    scenes: LatestScene,
) -> None:
    """Fill the response in.

    Raises:
        MotionError: the target is unknown or not a point.
        TransformError: TF does not reach its frame.
    """
    observation, factory = observed.observation, RosFactory()
    target = pivot_of(_target(request), observation, transforms, scenes)
    extent = float(request.extent) or config.extent
    if not np.isfinite(target).all():
        raise MotionError(f"target_point {target.tolist()} is not a point; give metres x, y, z")
    if not (math.isfinite(extent) and extent > 0):
        raise MotionError(f"extent {extent} is not positive; give metres, or 0 for the node's default")
    try:
        candidates = [motion_from_message(m)[0] for m in request.candidates] or default_candidates(config)
        ranking = rank_views(frames, observation.camera, target, extent, candidates, up_of(observed))
    except MotionError as error:
        response.error_code, response.error_msg = RankViews.Request.INVALID_MOTION, str(error)
        return
    pivot = Pivot(point=target)
    response.header = headers.header(factory, observation.stamp, observation.frame_id)
    response.target = point_message(factory, target)
    response.volume, response.unseen_volume = ranking.volume, ranking.unseen
    response.indices = [view.index for view in ranking.views]
    response.motions = [motion_message(factory, view.motion, pivot) for view in ranking.views]
    response.poses = [pose_message(factory, view.source_from_view) for view in ranking.views]
    response.revealed_volume = [view.revealed for view in ranking.views]


def default_candidates(config: RankConfig) -> list[CameraMotion]:
    """Return every combination of the yaws and pitches of the settings, at the distance of now."""
    pairs = itertools.product(config.yaws_deg, config.pitches_deg)
    return [CameraMotion(yaw, pitch) for yaw, pitch in pairs if (yaw, pitch) != (0.0, 0.0)]


def _target(request: RankViews.Request) -> Pivot:
    if request.target_object:
        return Pivot(object_id=str(request.target_object))
    point, header = request.target_point.point, request.target_point.header
    if not header.frame_id and not vector_from_message(point).any():
        return Pivot()
    return Pivot(vector_from_message(point), str(header.frame_id), headers.nanoseconds(header.stamp))

"""The view node: views on request and along the stream, goals that fail with a code, views that are worth taking."""

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PointStamped, PoseStamped
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from joyai_ros.action import Imagine
from joyai_ros.geometry import rigid
from joyai_ros.geometry.motion import CameraMotion, default_pivot, orbit
from joyai_ros.geometry.view import SEEN
from joyai_ros.messages.compressed import decode_compressed_color
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.messages.motion import Pivot, motion_message
from joyai_ros.messages.poses import pose_from_message, pose_message
from joyai_ros.messages.views import VIEW_FRAME, view_from_message
from joyai_ros.msg import Scene
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.nodes.view_node import ViewNode
from joyai_ros.srv import RankViews
from tests.ros.harness import Robot, wait_for, with_stamp

FACTORY = RosFactory()
CODES = Imagine.Goal
QUIET = {"view.rate": 0.0}  # nothing along the stream


def motions(*given, pivot=None):
    return Imagine.Goal(motions=[motion_message(FACTORY, CameraMotion(*values), pivot) for values in given])


@pytest.fixture
def imagine(ros):
    return ros.action(Imagine, "joyai/imagine")


def started(ros, robot, **parameters):
    node = ros.launch(ViewNode, parameters={**QUIET, **parameters})
    robot.show_until(lambda: node._newest is not None, "a frame to arrive")
    return node


def test_a_goal_brings_views_feedback_and_previews(ros, robot, frames, imagine):
    started(ros, robot)
    heard = []
    goal = motions((20.0, 0.0, 1.0), (0.0, 10.0, 1.2))
    goal.preview = True
    status, result = ros.result(ros.send(imagine, goal, heard.append))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert (result.error_code, result.error_msg) == (CODES.NONE, "")
    assert len(result.views) == 2
    source = frames[robot.count % len(frames) - 1].observation
    wait_for(lambda: len(heard) >= 2, "feedback")
    first = heard[0].feedback
    assert (first.view, first.views, first.step, first.steps) == (0, 2, 0, 1)
    preview = decode_compressed_color(first.preview)
    assert preview.shape == (source.camera.height // 4, source.camera.width // 4, 3)
    view = view_from_message(result.views[0])
    assert view.image.shape == source.color.shape
    assert view.source_frame == "camera_color_optical_frame"
    assert view.verified
    assert result.views[0].synthetic
    assert view.seen_fraction > 0.5
    assert np.mean(view.validity == SEEN) == pytest.approx(result.views[0].seen_fraction, abs=1e-3)
    assert stamp_ns(result.views[0]) == robot.stamp


def test_a_motion_goes_where_the_convention_says(ros, robot, frames, imagine):
    started(ros, robot)
    robot.count = 0
    robot.show()
    status, result = ros.result(ros.send(imagine, motions((30.0, -5.0, 0.9))))
    assert status == GoalStatus.STATUS_SUCCEEDED
    stamp = stamp_ns(result.views[0])
    source = frames[round((stamp - robot.stamp) / robot.period) % len(frames)].observation
    pivot = default_pivot(source.camera, source.depth)
    up = rigid.inverse(source.world_from_camera)[:3, :3] @ [0, 0, 1]
    expected = orbit(CameraMotion(30.0, -5.0, 0.9), pivot, up)
    assert np.allclose(view_from_message(result.views[0]).source_from_view, expected, atol=0.01)


def test_target_poses_in_any_frame_of_the_tree(ros, robot, imagine):
    started(ros, robot)
    robot.show()
    source = robot.frames[(robot.count - 1) % 3].observation
    aside = rigid.make_transform(np.eye(3), np.array([0.05, 0.0, 0.0]))
    in_camera = PoseStamped(pose=pose_message(FACTORY, aside))
    in_map = PoseStamped(pose=pose_message(FACTORY, source.world_from_camera @ aside))
    in_map.header.frame_id = "map"
    status, result = ros.result(ros.send(imagine, Imagine.Goal(target_poses=[in_camera, in_map])))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    poses = [pose_from_message(view.commanded_pose) for view in result.views]
    assert np.allclose(poses[0], aside, atol=1e-6)
    if stamp_ns(result.views[0]) == robot.stamp:
        assert np.allclose(poses[1], aside, atol=1e-3)
    assert not result.views[0].has_motion


def test_an_object_of_the_scene_as_pivot(ros, robot, imagine):
    scenes = ros.listen(Scene, "joyai/scene")
    ros.launch(SceneNode)
    started(ros, robot)
    robot.show_until(lambda: scenes and len(scenes[-1].objects) >= 4, "a scene with objects")
    target = scenes[-1].objects[0]
    goal = motions((25.0, 0.0, 1.0), pivot=Pivot(object_id=target.id))
    status, result = ros.result(ros.send(imagine, goal))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    # The pivot stays where it was in the image of an orbiting camera, and as far away.
    pivot = result.views[0].motion.pivot_point.point
    center = np.array([pivot.x, pivot.y, pivot.z])
    seen = np.array([target.obb.center.position.x, target.obb.center.position.y, target.obb.center.position.z])
    assert np.linalg.norm(center - seen) < 0.1
    moved = rigid.apply(rigid.inverse(pose_from_message(result.views[0].commanded_pose)), center)
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(center), abs=1e-6)
    unknown = motions((25.0, 0.0, 1.0), pivot=Pivot(object_id="teapot_9"))
    status, result = ros.result(ros.send(imagine, unknown))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.INVALID_MOTION)
    assert "teapot_9" in result.error_msg
    assert target.id in result.error_msg


def elsewhere():
    message = PoseStamped()
    message.header.frame_id = "no_such_frame"
    message.pose.orientation.w = 1.0
    return Imagine.Goal(target_poses=[message])


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        (motions((float(30), 85.0, 1.0)), CODES.INVALID_MOTION),  # past straight down
        (Imagine.Goal(), CODES.INVALID_MOTION),  # nothing is asked for
        (Imagine.Goal(motions=motions((1.0,)).motions, method="model"), CODES.MODEL_UNAVAILABLE),
        (Imagine.Goal(motions=motions((1.0,)).motions, method="magic"), CODES.INVALID_METHOD),
        (motions(*[(1.0,)] * 40), CODES.INVALID_MOTION),  # more than max_views
        (elsewhere(), CODES.TRANSFORM_UNAVAILABLE),
    ],
    ids=["past straight down", "empty", "model", "method", "too many", "frame"],
)
def test_goals_that_cannot_be_met_say_why(ros, robot, imagine, goal, code):
    started(ros, robot)
    status, result = ros.result(ros.send(imagine, goal))
    assert status == GoalStatus.STATUS_ABORTED
    assert result.error_code == code
    assert len(result.error_msg) > 10
    assert len(result.views) == 0


@pytest.mark.parametrize(("yaw", "zoom"), [(float("nan"), 1.0), (10.0, 0.0), (10.0, -1.0), (float("inf"), 1.0)])
def test_numbers_that_are_no_motion(ros, robot, imagine, yaw, zoom):
    goal = motions((10.0, 0.0, 1.0))
    goal.motions[0].yaw_deg, goal.motions[0].zoom = yaw, zoom
    started(ros, robot)
    _, result = ros.result(ros.send(imagine, goal))
    assert result.error_code == CODES.INVALID_MOTION


def test_without_a_frame_or_depth_or_while_inactive(ros, frames, imagine):
    node = ros.launch(ViewNode, parameters=QUIET)
    _, result = ros.result(ros.send(imagine, motions((10.0,))))
    assert result.error_code == CODES.NO_FRAME
    assert "nobody publishes" in result.error_msg
    node.trigger_deactivate()
    _, result = ros.result(ros.send(imagine, motions((10.0,))))
    assert result.error_code == CODES.NODE_INACTIVE
    node.close()
    ros.remove(node)
    blind = Robot(ros, frames)
    seeing = ros.launch(ViewNode, parameters={**QUIET, "topics.depth": ""})
    blind.show_until(lambda: seeing._newest is not None, "a frame", leave_out=["depth"])
    _, result = ros.result(ros.send(imagine, motions((10.0,))))
    assert result.error_code == CODES.NO_DEPTH


def test_cancelling_a_goal(ros, robot, imagine):
    started(ros, robot)
    heard = []
    handle = ros.send(imagine, motions(*[(yaw, 0.0, 1.0) for yaw in range(30)]), heard.append)
    wait_for(lambda: heard, "the goal to be in work")
    cancelled = handle.cancel_goal_async()
    wait_for(cancelled.done, "the cancel request to be answered")
    assert len(cancelled.result().goals_canceling) == 1
    status, result = ros.result(handle)
    assert status == GoalStatus.STATUS_CANCELED
    assert result.error_code == CODES.CANCELED
    assert len(result.views) < 30
    status, result = ros.result(ros.send(imagine, motions((10.0,))))  # and the next one is served
    assert status == GoalStatus.STATUS_SUCCEEDED


def test_a_second_goal_while_one_runs_is_told_busy(ros, robot, imagine):
    started(ros, robot)
    heard = []
    first = ros.send(imagine, motions(*[(yaw, 0.0, 1.0) for yaw in range(12)]), heard.append)
    wait_for(lambda: heard, "the first goal to be in work")
    status, result = ros.result(ros.send(imagine, motions((10.0,))))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.BUSY)
    status, result = ros.result(first)  # which goes on undisturbed
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert len(result.views) == 12


def test_deactivating_in_the_middle_of_a_goal(ros, robot, imagine):
    node = started(ros, robot)
    heard = []
    handle = ros.send(imagine, motions(*[(yaw, 0.0, 1.0) for yaw in range(30)]), heard.append)
    wait_for(lambda: heard, "the goal to be in work")
    node.trigger_deactivate()
    status, result = ros.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.NODE_INACTIVE)
    assert "stopped" in result.error_msg


def test_views_along_the_stream_are_cameras(ros, robot):
    images = ros.listen(Image, "joyai/view/image")
    infos = ros.listen(CameraInfo, "joyai/view/camera_info")
    validities = ros.listen(Image, "joyai/view/validity")
    transforms = ros.listen(TFMessage, "/tf")
    ros.launch(ViewNode, parameters={"view.rate": 5.0, "view_frame_rate": 10.0})
    robot.show_until(lambda: images and infos and validities, "a view")
    stamp = stamp_ns(images[-1])
    info = wait_for(lambda: with_stamp(infos, stamp), "its camera_info")
    validity = wait_for(lambda: with_stamp(validities, stamp), "its validity")
    assert images[-1].header.frame_id == info.header.frame_id == validity.header.frame_id == VIEW_FRAME
    assert (info.width, info.height) == (images[-1].width, images[-1].height) == (validity.width, validity.height)
    moved = [t for m in list(transforms) for t in m.transforms if t.child_frame_id == VIEW_FRAME]
    assert moved[-1].header.frame_id == "camera_color_optical_frame"
    assert with_stamp(moved, stamp)


def test_ranking_views_of_a_target(ros, robot):
    scenes = ros.listen(Scene, "joyai/scene")
    ros.launch(SceneNode)
    started(ros, robot)
    robot.show_until(lambda: scenes and len(scenes[-1].objects) >= 4, "a scene with objects")
    target = scenes[-1].objects[0]
    response = ros.call(RankViews, "joyai/rank_views", target_object=target.id, extent=0.4)
    assert response.error_code == RankViews.Request.NONE, response.error_msg
    volumes = list(response.revealed_volume)
    assert volumes == sorted(volumes, reverse=True)
    assert len(volumes) == len(response.motions) == len(response.poses) == len(response.indices) >= 5
    assert response.volume == pytest.approx(0.064)
    assert 0 < volumes[0] <= response.unseen_volume < response.volume
    stay = motion_message(FACTORY, CameraMotion())
    turned = motion_message(FACTORY, CameraMotion(60.0))
    response = ros.call(RankViews, "joyai/rank_views", target_object=target.id, candidates=[stay, turned])
    assert list(response.indices) == [1, 0]  # what can be seen from here has been seen, but for holes in the depth
    assert response.revealed_volume[1] < 0.5 * response.revealed_volume[0]


def test_ranking_refuses_what_it_cannot_place(ros, robot):
    codes = RankViews.Request
    node = started(ros, robot)
    call = lambda **fields: ros.call(RankViews, "joyai/rank_views", **fields).error_code  # noqa: E731
    assert call() == codes.NONE  # the surface at the image centre
    assert call(target_object="teapot_9") == codes.INVALID_TARGET
    assert call(extent=-1.0) == codes.INVALID_TARGET
    bad = PointStamped()
    bad.point.x = float("nan")
    assert call(target_point=bad) == codes.INVALID_TARGET
    lost = PointStamped()
    lost.header.frame_id, lost.point.x = "no_such_frame", 1.0
    assert call(target_point=lost) == codes.TRANSFORM_UNAVAILABLE
    down = motion_message(FACTORY, CameraMotion(0.0, 100.0))
    assert call(candidates=[down]) == codes.INVALID_MOTION
    node.trigger_deactivate()
    assert call() == codes.NODE_INACTIVE

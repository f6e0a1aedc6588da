"""Questions about the images of a goal: measured, shown to the model, or refused."""

import pytest
from action_msgs.msg import GoalStatus
from sensor_msgs.msg import CameraInfo, Image

from joyai_ros.geometry.cameras import assumed_camera
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header
from joyai_ros.messages.images import color_message, depth_message
from joyai_ros.nodes.qa_node import QaNode
from tests.ros.questioning import CODES, Slow, goal_of

FACTORY = RosFactory()


def images_of(frame, depth=True):
    """Return image, camera_info and depth of a frame as messages without a stamp."""
    head, observation = header(FACTORY, 0, "some_camera"), frame.observation
    image = color_message(FACTORY, head, observation.color)
    info = info_message(FACTORY, head, observation.camera)
    return image, info, depth_message(FACTORY, head, observation.depth) if depth else None


def _small_info() -> CameraInfo:
    return info_message(FACTORY, header(FACTORY, 0, "some_camera"), assumed_camera(8, 6))


def test_images_of_the_goal_are_measured(ros, frames, ask):
    ros.launch(QaNode)
    image, info, depth = images_of(frames[0])
    goal = goal_of(
        "count: all", task="count", use_latest_frame=False, images=[image], camera_infos=[info], depths=[depth]
    )
    goal.question = "How many objects are there?"
    status, result = ros.result(ros.send(ask, goal))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert 3 <= result.answer.value <= 9  # seven stand there; found in depth alone
    assert result.answer.header.frame_id == "some_camera"


def test_several_images_without_calibration_reach_the_model(ros, frames, ask):
    model = Slow(0.0, 2)
    ros.launch(QaNode, open_model=model.open)
    images = [images_of(frame, depth=False)[0] for frame in frames]
    status, result = ros.result(ros.send(ask, goal_of("What?", use_latest_frame=False, images=images)))
    assert (status, result.answer.text) == (GoalStatus.STATUS_SUCCEEDED, "xx")
    assert len(model.requests[0].images) == len(images)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda goal: setattr(goal, "images", goal.images * 9), "at most 8"),
        (lambda goal: setattr(goal, "camera_infos", goal.camera_infos * 2), "2 camera_infos for 1 images"),
        (lambda goal: setattr(goal, "camera_infos", []), "need the camera_infos"),
        (lambda goal: setattr(goal.images[0], "encoding", "bayer_9"), "bayer_9"),
        (lambda goal: setattr(goal.images[0], "data", goal.images[0].data[:100]), "bytes"),
        (lambda goal: setattr(goal, "images", [Image()]), "0x0"),
        (lambda goal: setattr(goal, "camera_infos", [_small_info()]), "camera_info"),
    ],
)  # fmt: skip
def test_images_that_cannot_be_used(ros, frames, ask, change, said):
    ros.launch(QaNode)
    image, info, depth = images_of(frames[0])
    goal = goal_of("What?", use_latest_frame=False, images=[image], camera_infos=[info], depths=[depth])
    change(goal)
    status, result = ros.result(ros.send(ask, goal))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.INVALID_IMAGE), result.error_msg
    assert said in result.error_msg

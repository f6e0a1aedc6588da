"""The view node with a model: a small random pipeline through the real loading code, cancels, memory, and flags."""

import time
from dataclasses import replace

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

import torch

from joyai_ros.action import Imagine
from joyai_ros.engines.errors import EngineError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import Consistency
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.denoiser import TorchDenoiser
from joyai_ros.imagination.mmdit.errors import DrawMemoryError
from joyai_ros.imagination.mmdit.request import Drawn
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.opening import open_painter
from joyai_ros.messages.compressed import decode_compressed_color
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.motion import motion_message
from joyai_ros.messages.poses import pose_from_message
from joyai_ros.messages.views import VIEW_FRAME, view_from_message
from joyai_ros.msg import View
from joyai_ros.nodes.view_node import ViewNode
from tests.ros.harness import Robot, status_of, wait_for

FACTORY = RosFactory()
CODES = Imagine.Goal
QUIET = {"view.rate": 0.0}  # nothing along the stream


def wants(*given, method="model", **fields):
    return Imagine.Goal(motions=[motion_message(FACTORY, CameraMotion(*one)) for one in given], method=method, **fields)


@pytest.fixture
def imagine(ros):
    return ros.action(Imagine, "joyai/imagine")


@pytest.fixture(scope="module")
def opened(edit_folder):
    """The small pipeline, loaded once; at 64 pixels and in ten steps."""
    return open_painter(ImaginationConfig(model=str(edit_folder), size=64, preset="fast"))


def started(ros, robot, opened=None, leave_out=(), **parameters):
    how = {} if opened is None else {"open_painter": lambda _: opened}
    named = {} if opened is None else {"imagination.model": "small"}
    node = ros.launch(ViewNode, parameters={**QUIET, **named, **parameters}, **how)
    robot.show_until(lambda: node._newest is not None, "a frame to arrive", leave_out=leave_out)
    return node


def painted(opened, draw):
    """The same model with another way to draw: ``draw(sampler, requests, size, preset, on_step, is_canceled)``."""

    class Drawer:
        pipeline = opened.sampler.pipeline

        def draw(self, *arguments):
            return draw(opened.sampler, *arguments)

    return replace(opened, sampler=Drawer())


def unmoved(_, requests, size, preset, on_step, is_canceled):
    """What a model draws that does not move the camera at all."""
    del size, on_step, is_canceled
    return Drawn([requests[0].references[0]], preset.steps, preset.rows(), 0, (0.0, 0.0, 0.0))


def test_a_goal_for_the_model_brings_steps_previews_and_a_flagged_view(ros, robot, imagine, edit_folder):
    published, images = ros.listen(View, "joyai/views"), ros.listen(Image, "joyai/view/image")
    parameters = {"imagination.model": str(edit_folder), "imagination.size": 64, "imagination.preset": "fast"}
    node = started(ros, robot, **parameters)
    heard = []
    goal = wants((20.0, 0.0, 1.0), seed=5, preview=True)
    status, result = ros.result(ros.send(imagine, goal, heard.append))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    (message,) = result.views
    assert (message.method, message.model, message.seed) == ("model", edit_folder.name, 5)
    assert message.synthetic and message.has_motion and not message.pose_verified
    assert message.compute_seconds > 0
    view = view_from_message(message)
    assert (view.camera.width, view.camera.height) == (64, 48) and view.image.shape == (48, 64, 3)
    assert view.image.std() > 1 and view.depth is None and not view.validity.any()
    assert view.consistency is not Consistency.CONSISTENT
    wait_for(lambda: len(heard) >= 10, "feedback of each step")
    steps = [(item.feedback.view, item.feedback.views, item.feedback.step, item.feedback.steps) for item in heard]
    assert steps == [(0, 1, step, 10) for step in range(1, 11)]
    previews = [decode_compressed_color(item.feedback.preview) for item in heard]
    assert {preview.shape for preview in previews} == {(24, 32, 3)}
    assert np.abs(previews[0].astype(int) - previews[-1]).mean() > 1
    # It is published as what it is, and never as a camera: nobody knows where it looks from.
    wait_for(lambda: published, "the view on its topic")
    assert not published[-1].pose_verified and not images
    assert node._painting.reports()[0].level == "ok"
    # The same seed gives the same image, another preset another one.
    for fields, is_same in (({"seed": 5}, True), ({"seed": 5, "preset": "balanced"}, False)):
        _, again = ros.result(ros.send(imagine, wants((20.0, 0.0, 1.0), **fields)))
        same_frame = again.views[0].header.stamp == message.header.stamp
        assert same_frame and np.array_equal(again.views[0].image.data, message.image.data) == is_same


def test_both_methods_bring_two_views_of_a_motion(ros, robot, imagine, opened):
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    started(ros, robot, replace(opened, fallback="PyTorch runs the MMDiT instead of onnx"))
    heard = []
    goal = wants((10.0, 0.0, 1.0), (0.0, 5.0, 1.0), method="both")
    status, result = ros.result(ros.send(imagine, goal, heard.append))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert [view.method for view in result.views] == ["depth", "model"] * 2
    depth, model = result.views[:2]
    assert depth.pose_verified and depth.consistency == View.CONSISTENT
    np.testing.assert_allclose(pose_from_message(depth.commanded_pose), pose_from_message(model.commanded_pose))
    wait_for(lambda: heard and heard[-1].feedback.view == 3, "feedback of the last view")
    assert {item.feedback.views for item in heard} == {4}
    report, _ = wait_for(lambda: status_of(diagnostics, "model"), "a report on the model")
    assert (report.level, report.message) == (DiagnosticStatus.WARN, "PyTorch runs the MMDiT instead of onnx")


def test_a_view_whose_pose_is_found_is_a_camera_at_the_estimate(ros, robot, imagine, opened):
    """A model that was told two degrees and did not move: consistent within the limits, and not where it was sent."""
    images, infos = ros.listen(Image, "joyai/view/image"), ros.listen(CameraInfo, "joyai/view/camera_info")
    transforms = ros.listen(TFMessage, "/tf")
    started(ros, robot, painted(replace(opened, config=replace(opened.config, size=512)), unmoved))
    status, result = ros.result(ros.send(imagine, wants((2.0, 0.0, 1.0))))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    view = view_from_message(result.views[0])
    assert view.verified and view.consistency is Consistency.CONSISTENT and 0 < view.confidence <= 1
    assert view.seen_fraction > 0.5 and view.depth is not None and (np.linalg.eigvalsh(view.pose_covariance) > 0).all()
    assert np.linalg.norm(view.source_from_view[:3, 3]) > 0.012
    assert np.linalg.norm(view.estimated_source_from_view[:3, 3]) < 0.006
    wait_for(lambda: images and infos, "the view on its topics")
    assert (infos[-1].width, images[-1].width) == (view.camera.width,) * 2
    assert infos[-1].k[0] == pytest.approx(view.camera.fx)
    moved = wait_for(
        lambda: [t for m in list(transforms) for t in m.transforms if t.child_frame_id == VIEW_FRAME], "its transform"
    )[-1].transform.translation
    np.testing.assert_allclose([moved.x, moved.y, moved.z], view.estimated_source_from_view[:3, 3], atol=1e-6)


def test_without_depth_a_model_still_draws_and_says_so(ros, frames, imagine, opened):
    blind = Robot(ros, frames)
    started(ros, blind, opened, leave_out=["depth"], **{"topics.depth": ""})
    status, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert (result.views[0].pose_verified, result.views[0].consistency) == (False, View.UNCHECKED)
    assert np.isnan(result.views[0].confidence)
    _, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0), method="both")))
    assert result.error_code == CODES.NO_DEPTH


def _aside(metres):
    pose = PoseStamped()
    pose.pose.position.x = metres
    return pose


def test_a_target_pose_is_drawn_by_the_nearest_motion(ros, robot, imagine, opened):
    started(ros, robot, painted(opened, unmoved))
    status, result = ros.result(ros.send(imagine, Imagine.Goal(target_poses=[_aside(0.01)], method="both")))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert [view.method for view in result.views] == ["depth", "model"]
    for view in result.views:
        np.testing.assert_allclose(pose_from_message(view.commanded_pose)[:3, 3], [0.01, 0, 0], atol=1e-9)
    assert result.views[1].has_motion and abs(result.views[1].motion.yaw_deg) < 1.0


def test_goals_that_the_model_cannot_meet(ros, robot, imagine, opened):
    started(ros, robot, opened)
    for goal, code, words in (
        (wants((10.0, 0.0, 1.0), preset="quick"), CODES.INVALID_METHOD, "no preset 'quick'"),
        (wants((10.0, 0.0, 1.0), seed=2**63), CODES.INVALID_METHOD, "seed"),
        (wants((10.0, 0.0, 1.0), method="magic"), CODES.INVALID_METHOD, "depth, model or both"),
        (wants((0.0, 100.0, 1.0)), CODES.INVALID_MOTION, "past straight down"),
        (Imagine.Goal(target_poses=[_aside(1.0)], method="model"), CODES.INVALID_MOTION, "draw it from depth"),
    ):
        status, result = ros.result(ros.send(imagine, goal))
        assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, code), result.error_msg
        assert words in result.error_msg and not result.views


def test_a_motion_of_too_many_parts_is_refused(ros, robot, imagine, opened):
    started(ros, robot, replace(opened, config=replace(opened.config, parts=1)))
    _, result = ros.result(ros.send(imagine, wants((120.0, 0.0, 1.0))))
    assert result.error_code == CODES.INVALID_MOTION and "2 parts" in result.error_msg


def test_cancelling_takes_one_step_and_gives_memory_back(ros, robot, imagine, opened):
    calls, pause, inner = [], [0.0], TorchDenoiser(opened.sampler.pipeline.transformer)

    def slowly(batch):
        calls.append(time.monotonic())
        time.sleep(pause[0])
        return inner(batch)

    slow = replace(opened, sampler=Sampler(opened.sampler.pipeline, denoiser=slowly))
    started(ros, robot, slow)
    status, _ = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert status == GoalStatus.STATUS_SUCCEEDED
    held, pause[0] = held_bytes(), 0.1
    for _ in range(3):
        heard = []
        handle = ros.send(imagine, wants((10.0, 0.0, 1.0)), heard.append)
        wait_for(lambda heard=heard: heard, "the first step")
        before = len(calls)
        cancelled = handle.cancel_goal_async()
        wait_for(cancelled.done, "the cancel request to be answered")
        status, result = ros.result(handle)
        assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, CODES.CANCELED)
        assert not result.views
        told = len(calls)
        time.sleep(0.3)  # three steps, if it went on
        assert len(calls) - told <= 1 and len(calls) - before < 8
    assert held_bytes() <= held
    pause[0] = 0.0
    status, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))  # and the next one is served
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg


def held_bytes():
    """Bytes of all tensors that live."""
    import gc

    gc.collect()
    found = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storage = thing.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def test_out_of_memory_leaves_the_node_alive(ros, robot, imagine, opened):
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    full = [True]

    def draw(sampler, *arguments):
        if full[0]:
            large = torch.zeros(2_000_000)  # what is in memory when it runs out
            assert held_bytes() - held[0] >= large.nbytes
            raise DrawMemoryError("out of memory while drawing 1 images of 64x48; draw at a smaller size")
        return sampler.draw(*arguments)

    node = started(ros, robot, painted(opened, draw))
    held = [held_bytes()]
    status, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.OUT_OF_MEMORY)
    assert "smaller size" in result.error_msg and node.is_active
    wait_for(lambda: held_bytes() <= held[0], "the memory to be given back")
    wait_for(lambda: "smaller" in getattr((status_of(diagnostics, "model") or [None])[0], "message", ""), "a report")
    status, _ = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0), method="depth")))
    assert status == GoalStatus.STATUS_SUCCEEDED
    full[0] = False
    status, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert node._painting.reports()[0].level == "ok"


def test_an_engine_that_fails_leaves_the_node_alive(ros, robot, imagine, opened):
    def draw(*_):
        raise EngineError("the engine refused its inputs")

    node = started(ros, robot, painted(opened, draw))
    _, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert (result.error_code, result.error_msg) == (CODES.MODEL_UNAVAILABLE, "the engine refused its inputs")
    assert node.is_active


def test_a_model_that_does_not_fit_leaves_depth_views(ros, robot, imagine):
    def refuse(_):
        raise DrawMemoryError("the pipeline needs 50 GB and 8 are free; int4 would fit")

    node = ros.launch(ViewNode, parameters={**QUIET, "imagination.model": "joyai-image-edit"}, open_painter=refuse)
    robot.show_until(lambda: node._newest is not None, "a frame to arrive")
    _, result = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0))))
    assert result.error_code == CODES.OUT_OF_MEMORY and "int4 would fit" in result.error_msg
    status, _ = ros.result(ros.send(imagine, wants((10.0, 0.0, 1.0), method="depth")))
    assert status == GoalStatus.STATUS_SUCCEEDED


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"imagination.model": "nobody"}, "no model card 'nobody'"),
        ({"imagination.model": "FOLDER"}, "draws no images"),
        ({"imagination.model": "small-edit", "imagination.preset": "quick"}, "no preset 'quick'"),
    ],
)
def test_settings_of_the_model_that_are_wrong_keep_the_node_from_being_configured(ros, small_folder, parameters, words):
    named = {name: value.replace("FOLDER", str(small_folder)) for name, value in parameters.items()}
    node = ros.make(ViewNode, parameters={**QUIET, **named})
    wait_for(lambda: node.problem, "the node to say why")
    assert words in str(node.problem) and not node.is_active


def test_questions_are_shown_drawn_views_only_where_they_are_consistent(ros, robot, edit_folder):
    """The small pipeline knows nothing, so that the measured surface stands in for what it draws."""
    from joyai_ros.action import Ask
    from tests.ros.questioning import Slow, started

    model, settings = Slow(0.0, 3), {"imagination.size": 64, "imagination.preset": "fast"}
    started(ros, robot, model, **{"imagination.model": str(edit_folder), **settings})
    goal = Ask.Goal(question="What is there?", use_latest_frame=True, max_imagined_views=2)
    _, result = ros.result(ros.send(ros.action(Ask, "joyai/ask"), goal))
    assert result.error_code == Ask.Goal.NONE, result.error_msg
    assert len(model.requests[-1].images) == 3
    assert "computed from depth" in model.requests[-1].prompt
    refused = {"model.name": "none", "imagination.model": "nobody"}
    ros.remove(ros.nodes[-1])
    assert started(ros, robot, **refused).is_active, "nothing is drawn where geometry answers alone"

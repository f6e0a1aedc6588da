"""The question node when the model, its server, the camera or the question fails: it lives, and says so."""

import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from joyai_ros.action import Ask
from joyai_ros.nodes.qa_node import QaNode
from joyai_ros.understanding.backend import ModelError, ModelMemoryError
from tests.ros.harness import Robot, status_of, wait_for
from tests.ros.questioning import CODES, Failing, Slow, goal_of, started, two_objects
from tests.understanding.scripted_server import fails, serving

ERROR, WARNING, OK = b"\x02", b"\x01", b"\x00"


def _level(diagnostics):
    found = status_of(diagnostics, "joyai_qa: model")
    return None if found is None else found[0].level


def test_out_of_memory_the_node_lives_says_so_and_geometry_answers(ros, robot, ask, answers):
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    model = Failing(ModelMemoryError("there is no memory left"))
    node = started(ros, robot, model)
    one, _ = two_objects(robot)
    goal = goal_of("How tall?", task="object_height", objects=[one.id])
    status, result = ros.result(ros.send(ask, goal))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.OUT_OF_MEMORY)
    assert "no memory left; the answer is geometry's" in result.error_msg
    assert result.answer.geometry_value > 0
    assert result.answer.model == ""
    told = wait_for(lambda: _level(diagnostics) == ERROR and status_of(diagnostics, "joyai_qa: model"), "diagnostics")
    assert "no memory left" in told[0].message
    assert node.is_active
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))  # the model stayed loaded
    assert (status, result.answer.model, result.answer.text) == (GoalStatus.STATUS_SUCCEEDED, "failing", "xxx")
    wait_for(lambda: _level(diagnostics) == OK, "diagnostics to be content again")
    assert model.loads == 1


def test_a_model_that_does_not_fit_when_it_is_loaded(ros, robot, ask):
    def too_big(config):
        raise ModelMemoryError("17 GB do not fit into 8")

    node = ros.launch(QaNode, open_model=too_big)
    robot.show_until(lambda: node._newest() is not None, "a frame to arrive")
    one, _ = two_objects(robot)
    status, result = ros.result(ros.send(ask, goal_of("How tall?", task="object_height", objects=[one.id])))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.OUT_OF_MEMORY)
    assert "17 GB" in result.error_msg
    assert result.answer.geometry_value > 0
    assert node.is_active


def test_a_server_that_went_away_and_came_back(ros, robot, ask, answers):
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    one, _ = two_objects(robot)
    model = Failing(*[ModelError("no model server answers; start it")] * 2)
    started(ros, robot, model)
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.MODEL_UNAVAILABLE)
    assert "start it" in result.error_msg
    answers.clear()
    wait_for(lambda: publisher.get_subscription_count() == 1, "the node to listen")
    publisher.publish(String(data=f"object_height: How tall is the {one.label}?"))
    wait_for(lambda: answers, "an answer")
    assert answers[0].geometry_value > 0
    assert "(The model did not answer: no model server answers; start it)" in answers[0].text
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.answer.model) == (GoalStatus.STATUS_SUCCEEDED, "failing")


def test_the_key_of_a_server_is_refused(ros, robot, ask):
    with serving(fails(401, "no"), models=("spatial",)) as server:
        started(ros, robot, **{"model.server.url": server.url})
        status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.MODEL_UNAVAILABLE)
    assert "JOYAI_SERVER_KEY" in result.error_msg


def test_a_model_that_is_not_there_leaves_the_node_unconfigured(ros):
    node = ros.make(QaNode, parameters={"model.name": "no-such-card"})
    wait_for(lambda: node.problem is not None, "the problem to be known")
    assert "no-such-card" in str(node.problem)
    assert not node.is_active


def test_no_frame_yet(ros, ask, answers):
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    ros.launch(QaNode)
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.NO_FRAME)
    assert "nobody publishes /camera/color/image_raw" in result.error_msg
    wait_for(lambda: publisher.get_subscription_count() == 1, "the node to listen")
    publisher.publish(String(data="What is there?"))
    wait_for(lambda: answers, "an answer")
    assert "no frame yet" in answers[0].text


def test_questions_and_a_missing_transform_are_reported(ros, frames, ask):
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    started(ros, Robot(ros, frames, transforms=False))
    status, result = ros.result(ros.send(ask, goal_of("How many objects are there?", task="count")))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg

    def report(name):
        return status_of(diagnostics, f"joyai_qa: {name}")

    wait_for(lambda: (work := report("work")) and work[1]["questions"] == "1", "the question in diagnostics")
    told, _ = report("transforms")
    assert told.level == WARNING
    assert "camera_color_optical_frame" in told.message


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"question": ""}, CODES.INVALID_QUESTION, "empty"),
        ({"question": "x" * 100_000}, CODES.INVALID_QUESTION, "100000 characters"),
        ({"question": "What?", "task": "guess"}, CODES.INVALID_TASK, "'guess'"),
        ({"question": "How?", "task": "object_height", "objects": ["teapot_9"]}, CODES.INVALID_QUESTION, "teapot_9"),
        ({"question": "How?", "task": "camera_pose"}, CODES.INVALID_QUESTION, "2 images"),
        ({"question": "What?", "use_latest_frame": False}, CODES.NO_FRAME, "holds no images"),
    ],
)
def test_goals_that_cannot_be_answered(ros, robot, ask, fields, code, said):
    started(ros, robot)
    status, result = ros.result(ros.send(ask, Ask.Goal(**fields)))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, code)
    assert said in result.error_msg


def test_more_questions_than_may_wait_are_counted(ros, robot):
    model = Slow(0.01, 100)
    node = started(ros, robot, model, waiting=1)
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    wait_for(lambda: publisher.get_subscription_count() == 1, "the node to listen")
    for number in range(5):
        publisher.publish(String(data=f"What is there, {number}?"))
    wait_for(lambda: node.tally.counts().get("questions.left_out", 0) >= 3, "questions to be left out")
    assert node.is_active


def test_an_error_in_the_model_goes_to_error_processing_and_back(ros, robot, ask):
    model = Failing(ZeroDivisionError("a mistake"))
    node = started(ros, robot, model, recover_after=0.2)
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.UNKNOWN)
    wait_for(lambda: model.loads == 2 and node.is_active, "the node to be back")
    assert model.closed

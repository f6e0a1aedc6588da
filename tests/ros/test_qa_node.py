"""The question node: goals, the topic, who answers, and what happens when the model, its server or the camera fails."""

import json
import signal
import time

import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from joyai_ros.action import Ask
from joyai_ros.geometry.cameras import assumed_camera
from joyai_ros.messages.answer import answer_from_message
from joyai_ros.messages.cameras import info_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.images import color_message, depth_message
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.msg import Answer, Scene
from joyai_ros.nodes.qa_node import QaNode
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.types import Source, Status
from joyai_ros.understanding.backend import Finish, ModelError, ModelMemoryError, ModelReply
from joyai_ros.understanding.formats import Triples
from joyai_ros.understanding.opening import OpenModel
from tests.ros.harness import Process, status_of, wait_for
from tests.understanding.scripted_server import fails, says, serving

FACTORY = RosFactory()
CODES = Ask.Goal
ERROR, OK = b"\x02", b"\x00"


class Slow:
    """A model that says one letter at a time until it is told to stop; closes as asked."""

    name = "slow"

    def __init__(self, pause=0.01, letters=10_000):
        self.pause, self.letters = pause, letters
        self.requests, self.loads, self.closed, self.letters_said = [], 0, False, 0
        self.canceled = False

    def open(self, config):
        self.loads += 1
        return OpenModel(self)

    def answer(self, requests, on_text=None, is_canceled=None):
        self.requests += requests
        text = ""
        for _ in range(self.letters):
            if is_canceled is not None and is_canceled():
                self.canceled = True
                return [ModelReply(text, Finish.CANCELED)]
            time.sleep(self.pause)
            text += "x"
            self.letters_said = len(text)
            if on_text is not None:
                on_text(0, text)
        return [ModelReply(json.dumps({"text": text}), Finish.STOP)]

    def close(self):
        self.closed = True


class Failing(Slow):
    """A model that fails on the first questions."""

    name = "failing"

    def __init__(self, *errors):
        super().__init__(0.0, 3)
        self.errors = list(errors)

    def answer(self, requests, on_text=None, is_canceled=None):
        if self.errors:
            raise self.errors.pop(0)
        return super().answer(requests, on_text, is_canceled)


@pytest.fixture
def ask(ros):
    return ros.action(Ask, "joyai/ask")


@pytest.fixture
def answers(ros):
    return ros.listen(Answer, "joyai/answer")


def started(ros, robot, model=None, **parameters):
    options = {} if model is None else {"open_model": model.open}
    node = ros.launch(QaNode, parameters=parameters, **options)
    robot.show_until(lambda: node._newest() is not None, "a frame to arrive")
    return node


def two_objects(robot):
    """Return the labels of two objects of the frames, each the only one of its label."""
    detections = robot.frames[0].observation.detections
    labels = [d.label for d in detections]
    return [d for d in detections if labels.count(d.label) == 1][:2]


def goal_of(question, **fields):
    return Ask.Goal(question=question, use_latest_frame=fields.pop("use_latest_frame", True), **fields)


def test_geometry_alone_answers_a_goal_about_the_newest_frame(ros, robot, ask, answers):
    started(ros, robot)
    one, _ = two_objects(robot)
    goal = goal_of("How far away is it?", task="camera_distance", objects=[one.id])
    heard = []
    status, result = ros.result(ros.send(ask, goal, heard.append))
    assert (status, result.error_code, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, CODES.NONE, "")
    answer = answer_from_message(result.answer)
    assert answer.value == answer.geometry_value > 0
    assert (answer.unit, answer.status, answer.model) == ("m", Status.UNCHECKED, "")
    assert answer.evidence_objects == (one.id,)
    assert answer.frame_id == "camera_color_optical_frame"
    assert answer.stamp == robot.stamp or answer.stamp < robot.stamp
    assert result.duration.sec + result.duration.nanosec > 0
    wait_for(lambda: len(heard) >= 2, "feedback")
    assert heard[0].feedback.stage == "scene"
    assert [message.question for message in wait_for(lambda: answers, "the answer on its topic")] == [goal.question]


def test_objects_bear_the_ids_of_the_scene_node(ros, robot, ask):
    scenes = ros.listen(Scene, "joyai/scene")
    ros.launch(SceneNode)
    node = started(ros, robot, scene_age=60.0)
    robot.show_until(lambda: len(scenes) >= 3 and node._scenes.get() is not None, "scenes")
    status, result = ros.result(ros.send(ask, goal_of("How many objects are there?", task="count")))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    answer = answer_from_message(result.answer)
    scene = next(scene_from_message(m) for m in scenes if stamp_ns(m) == answer.stamp)
    assert answer.value == sum(item.visible and item.box is not None for item in scene.objects)
    target = scene.objects[0]
    goal = goal_of("How tall is it?", task="object_height", objects=[target.id])
    status, result = ros.result(ros.send(ask, goal))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert result.answer.geometry_value == pytest.approx(target.height, abs=0.02)


def test_questions_of_the_topic_are_answered_in_their_order(ros, robot, answers):
    started(ros, robot)
    one, other = two_objects(robot)
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    wait_for(lambda: publisher.get_subscription_count() == 1, "the node to listen")
    asked = [f"How tall is the {one.label}?", "count: How many objects?", "", f"How tall is the {other.label}?"]
    for text in asked:
        publisher.publish(String(data=text))
    wait_for(lambda: len(answers) == 4, "all answers")
    assert [message.task for message in answers] == ["object_height", "count", "", "object_height"]
    assert "No answer: the question is empty" in answers[2].text
    assert answers[0].value > 0
    assert list(answers[3].evidence_objects) == [other.id]


def test_a_model_behind_a_server_is_loaded_once_and_checked(ros, robot, ask):
    one, other = two_objects(robot)
    goal = goal_of("How far?", task="object_distance", objects=[one.id, other.id])
    with serving(says('{"value": 40, "unit": "m"}'), models=("spatial",)) as server:
        started(ros, robot, **{"model.server.url": server.url})
        heard = []
        status, result = ros.result(ros.send(ask, goal, heard.append))
        assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
        answer = answer_from_message(result.answer)
        assert (answer.model, answer.status, answer.model_value) == ("spatial", Status.CONTRADICT, 40.0)
        assert answer.value == answer.geometry_value < 2.0
        said = '{"value": 40, "unit": "m"}'
        # Feedback may come after the result.
        wait_for(lambda: any(m.feedback.text == said for m in list(heard)), "the model's text as feedback")


def test_the_policy_changes_while_it_runs(ros, robot, ask):
    one, other = two_objects(robot)
    goal = goal_of("How far?", task="object_distance", objects=[one.id, other.id])
    with serving(says('{"value": 40, "unit": "m"}'), models=("spatial",)) as server:
        node = started(ros, robot, **{"model.server.url": server.url})
        from rclpy.parameter import Parameter

        [changed] = node.set_parameters([Parameter("ask.policy", value="model")])
        assert changed.successful
        _, result = ros.result(ros.send(ask, goal))
        assert (result.answer.status, result.answer.value) == (Status.CONTRADICT, 40.0)


def test_imagined_views_reach_the_model(ros, robot, ask):
    model = Slow(0.0, 3)
    started(ros, robot, model)
    _, result = ros.result(ros.send(ask, goal_of("What is there?", max_imagined_views=2)))
    assert result.error_code == CODES.NONE, result.error_msg
    assert len(model.requests[-1].images) == 3
    assert result.answer.evidence_views == 3


def test_choices(ros, robot, ask):
    with serving(says('{"answer": "kitchen"}'), models=("spatial",)) as server:
        started(ros, robot, **{"model.server.url": server.url})
        _, result = ros.result(ros.send(ask, goal_of("Which room?", choices=["office", "kitchen"])))
    assert (result.answer.choice, result.answer.task) == ("kitchen", "choice")


def test_cancel_ends_the_goal_and_the_model_within_a_token(ros, robot, ask):
    model = Slow()
    started(ros, robot, model)
    heard = []
    handle = ros.send(ask, goal_of("What is there?"), heard.append)
    wait_for(lambda: any(m.feedback.text for m in heard), "text so far")
    cancelled = handle.cancel_goal_async()
    status, result = ros.result(handle)
    wait_for(cancelled.done, "the cancel response")
    assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, CODES.CANCELED)
    wait_for(lambda: model.canceled, "the model to stop")
    assert model.letters_said < model.letters


def test_one_goal_at_a_time_and_deactivating_ends_it(ros, robot, ask):
    model = Slow()
    node = started(ros, robot, model)
    heard = []
    first = ros.send(ask, goal_of("What is there?"), heard.append)
    wait_for(lambda: any(m.feedback.text for m in heard), "text so far")
    status, result = ros.result(ros.send(ask, goal_of("And there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.BUSY)
    node.trigger_deactivate()
    status, result = ros.result(first)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.NODE_INACTIVE)
    status, result = ros.result(ros.send(ask, goal_of("What is there?")))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, CODES.NODE_INACTIVE)
    assert model.loads == 1
    node.trigger_cleanup()
    assert model.closed


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


def images_of(frame, depth=True):
    """Return image, camera_info and depth of a frame as messages without a stamp."""
    head, observation = header(FACTORY, 0, "some_camera"), frame.observation
    image = color_message(FACTORY, head, observation.color)
    info = info_message(FACTORY, head, observation.camera)
    return image, info, depth_message(FACTORY, head, observation.depth) if depth else None


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


def test_scene_and_questions_in_one_process(ros, robot, answers):
    scenes = ros.listen(Scene, "joyai/scene")
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    with Process(ros.domain, "perception", "-p", "nodes:=[scene, qa]", "-p", "scene_age:=60.0") as process:
        robot.show_until(lambda: scenes and publisher.get_subscription_count() == 1, "both nodes to work")
        publisher.publish(String(data="count: How many objects are there?"))
        answer = robot.show_until(lambda: answers, "an answer")[0]
        scene = next(scene_from_message(m) for m in scenes if stamp_ns(m) == stamp_ns(answer))
        assert answer.value == sum(item.visible and item.box is not None for item in scene.objects)
        process.signal(signal.SIGINT)
        code, output = process.end()
    assert code == 0, output
    assert "Traceback" not in output


def _level(diagnostics):
    found = status_of(diagnostics, "joyai_qa: model")
    return None if found is None else found[0].level


def _small_info() -> CameraInfo:
    return info_message(FACTORY, header(FACTORY, 0, "some_camera"), assumed_camera(8, 6))


class Proposing(Slow):
    """A model that names everything a thing and sees the first two touch."""

    name = "proposing"

    def answer(self, requests, on_text=None, is_canceled=None):
        self.requests += requests
        texts = [
            {"relations": [{"subject": "1", "relation": "touching", "object": "2"}]}
            if isinstance(request.format, Triples)
            else {"text": "thing"}
            for request in requests
        ]
        return [ModelReply(json.dumps(text), Finish.STOP) for text in texts]


def test_the_model_adds_to_scenes_at_its_rate(ros, robot):
    scenes = ros.listen(Scene, "joyai/model_scene")
    model = Proposing()
    started(ros, robot, model, propose_rate=20.0)
    robot.show_until(lambda: len(scenes) >= 2, "scenes with what the model adds")
    scene = scene_from_message(scenes[-1])
    touching = [r for r in scene.relations if r.predicate == "touching"]
    assert {(r.source, r.status) for r in touching} & {
        (Source.MODEL, Status.UNCHECKED),
        (Source.GEOMETRY, Status.AGREE),
    }
    assert [r for r in scene.relations if r.source is Source.GEOMETRY]

"""The question node: goals, the topic, who answers, and what the model adds to scenes."""

import signal

import pytest
from action_msgs.msg import GoalStatus
from std_msgs.msg import String

from joyai_ros.messages.answer import answer_from_message
from joyai_ros.messages.headers import stamp_ns
from joyai_ros.messages.scene import scene_from_message
from joyai_ros.msg import Scene
from joyai_ros.nodes.qa_node import QaNode
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.types import Source, Status
from joyai_ros.understanding.opening import OpenModel
from tests.reasoning.table import Helpful
from tests.ros.harness import Process, wait_for, with_stamp
from tests.ros.questioning import CODES, Slow, goal_of, started, two_objects
from tests.understanding.scripted_server import says, serving


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
    scene = scene_from_message(wait_for(lambda: with_stamp(scenes, answer.stamp), "the scene it answered from"))
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

        def fed_back():
            """Feedback may come after the result, and what comes after the goal's last status is dropped: ask again then."""
            is_heard = any(m.feedback.text == said for m in list(heard))
            return is_heard or ros.result(ros.send(ask, goal, heard.append)) is None

        wait_for(fed_back, "the model's text as feedback")


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


def test_scene_and_questions_in_one_process(ros, robot, answers):
    scenes = ros.listen(Scene, "joyai/scene")
    publisher = ros.node.create_publisher(String, "joyai/question", 10)
    with Process(ros.domain, "perception", "-p", "nodes:=[scene, qa]", "-p", "scene_age:=60.0") as process:
        robot.show_until(lambda: scenes and publisher.get_subscription_count() == 1, "both nodes to work")

        def answered():
            """Ask until an answer is about a scene that was heard here: the first questions may come before any scene."""
            publisher.publish(String(data="count: How many objects are there?"))
            return next((each for each in list(answers) if with_stamp(scenes, stamp_ns(each))), None)

        answer = robot.show_until(answered, "an answer about a scene", pause=0.3)
        scene = scene_from_message(with_stamp(scenes, stamp_ns(answer)))
        assert answer.value == sum(item.visible and item.box is not None for item in scene.objects)
        process.signal(signal.SIGINT)
        code, output = process.end()
    assert code == 0, output
    assert "Traceback" not in output


def test_the_model_adds_to_scenes_at_its_rate(ros, robot):
    scenes = ros.listen(Scene, "joyai/model_scene")
    ros.launch(QaNode, open_model=lambda _: OpenModel(Helpful([])), parameters={"propose_rate": 20.0})
    robot.show_until(lambda: len(scenes) >= 2, "scenes with what the model adds")
    scene = scene_from_message(scenes[-1])
    touching = [r for r in scene.relations if r.predicate == "touching"]
    assert {(r.source, r.status) for r in touching} & {
        (Source.MODEL, Status.UNCHECKED),
        (Source.GEOMETRY, Status.AGREE),
    }
    assert [r for r in scene.relations if r.source is Source.GEOMETRY]

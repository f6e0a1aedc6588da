"""The base of all nodes: states, errors and the way back, signs of life."""

import gc
import threading

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import TransitionCallbackReturn

from joyai_ros.errors import ConfigError
from joyai_ros.msg import Scene
from joyai_ros.nodes import qos
from joyai_ros.nodes.config import NodeConfig
from joyai_ros.nodes.managed import ManagedNode
from joyai_ros.nodes.scene_node import SceneNode
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.srv import GetScene
from tests.ros.harness import status_of, wait_for

CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = 1, 2, 3, 4  # lifecycle_msgs/Transition
UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = (
    State.PRIMARY_STATE_UNCONFIGURED,
    State.PRIMARY_STATE_INACTIVE,
    State.PRIMARY_STATE_ACTIVE,
    State.PRIMARY_STATE_FINALIZED,
)


def change(ros, transition):
    request = ChangeState.Request()
    request.transition.id = transition
    return ros.call(ChangeState, "/joyai_scene/change_state", transition=request.transition).success


def state(ros):
    return ros.call(GetState, "/joyai_scene/get_state").current_state.id


def test_a_lifecycle_manager_can_drive_it(ros):
    node = ros.make(SceneNode, parameters={"autostart": False})
    assert state(ros) == UNCONFIGURED
    for transition, expected in (
        (CONFIGURE, INACTIVE),
        (ACTIVATE, ACTIVE),
        (DEACTIVATE, INACTIVE),
        (CLEANUP, UNCONFIGURED),
    ):
        assert change(ros, transition)
        assert state(ros) == expected
    assert node.problem is None


def test_cycles_leave_nothing_behind(ros, robot):
    node = ros.make(SceneNode, parameters={"autostart": False, "publish_tf": True})

    def entities():
        kinds = (node.publishers, node.subscriptions, node.services, node.timers, node.waitables, node.guards)
        return [len(list(kind)) for kind in kinds], len(node._managed_entities)

    def remembered():
        gc.collect()
        return len(node.default_callback_group.entities)

    before, references = entities(), []
    for _ in range(5):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        robot.show()
        assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        assert entities() == before
        assert not [t for t in threading.enumerate() if t.name.startswith("joyai_scene")]
        references.append(remembered())
    assert references[-1] <= references[0]  # those of one turn are dropped at the end of the next


class Broken(SceneEngine):
    """Fails as often as it is told to, then works."""

    failures = 1

    def process(self, observation):
        if Broken.failures > 0:
            Broken.failures -= 1
            raise ZeroDivisionError("a mistake in the engine")
        return super().process(observation)


def test_an_error_in_the_work_goes_to_error_processing_and_comes_back(ros, robot):
    Broken.failures = 1
    scenes = ros.listen(Scene, "joyai/scene")
    diagnostics = ros.listen(DiagnosticArray, "/diagnostics")
    node = ros.launch(SceneNode, make_engine=Broken, parameters={"recover_after": 0.3})
    robot.show_until(lambda: node.state[0] == UNCONFIGURED, "the node to become unconfigured")
    wait_for(lambda: status_of(diagnostics, "joyai_scene: lifecycle")[0].level == b"\x02", "the error in diagnostics")
    status, values = status_of(diagnostics, "joyai_scene: lifecycle")
    assert "ZeroDivisionError: a mistake in the engine" in status.message
    assert int(values["errors"]) == 1
    wait_for(lambda: node.is_active, "the node to start again")
    robot.show_until(lambda: scenes, "a scene after that")
    wait_for(lambda: status_of(diagnostics, "joyai_scene: lifecycle")[0].level == b"\x00", "no error in diagnostics")


def test_without_recovery_it_stays_unconfigured_for_its_manager(ros, robot):
    Broken.failures = 1
    node = ros.launch(SceneNode, make_engine=Broken, parameters={"recover_after": 0.0})
    robot.show_until(lambda: node.state[0] == UNCONFIGURED, "the node to become unconfigured")
    assert change(ros, CONFIGURE)
    assert change(ros, ACTIVATE)
    assert state(ros) == ACTIVE


def broken(*_):
    raise ZeroDivisionError("a mistake in a callback")


def test_an_error_in_a_callback_of_a_topic_goes_to_error_processing_too(ros, robot):
    scenes = ros.listen(Scene, "joyai/scene")
    node = ros.launch(SceneNode, parameters={"recover_after": 0.3})
    node._stream._sync.add = broken
    robot.show_until(lambda: node.tally.counts().get("errors"), "error processing")
    wait_for(lambda: node.is_active, "the node to start again")
    robot.show_until(lambda: scenes, "a scene after that")
    assert ros.spinner.is_alive


def test_an_error_in_a_service_is_answered_and_goes_to_error_processing(ros):
    node = ros.launch(SceneNode, parameters={"recover_after": 0.3, "stale_after": 60.0})
    node.waiting_for = broken  # which the service asks when there is no scene yet
    response = ros.call(GetScene, "joyai/get_scene")
    assert response.error_code != GetScene.Request.NONE
    assert "ZeroDivisionError" in response.error_msg
    del node.waiting_for
    wait_for(lambda: node.tally.counts().get("errors"), "error processing")
    wait_for(lambda: node.is_active, "the node to start again")
    assert ros.call(GetScene, "joyai/get_scene").error_code == GetScene.Request.NO_SCENE_YET


def test_an_error_while_inactive_takes_the_node_down_to_unconfigured(ros):
    node = ros.make(SceneNode, parameters={"autostart": False, "recover_after": 0.0})
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    node.fail(ZeroDivisionError("a mistake"))
    wait_for(lambda: node.state[0] == UNCONFIGURED, "error processing")
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS  # nothing of the old error is left


class Moody(ManagedNode):
    """A node whose hooks do what a test says."""

    NAME = "moody"
    CONFIG = NodeConfig
    mood: Exception | None = None

    def setup(self):
        self.done = []
        self.own(lambda: self.done.append("given back"))
        if self.mood is not None:
            raise self.mood

    def stop(self):
        self.done.append("stopped")


@pytest.mark.parametrize(
    ("mood", "result", "ends"),
    [
        (ConfigError("topics.color is empty"), TransitionCallbackReturn.FAILURE, UNCONFIGURED),
        (OSError("no such device"), TransitionCallbackReturn.ERROR, UNCONFIGURED),
    ],
)
def test_a_failed_setup_gives_back_what_it_took(ros, mood, result, ends):
    node = ros.make(Moody, parameters={"autostart": False, "recover_after": 0.0})
    node.mood = mood
    assert node.trigger_configure() == result
    assert node.state[0] == ends
    assert "given back" in node.done
    assert (node.problem is mood) is isinstance(mood, ConfigError)
    node.mood = None
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


@pytest.mark.parametrize("steps", [[], ["configure"], ["configure", "activate"]])
def test_shutdown_from_every_state(ros, steps):
    node = ros.make(SceneNode, parameters={"autostart": False})
    for step in steps:
        getattr(node, f"trigger_{step}")()
    node.close()
    assert node.state[0] == FINALIZED


def test_the_heartbeat_tells_the_state_and_stops_with_the_node(ros):
    beats = []
    ros.node.create_subscription(State, "/joyai_scene/heartbeat", beats.append, qos.heartbeat(0.05))
    lost = []
    profile = qos.heartbeat(0.05)
    callbacks = SubscriptionEventCallbacks(liveliness=lambda event: lost.append(event.alive_count))
    ros.node.create_subscription(State, "/joyai_scene/heartbeat", lambda _: None, profile, event_callbacks=callbacks)
    node = ros.launch(SceneNode)
    wait_for(lambda: beats and beats[-1].id == ACTIVE, "a heartbeat of the active node")
    assert beats[-1].label == "active"
    node.trigger_deactivate()
    wait_for(lambda: beats[-1].id == INACTIVE, "a heartbeat of the inactive node")
    ros.remove(node)
    wait_for(lambda: lost and lost[-1] == 0, "the middleware to say that nobody is alive")

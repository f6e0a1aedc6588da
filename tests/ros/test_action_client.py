"""Answers that come before their requests are noted: rclpy's own client drops them."""

import time

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup

from joyai_ros.action import Imagine
from tests.ros.harness import wait_for

LATE = 0.3  # seconds from sending a request to noting it: far more than its answer takes


class Late(dict):
    """What rclpy notes requests in: who sends one looks whether it is there before noting it, and then it takes long."""

    looked = False

    def __contains__(self, number):
        if not self.looked:
            self.looked = True
            time.sleep(LATE)
        return super().__contains__(number)


@pytest.fixture
def server(ros):
    def execute(goal):
        while goal.request.preview and not goal.is_cancel_requested:
            time.sleep(0.01)
        goal.canceled() if goal.is_cancel_requested else goal.succeed()
        return Imagine.Result(error_msg="done")

    found = ActionServer(
        ros.node,
        Imagine,
        "quick",
        execute,
        cancel_callback=lambda _: CancelResponse.ACCEPT,
        callback_group=ReentrantCallbackGroup(),
    )
    yield found
    found.destroy()


@pytest.mark.parametrize("pending", ["_pending_goal_requests", "_pending_result_requests"])
def test_a_goal_and_its_result_come_though_they_are_noted_late(ros, server, pending):
    client = ros.action(Imagine, "quick")
    setattr(client, pending, late := Late())
    status, result = ros.result(ros.send(client, Imagine.Goal()))
    assert late.looked, "rclpy notes requests elsewhere now: nothing was late"
    assert (status, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, "done")


def test_so_does_the_answer_to_a_cancellation(ros, server):
    client = ros.action(Imagine, "quick")
    client._pending_cancel_requests = late = Late()
    handle = ros.send(client, Imagine.Goal(preview=True))
    asked = handle.cancel_goal_async()
    wait_for(asked.done, "the answer to the cancellation")
    assert asked.result().goals_canceling and late.looked
    assert ros.result(handle)[0] == GoalStatus.STATUS_CANCELED

"""Nodes on a real rclpy, in this process and a domain of their own; everything here skips where there is no ROS 2."""

import contextlib
import itertools
import os

import pytest

INSTALL = os.environ.get("JOYAI_ROS_INSTALL")
if INSTALL is None:
    # These cannot even be imported without ROS; test_colcon.py says once why they are missing.
    collect_ignore_glob = [f"test_{name}*.py" for name in "abdefghijklmnopqrstuvwxyz"]

SEED = 3  # of the scene that the frames show: seven objects on a table


@pytest.fixture(scope="session")
def frames():
    """Three frames of a simulated robot, a few degrees apart: with noise, boxes, camera poses."""
    from joyai_ros.sim.frames import SimSettings, simulate

    return list(itertools.islice(simulate(SEED, 40, SimSettings(whole="none")), 3))


@pytest.fixture(scope="session")
def next_domain():
    """Which domain to try next: another for every test, because what a test left may be heard in its own for a while."""
    return itertools.cycle(range(2, 101)).__next__


@pytest.fixture
def ros(next_domain):
    """A domain with an executor that spins in a thread; nodes made with its context are its own."""
    from tests.ros.harness import Ros

    with contextlib.ExitStack() as stack:
        from domain_coordinator import domain_id

        ros = Ros(stack.enter_context(domain_id(next_domain)))
        stack.callback(ros.close)
        yield ros


@pytest.fixture
def robot(ros, frames):
    """A robot in that domain that publishes the simulated frames when told to."""
    from tests.ros.harness import Robot

    return Robot(ros, frames)


@pytest.fixture
def ask(ros):
    """The client of the question node's action."""
    from joyai_ros.action import Ask

    return ros.action(Ask, "joyai/ask")


@pytest.fixture
def answers(ros):
    """What the question node publishes, as it comes."""
    from joyai_ros.msg import Answer

    return ros.listen(Answer, "joyai/answer")

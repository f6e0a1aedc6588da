"""A question node at work, goals for it, and models that say what a test wants, when it wants it."""

import json
import time

from joyai_ros.action import Ask
from joyai_ros.nodes.qa_node import QaNode
from joyai_ros.understanding.backend import Finish, ModelReply
from joyai_ros.understanding.opening import OpenModel

CODES = Ask.Goal


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

"""A table with three known things, seen from the front and from the side, and models that say what a test wants."""

import json
from dataclasses import dataclass, field, replace
from functools import cache

from benchmarks.raycast import Tube
from joyai_ros.reasoning.question import Look
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.understanding.backend import Finish, ModelReply
from joyai_ros.understanding.formats import Triples
from tests.scene.stage import block, shoot

# The mug is 26 cm to the left of the box and 12 cm nearer; the can is behind, between them, and the tallest.
THINGS = {
    "mug": [Tube((-0.18, -0.10, 0.05), 0.04, 0.10)],
    "box": block(0.12, 0.02, (0.16, 0.10, 0.06)),
    "can": [Tube((0.0, 0.22, 0.08), 0.035, 0.16)],
}


@cache
def table(how="boxes", depth=True, eye=(0.0, -0.9, 0.6)):
    """Look at the table from a place; without depth nothing is measured."""
    shot = shoot(THINGS, eye=eye, up="tf")
    observation = shot.asked(how)
    if not depth:
        observation = replace(observation, depth=None)
    return Look(observation, SceneEngine().process(observation))


@dataclass
class Model:
    """Says the given texts, one for each request, and keeps the requests."""

    texts: list
    logprobs: tuple | None = None
    finish: Finish = Finish.STOP
    asked: list = field(default_factory=list)
    name: str = "a model"

    def answer(self, requests, on_text=None, is_canceled=None):
        self.asked += requests
        texts = self.texts if len(self.texts) == len(requests) else self.texts * len(requests)
        if on_text:
            for index, text in enumerate(texts):
                on_text(index, text)
        return [ModelReply(text, self.finish, token_logprobs=self.logprobs) for text in texts]

    def close(self):
        pass


class Helpful(Model):
    """Names every object a tin and sees all of them touch."""

    def answer(self, requests, on_text=None, is_canceled=None):
        self.asked += requests
        texts = [
            {"relations": [{"subject": "1", "relation": "touching", "object": "2"}]}
            if isinstance(request.format, Triples)
            else {"text": "tin"}
            for request in requests
        ]
        return [ModelReply(json.dumps(text), self.finish) for text in texts]

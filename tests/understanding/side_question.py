"""A question about an image, as the tests of model servers ask it, and its answer."""

import numpy as np

from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.formats import Choice

IMAGE = np.random.default_rng(5).integers(0, 255, (24, 32, 3), np.uint8)
SIDE = Choice(("left", "right"))
LEFT = '{"answer": "left"}'


def question(prompt: str = "Which side?", wanted=SIDE, **more) -> ModelRequest:
    return ModelRequest((IMAGE,), prompt, wanted, **more)

"""Samples, documents and a small model that tests of packs and of learning share."""

import numpy as np
import pytest

pytest.importorskip("transformers", reason="training needs transformers")
import torch

from joyai_ros.settings import build
from joyai_ros.training.mllm.config import MllmTraining, ScratchSizes
from joyai_ros.training.mllm.mixture import Pool
from joyai_ros.training.mllm.samples import ImageRef, Sample
from joyai_ros.training.mllm.scratch import scratch_model
from joyai_ros.understanding.prompts import SYSTEM as QUESTION_SYSTEM

SIZES = ScratchSizes(
    vocabulary=640,
    width=64,
    mlp=96,
    layers=3,
    heads=4,
    key_heads=2,
    head=16,
    vision_width=32,
    vision_mlp=64,
    vision_layers=3,
    vision_heads=2,
    patch=8,
    pixels=4096,
)


class Noise:
    """Images of noise, each its own."""

    def __call__(self, ref):
        rows, columns = (48, 64) if ref.marked else (64, 48)
        return np.random.default_rng(int(ref.frame)).integers(0, 255, (rows, columns, 3), dtype=np.uint8)


def image(number: int, marked: bool = True, shows: tuple = ()) -> ImageRef:
    return ImageRef("store", "shard", str(number), marked, shows=shows)


# One letter each: tokens of any vocabulary.
SHOWS = (0, 0, "r"), (0, -1, "m")
GLANCE = Sample(
    "e", "glances", (image(5, True, SHOWS), image(6, False, (((1, 0, "x"),)))), "", "", "glances", asks=False
)


SAMPLES = [
    Sample("a", "color", (image(1),), "What colour is the mug?", '{"answer": "red"}', "colours"),
    Sample("b", "count", (image(2), image(3, False)), "How many mugs?", '{"count": 2}', "counts"),
    Sample("c", "text", (), "Say what was said: the mug is left of the box.", "left", "texts"),
    Sample(
        "d",
        "listing",
        (image(4, True, SHOWS),),
        "Which is nearer?",
        "the mug",
        "listings",
        "mug; box.",
        (("And redder?", "box"),),
    ),
]


def outputs(model, batch):
    return model(**batch.inputs(torch.device("cpu"), torch.float32), output_hidden_states=True)


def config(**values):
    return build(MllmTraining, {"stores": ["s"], "tokens": 640, "loop": {"seed": 3, "steps": 10}, **values})


def pools():
    return [Pool("store", sample.dataset, [sample]) for sample in SAMPLES]


def fresh(seed=0):
    texts = [text for sample in SAMPLES for text in (sample.prompt, sample.answer, QUESTION_SYSTEM)] * 20
    return scratch_model(SIZES, texts, seed)

"""Settings of a training that do not go together."""

import pytest

from joyai_ros.errors import ConfigError
from joyai_ros.settings import load
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import KINDS
from joyai_ros.training.mllm.mixture import Mixture, Pool
from joyai_ros.training.mllm.samples import Sample

SAMPLE = Sample("a", "questions", (), "How many?", "3", "questions")


def config(*settings):
    return load(MllmTraining, None, ["stores=[out/a]", *settings])


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["base=x", "vision_rate=0.5"],
        ["base=x", "vision_rate=0", "keep.weight=1", "keep.general=[questions]"],
        ["base=x", "vision_rate=0", "lora.rank=4"],
        ["vision_rate=0"],
    ],
)
def test_a_new_encoder_is_trained_and_has_no_teacher(settings):
    if settings == ["base=x", "vision_rate=0.5"]:
        config(*settings, "new_vision=true").check()
        return
    with pytest.raises(ConfigError, match="new_vision needs a base"):
        config(*settings, "new_vision=true").check()
    config(*settings).check()


@pytest.mark.parametrize("mix", ["{glances: 1}", "{windows: 3, a/glances: 1}", "{a: 1}", "{}"])
def test_a_lora_learns_nothing_from_what_the_eyes_learn_alone(mix):
    """By whatever name a mixture means it."""
    found = [Pool("a", kind, [SAMPLE]) for kind in KINDS]
    words = ("base=x", f"stages=[{{mix: {mix}}}]")
    Mixture(config(*words), found, None)
    with pytest.raises(
        ConfigError, match="this LoRA leaves the vision encoder as it is, and glances train nothing else"
    ):
        Mixture(config(*words, "lora.rank=4"), found, None)
    Mixture(config("base=x", "stages=[{mix: {windows: 1}}]", "lora.rank=4"), found, None)
    Mixture(config(*words, "lora.rank=4", "lora.vision=true"), found, None)


def test_a_lora_of_the_vision_encoder_needs_a_rate_for_it():
    words = ("base=x", "stores=[y]", "lora.rank=4", "lora.vision=true")
    config(*words).check()
    with pytest.raises(ConfigError, match="set vision_rate above 0"):
        config(*words, "vision_rate=0").check()


@pytest.mark.parametrize("mean", ["[{share: 0.5}]", "[{model: a, share: 0.6}, {model: b, share: 0.5}]"])
def test_a_mean_of_models_names_each_and_leaves_something_to_the_trained_one(mean):
    with pytest.raises(ConfigError, match="mean needs"):
        config("stores=[y]", f"mean={mean}").check()
    config("stores=[y]", "mean=[{model: a, share: 0.6}, {model: b, share: 0.25}]").check()

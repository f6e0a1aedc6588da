"""Settings of a training that do not go together."""

import pytest

from joyai_ros.errors import ConfigError
from joyai_ros.settings import load
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import GLANCES


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


@pytest.mark.parametrize("mix", [f"{{{GLANCES}: 1}}", f"{{windows: 3, a/{GLANCES}: 1}}", "{}"])
def test_a_lora_learns_nothing_from_what_the_eyes_learn_alone(mix):
    words = ("base=x", "exercises=true", f"stages=[{{mix: {mix}}}]")
    config(*words).check()
    with pytest.raises(ConfigError, match="a LoRA leaves the vision encoder as it is, and glances train nothing else"):
        config(*words, "lora.rank=4").check()
    config("base=x", "exercises=true", "stages=[{mix: {windows: 1}}]", "lora.rank=4").check()

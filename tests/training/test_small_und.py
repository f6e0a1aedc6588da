"""The small model that travels with the package: it is whole, it lists what it sees, and it answers in the right form."""

import re

import pytest

pytest.importorskip("transformers", reason="the extra neural is not installed")

from joyai_ros.imagination.mmdit.conditioning import DROPPED_TOKENS, SYSTEM
from joyai_ros.models.card import load_card, shipped_folder
from joyai_ros.models.folder import check_folder
from joyai_ros.reasoning.asking import Asker
from joyai_ros.reasoning.question import Look, Question
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.sim.frames import simulate
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.opening import open_model
from joyai_ros.understanding.tasks import COLORS

CARD = load_card("small-und")
HELD_OUT = 1_000_000  # seeds from here on are in no training data
ENTRY = r"( \(mark \d+\))?( [xywh]\d\d){4} [a-z]+ [a-z]+( [yradlt]\d\d){7}"


@pytest.fixture(scope="module")
def opened():
    return open_model(ModelConfig(name="small-und"))


@pytest.fixture(scope="module")
def look():
    (frame,) = simulate(HELD_OUT, 1)
    return Look(frame.observation, SceneEngine().process(frame.observation))


def test_it_is_whole_and_small():
    folder = shipped_folder(CARD)
    assert check_folder(folder).tensors > 50
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 10e6
    assert not [path for path in folder.rglob("*") if path.suffix not in (".safetensors", ".json", ".jinja", ".txt")]
    assert CARD.listing and CARD.dtype == "float16"
    assert CARD.training["command"] == (
        "joyai-ros train mllm models/recipes/small-und-sideways.yaml --out out/small-und-sideways"
    )


def test_it_can_be_the_text_encoder_of_a_pipeline(opened):
    tokenizer = opened.backend._processor.tokenizer
    assert len(tokenizer(SYSTEM + "<|im_start|>").input_ids) == DROPPED_TOKENS


def test_it_answers_questions_in_their_form_from_one_listing(opened, look):
    seen = [thing for thing in look.things if thing.box is not None][:2]
    first, second = (thing.id for thing in seen)
    questions = [
        Question("left or right", "left_right", objects=(first, second)),
        Question("which colour", "color", objects=(first,)),
        Question("how far", "camera_distance", objects=(second,)),
        Question("how many", "count"),
    ]
    side, color, way, count = Asker(opened.backend, confidence=opened.confidence).ask_all(questions, [look])
    assert {answer.model for answer in (side, color, way, count)} == {"small-und"}
    assert side.choice in ("left", "right") and 0.0 <= side.confidence <= 1.0 and color.choice in COLORS
    assert way.model_value > 0.0 and count.model_value == int(count.model_value)
    marked, found = sorted(opened.backend._memory.listings._held.values(), key=lambda text: "(mark" not in text)
    assert re.fullmatch(rf"({ENTRY};)*{ENTRY}\.", marked) and re.fullmatch(rf"({ENTRY};)*{ENTRY}\.|\.", found)
    assert len(marked.split(";")) == sum(thing.box is not None for thing in look.things)

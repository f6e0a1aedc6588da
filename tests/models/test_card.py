import pytest

from joyai_ros.models.angles import Angles
from joyai_ros.models.card import CardSampling, load_card, load_cards, read_card
from joyai_ros.models.confidence import ConfidenceLine
from joyai_ros.models.errors import CardError
from joyai_ros.models.folder import ARCHITECTURE
from joyai_ros.models.pipeline_folder import EDIT, PLUS

GOOD = "name: good\nwhat: a model\narchitecture: Some\ndtype: float32\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="good"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return path

    return write


def test_the_cards_that_come_with_the_package():
    cards = {card.name: card for card in load_cards()}
    drawing = {"joyai-image-edit": EDIT, "joyai-image-edit-plus": PLUS, "small-edit": EDIT}
    sizes = [f"qwen3-vl-{size}-instruct" for size in ("2b", "4b", "8b")]
    assert set(cards) == {*("joyai-image-und", "openspatial-qwen3-vl-8b", *sizes, "small-und"), *drawing}
    und = cards["joyai-image-und"]
    assert (und.subfolder, und.sampling) == ("JoyAI-Image-Und", CardSampling(0.7, 0.8, 50))
    for card in cards.values():
        assert card.architecture == drawing.get(card.name, ARCHITECTURE)
        assert card.draws == (card.name in drawing)
        assert card.revision is None and card.unverified, "what was not verified here, the card says so"
        assert not card.confidence or card.name == "small-und", "only what was trained here was calibrated"
        assert bool(card.repository) != bool(card.folder)
        assert card.listing == (card.name == "small-und")
        if card.parameters:
            assert card.memory["bfloat16"] == pytest.approx(2e-9 * card.parameters, abs=0.06)
            assert card.memory["int4"] < card.memory["int8"] < card.memory["bfloat16"]


def test_a_small_card(write):
    card = read_card(write(GOOD + "unverified: null\nmemory: null\nconfidence: null\n"))
    assert (card.unverified, card.memory, card.confidence, card.sampling) == ((), {}, {}, None)
    card = read_card(write(GOOD + "confidence: {color: {slope: 2, offset: -1}, others: {}}\n"))
    assert card.confidence == {"color": ConfidenceLine(2, -1), "others": ConfidenceLine()}


def test_how_a_card_says_to_draw(write):
    card = read_card(write(GOOD + "preset: fast\nguidance: 2\nangles: {yaw_sign: -1, most_yaw: 45}\n"))
    assert (card.preset, card.guidance, card.angles) == ("fast", 2.0, Angles(yaw_sign=-1, most_yaw=45))
    assert read_card(write(GOOD)).angles == Angles()


def test_an_unknown_card_names_those_there_are():
    with pytest.raises(CardError, match=r"no model card 'other'; there are joyai-image-edit.*, small-und"):
        load_card("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no mapping"),
        ("a: [", "cannot be read"),
        (GOOD + "colour: red\n", "has an unknown key colour"),
        (GOOD.replace("what: a model\n", ""), "lacks the key what"),
        (GOOD.replace("good", "bad"), "calls itself 'bad'"),
        (GOOD.replace("a model", "3"), "what is 3, which it cannot be"),
        (GOOD.replace("a model", "null"), "what is None, which it cannot be"),
        (GOOD + "memory: 3\n", "memory is 3"),
        (GOOD + "angles: {yaw_sign: 2}\n", "angles is"),
        (GOOD + "angles: {roll: 2}\n", "angles is"),
        (GOOD + "memory: {bfloat16: much}\n", "memory is"),
        (GOOD + "sampling: {temperature: 1.0}\n", "sampling is"),
        (GOOD + "guidance: 0.5\n", "guidance is 0.5"),
        (GOOD + "guidance: .nan\n", "guidance is nan"),
        (GOOD + "parameters: many\n", "parameters is 'many'"),
        (GOOD + "unverified: all\n", "unverified is 'all'"),
        (GOOD + "confidence: hot\n", "confidence is 'hot'"),
        (GOOD + "confidence: {others: {slope: -1}}\n", "confidence is"),
        (GOOD + "confidence: {others: {slope: .nan}}\n", "confidence is"),
        (GOOD + "confidence: {others: {temperature: 2}}\n", "confidence is"),
    ],
)
def test_a_broken_card_is_named_with_what_is_wrong(write, text, said):
    with pytest.raises(CardError, match=said):
        read_card(write(text))


def test_a_card_that_is_not_there(tmp_path):
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path / "none.yaml")

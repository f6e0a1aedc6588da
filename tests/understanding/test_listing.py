"""A model that lists what it sees: what a listing says, that it is written once, and what of it stands in a prompt."""

import dataclasses
import re

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the extra neural is not installed")

from joyai_ros.training.mllm.config import ScratchSizes
from joyai_ros.training.mllm.scratch import scratch_model
from joyai_ros.understanding.backend import Finish, ModelError, ModelRequest
from joyai_ros.understanding.formats import Choice, Count, parse
from joyai_ros.understanding.listing import (
    CUTOUT,
    EVIDENCE_END,
    MIDDLE,
    NUMBERS,
    UNKNOWN,
    Entry,
    box_of,
    box_words,
    boxes_in_order,
    cut_out,
    field_words,
    images_quoted,
    in_image,
    listing_text,
    marks_in_order,
    mirrored_box,
    quoted,
    seen_text,
    window_round,
    windows_over,
    within,
)
from joyai_ros.understanding.local import LocalBackend

BOX = r" x\d\d y\d\d w\d\d h\d\d"
SEEN = rf"{BOX} [a-z]+ [a-z]+ y\d\d"
ENTRY = rf"{SEEN} r\d\d a\d\d d\d\d y\d\d l\d\d t\d\d"
MUG = Entry((0.3, 0.4, 0.5, 0.6), "mug", "red", 0.04, 0.82, 0.9, 0.37, 0.12, 0.1, 0.42)
BLOCK = Entry((0.1, 0.2, 0.2, 0.4), "L-shaped block", "", -0.7, 3.0, 0.9, -0.1, 0.12, 0.104, -0.2, mark=3)
LEFT = ModelRequest((np.full((96, 128, 3), 90, np.uint8),), "Is it left?", Choice(("left", "right")), "Look.")
SIZES = ScratchSizes(
    listing=True,
    width=64,
    mlp=64,
    layers=2,
    heads=2,
    key_heads=1,
    head=32,
    vision_width=32,
    vision_mlp=32,
    vision_layers=2,
    vision_heads=1,
    patch=8,
    pixels=128 * 96,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    model, processor = scratch_model(SIZES, [], 0)
    model.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(processor.chat_template)
    return folder


@pytest.fixture
def backend(folder):
    return LocalBackend("lists", folder, listing=True)


def test_a_listing_says_everything_in_steps_from_left_to_right():
    block, mug = "l thing y00 r00 a99 d45 y00 l24 t21", "mug red y24 r54 a41 d45 y18 l24 t20"
    assert listing_text([MUG, BLOCK]) == f" (mark 3) x15 y30 w10 h20 {block}; x40 y50 w20 h20 {mug}."
    assert listing_text([]) == "."
    assert len(listing_text([MUG] * 40).split(";")) == 16
    assert seen_text([MUG, BLOCK]) == " x15 y30 w10 h20 l thing y00; x40 y50 w20 h20 mug red y24."
    words = field_words(MUG)
    assert "".join(words) == "xywhradblt" and (words["y"], words["t"]) == (" y50", " t20")


def test_boxes_are_listed_from_left_to_right_and_not_too_many():
    boxes = [entry.box for entry in (MUG, BLOCK)]
    assert boxes_in_order(boxes) == boxes[::-1] and len(boxes_in_order(boxes * 20)) == 16


@given(hnp.arrays(float, 4, elements=st.floats(0.0, 1.0)))
def test_a_box_is_said_to_a_hundredth(values):
    x0, x1, y0, y1 = *sorted(values[:2]), *sorted(values[2:])
    said = box_of("".join(box_words((x0, y0, x1, y1))))
    assert np.allclose(said, (x0, y0, x1, y1), atol=0.0151)  # 100 is written 99
    assert 0.0 <= said[0] <= said[2] <= 1.0 and 0.0 <= said[1] <= said[3] <= 1.0


def test_what_a_box_holds_is_cut_out_with_its_surroundings():
    image = np.full((120, 160, 3), 10, np.uint8)
    image[30:70, 40:60] = (200, 0, 0)
    box = (40 / 160, 30 / 120, 60 / 160, 70 / 120)
    cut = cut_out(image, window_round(box, image.shape))
    assert cut.shape == (CUTOUT, CUTOUT, 3) and cut.dtype == np.uint8
    red = cut[..., 0] > 100
    assert np.abs(np.argwhere(red).mean(0) - (CUTOUT - 1) / 2).max() < 1.0  # in the middle
    assert red.sum() == pytest.approx(CUTOUT**2 * 40 * 20 / 52**2, rel=0.1)  # with a margin of 1.3
    # In the corner of an image the window is the same, and grey beyond the image.
    corner = cut_out(image[30:, 40:], window_round((0.0, 0.0, 20 / 120, 40 / 90), (90, 120)))
    inside = np.zeros((CUTOUT, CUTOUT), bool)
    inside[6:, 15:] = True
    np.testing.assert_allclose(corner[inside], cut[inside], atol=60)  # to a pixel at the edge
    assert (corner[:5] == 128).all() and (corner[:, :14] == 128).all()


@given(hnp.arrays(float, 4, elements=st.floats(0.0, 1.0)), st.integers(1, 90), st.integers(1, 90))
def test_whatever_the_box_something_is_cut_out(values, height, width):
    x0, x1, y0, y1 = *sorted(values[:2]), *sorted(values[2:])
    image = np.zeros((height, width, 3), np.uint8)
    for window in (window_round((x0, y0, x1, y1), image.shape), (x0 + 2.0, y0, x1 + 2.5, y1)):
        assert cut_out(image, window).shape == (CUTOUT, CUTOUT, 3)


@given(hnp.arrays(float, 4, elements=st.floats(0.0, 1.0)), st.integers(8, 900), st.integers(8, 900))
def test_a_box_of_a_window_is_one_of_the_image(values, height, width):
    x0, x1, y0, y1 = *sorted(values[:2]), *sorted(values[2:])
    window = window_round((x0, y0, x1, y1), (height, width))
    inner = within((x0, y0, x1, y1), window)
    assert inner[0] + inner[2] == pytest.approx(1.0) and inner[1] + inner[3] == pytest.approx(1.0)  # in its middle
    assert max(inner[2] - inner[0], inner[3] - inner[1]) <= 1.0 / 1.3 + 1e-6
    np.testing.assert_allclose(in_image(inner, window), (x0, y0, x1, y1), atol=1e-9)


@given(st.integers(8, 900), st.integers(8, 900), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_every_place_is_in_the_middle_of_some_window(height, width, x, y):
    found = [within((x, y, x, y), window) for window in windows_over((height, width))]
    assert min(max(abs(box[0] - 0.5), abs(box[1] - 0.5)) for box in found) <= MIDDLE + 1e-9


def test_a_prompt_quotes_the_marks_that_it_names():
    listing = " (mark 3) a; (mark 1) b; (mark 12) c."
    assert quoted(listing, "Is the cup (mark 12) left of the cup (mark 3)? (mark 12)") == " (mark 12) c; (mark 3) a.\n"
    assert quoted(listing, "How many?") == quoted(listing, "the cup (mark 2)") == listing + "\n"
    assert quoted(".", "the cup (mark 2)") == ".\n"


def test_a_view_without_the_marks_that_are_named_is_not_quoted():
    real = (MUG.box, None, BLOCK.box)
    assert images_quoted([real, None], "the cup (mark 1)") == [0]
    assert images_quoted([None, real], "the cup (mark 3)") == [1]
    assert images_quoted([real, real], "the cup (mark 3)") == [0, 1]
    assert images_quoted([real, None], "the cup (mark 2)") == [0, 1]  # out of sight
    assert images_quoted([real, None], "How many?") == [0, 1]
    assert images_quoted([None], "the cup (mark 3)") == [0] and images_quoted([], "How many?") == []


def test_marks_out_of_sight_are_not_listed():
    assert marks_in_order(((0.5, 0, 0.7, 1), None, (0.1, 0, 0.2, 1))) == [
        (3, (0.1, 0, 0.2, 1)),
        (1, (0.5, 0, 0.7, 1)),
    ]


def test_its_words_are_single_tokens(backend):
    tokenizer = backend._processor.tokenizer
    numbers = (word for words in NUMBERS.values() for word in words)
    for text in (*numbers, UNKNOWN, EVIDENCE_END, " (mark 12)", " mug", " red", "Seen from the camera, is ", "left"):
        assert len(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)) == 1, text
    assert tokenizer.decode(tokenizer.encode(' 07 12 123 "Is it 30 cm?"')) == ' 07 12 123 "Is it 30 cm?"'


def test_each_image_is_listed_once_and_answered_from(backend, monkeypatch):
    asked = []
    encode = backend._chat.encode
    monkeypatch.setattr(backend._chat, "encode", lambda *words: asked.append(words) or encode(*words))
    replies = backend.answer([LEFT, ModelRequest(LEFT.images, "Count.", Count(), "Look.")])
    assert [reply.finish for reply in replies] == [Finish.STOP] * 2
    assert parse(LEFT.format, replies[0].text).choice in ("left", "right")
    backend.answer([LEFT])
    (listing,) = backend._memory.listings._held.values()
    assert re.fullmatch(rf"({ENTRY};)*{ENTRY}\.|\.", listing)
    prompts = [(prompt, images) for system, prompt, images in asked if system]
    # It answers from what it wrote: no image stands before the question.
    assert prompts == [(f"{listing}\n{words}", []) for words in ("Is it left?", "Count.", "Is it left?")]
    others = [prompt for system, prompt, _ in asked if not system]
    looked = [prompt for system, prompt, images in asked if not system and images]
    assert len(looked) >= len(windows_over((96, 128))) and all(re.fullmatch(BOX, prompt) for prompt in looked)
    seen = ";".join(re.findall(SEEN, listing)) + "."
    assert others.count(seen) == (listing != "."), "the lengths are worked out once, from all that was seen"


def test_an_answer_begins_with_its_evidence(backend, monkeypatch):
    rows = []
    row = backend._decoder.row
    monkeypatch.setattr(backend._decoder, "row", lambda *words: rows.append(words) or row(*words))
    (reply,) = backend.answer([LEFT])
    ((_, suffix, *_),) = rows
    text = backend._processor.tokenizer.decode(suffix)
    evidence = text.rpartition("assistant\n")[2]
    assert re.fullmatch(r"(( (\(mark \d+\)|[a-z]\d\d|[a-z]+)))*\n", evidence) and reply.text.startswith("{")
    # Whatever it writes, an untrained model among others, the line has an end.
    assert backend._lister._evidence_end == suffix[-1] and len(evidence.split()) <= 80


def test_boxes_that_are_known_are_given(backend):
    marks = ((0.5, 0.1, 0.7, 0.3), None, (0.1, 0.2, 0.2, 0.4))
    assert backend.answer([ModelRequest(**{**vars(LEFT), "marks": (marks,)})])[0].finish is Finish.STOP
    backend.answer([ModelRequest(**{**vars(LEFT), "marks": ((None,),)})])
    with_boxes, empty = backend._memory.listings._held.values()
    first, second = with_boxes.removesuffix(".").split(";")
    assert first.startswith(" (mark 3) x15 y30 w10 h20 ") and second.startswith(" (mark 1) x60 y20 w20 h20 ")
    assert re.fullmatch(ENTRY, first.removeprefix(" (mark 3)")) and empty == "."


def test_a_mirror_image_is_listed_as_it_is_the_other_way_round(backend):
    random = np.random.default_rng(1)
    image = random.integers(0, 255, (100, 200, 3), np.uint8)
    boxes = ((0.10, 0.20, 0.30, 0.60), (0.36, 0.50, 0.44, 0.70), (0.60, 0.10, 0.90, 0.70))
    mirrored = tuple(mirrored_box(box) for box in boxes)
    requests = [
        dataclasses.replace(LEFT, images=(each,), marks=(known,))
        for each, known in ((image, boxes), (np.ascontiguousarray(image[:, ::-1]), mirrored))
    ]
    backend.answer(requests)
    plain, other = (text.removesuffix(".").split(";") for text in backend._memory.listings._held.values())
    for entry, reflected in zip(plain, reversed(other), strict=True):
        words, others = (re.findall(r" [a-z]\d\d| [a-z]+", text) for text in (entry, reflected))
        assert len(words) == len(others) == 13
        for one, another in zip(words, others, strict=True):
            if one[1] in "xr" and one[2:].isdigit():
                assert int(one[2:]) + int(another[2:]) == 100, (entry, reflected)
            else:
                assert one == another, (entry, reflected)


def test_what_it_lists_can_be_looked_at(backend):
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    backend.answer([ModelRequest((image,), "How many?", Count(), "Look.")])
    assert backend.listings([image]) == list(backend._memory.listings._held.values())
    assert backend.listings([]) == []


def test_a_model_that_lists_nothing_says_so(small_folder):
    stock = LocalBackend("small", small_folder)
    with pytest.raises(ModelError, match="the model small lists nothing"):
        stock.listings([np.zeros((64, 64, 3), np.uint8)])
    stock.close()
    with pytest.raises(ModelError, match="the model small is closed"):
        stock.listings([])


def test_two_images_have_a_listing_each(backend):
    images = (*LEFT.images, np.zeros((96, 128, 3), np.uint8))
    assert backend.answer([ModelRequest(images, "Moved?", LEFT.format, "Look.")])[0].finish is Finish.STOP
    assert len(backend._memory.listings) == 2
    backend.forget()
    assert len(backend._memory.listings) == 0


def test_what_is_not_quoted_is_not_looked_at(backend):
    """An imagined view without marks has nothing to say about a mark, and each look costs time."""
    view = np.zeros((96, 128, 3), np.uint8)
    request = ModelRequest((*LEFT.images, view), "Is it left (mark 1)?", LEFT.format, "Look.", marks=((MUG.box,),))
    assert backend.answer([request])[0].finish is Finish.STOP
    assert len(backend._memory.listings) == 1
    backend.answer([dataclasses.replace(request, prompt="How many?")])
    assert len(backend._memory.listings) == 2


def test_images_of_odd_shapes_are_listed(backend):
    thin = [np.zeros(shape, np.uint8) for shape in ((2, 500, 3), (500, 2, 3), (1, 1, 3))]
    replies = backend.answer([dataclasses.replace(LEFT, images=(image,)) for image in thin])
    assert all(reply.finish is Finish.STOP for reply in replies)


def test_together_they_say_what_each_says_alone(backend):
    random = np.random.default_rng(3)
    images = [random.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(5)]
    boxes = ((0.5, 0.1, 0.7, 0.3), None, (0.1, 0.2, 0.2, 0.4))
    given = [(), (boxes,), (boxes[:1],), ((None,),), ()]
    requests = [
        ModelRequest((image,), prompt, form, "Look.", marks=marks)
        for image, marks in zip(images, given, strict=True)
        for prompt, form in (("Is it left?", LEFT.format), ("How many of them are there?", Count()))
    ]
    requests.append(ModelRequest((images[0], images[4]), "Moved?", LEFT.format, "Look."))
    requests.append(ModelRequest((random.integers(0, 255, (160, 96, 3), np.uint8),), "Tall?", LEFT.format, "Look."))
    together = backend.answer(requests)
    listings = dict(backend._memory.listings._held)
    for request, reply in zip(requests, together, strict=True):
        backend.forget()
        (alone,) = backend.answer([request])
        assert (alone.text, alone.finish) == (reply.text, reply.finish)
        np.testing.assert_allclose(reply.token_logprobs, alone.token_logprobs, atol=1e-4)
        for key, listing in backend._memory.listings._held.items():
            assert listings.pop(key, listing) == listing
    assert not listings, "each was written alone as well"


def test_other_models_list_nothing(folder):
    backend = LocalBackend("lists", folder)
    backend.answer([LEFT])
    assert len(backend._memory.listings) == 0


def test_a_card_that_promises_listings_of_another_model_is_wrong(small_folder):
    with pytest.raises(ModelError, match=r"its tokenizer has no token ' x00'; check the card"):
        LocalBackend("small", small_folder, listing=True)

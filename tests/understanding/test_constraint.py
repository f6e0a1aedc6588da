"""What a format allows next, and which tokens have to come."""

import pytest

pytest.importorskip("xgrammar", reason="formats are compiled by xgrammar")

import torch

from joyai_ros.understanding.constraint import Constraints, bit_mask, in_string
from joyai_ros.understanding.formats import Boxes, Choice, Count, Number, Text
from joyai_ros.understanding.processor import load_processor

VOCABULARY = 1024


@pytest.fixture(scope="module")
def tokenizer(small_folder):
    return load_processor(small_folder).tokenizer


@pytest.fixture(scope="module")
def constraints(tokenizer):
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    return Constraints(tokenizer, VOCABULARY, [stop])


def allowed(constraints, constraint):
    logits = torch.zeros(VOCABULARY)
    constraint.restrict(logits)
    return {constraints.bytes[token] for token in torch.nonzero(logits == 0).flatten().tolist()}


def write(constraints, tokenizer, constraint, text):
    for token in tokenizer.encode(text, add_special_tokens=False):
        assert constraint.accept(token), text


def test_the_frame_of_an_answer_is_written_as_the_tokenizer_writes_it(constraints, tokenizer):
    for wanted, frame in ((Text(8), '{"text": "'), (Count(9), '{"count": '), (Boxes(2), '{"objects": [')):
        constraint = constraints.start(wanted)
        assert constraint.take_forced(99) == tokenizer.encode(frame, add_special_tokens=False)
        assert constraint.content == frame.encode() and not constraint.is_complete
        assert constraint.take_forced(99) == []


def test_a_choice_is_never_begun_for_the_model(constraints, tokenizer):
    """ "the front" and "the back" begin alike, and which token goes on is for the model to say."""
    constraint = constraints.start(Choice(("the front", "the back")))
    constraint.take_forced(99)
    assert constraint.content == b'{"answer": "'
    assert allowed(constraints, constraint) == {b"t", b"the"}
    write(constraints, tokenizer, constraint, "the f")
    assert constraint.take_forced(99) and constraint.is_complete
    assert constraint.content == b'{"answer": "the front"}'


def test_an_answer_without_a_choice_needs_no_network(constraints):
    constraint = constraints.start(Choice(("yes",)))
    constraint.take_forced(99)
    assert constraint.is_complete and constraint.content == b'{"answer": "yes"}'
    assert constraint.take_forced(99) == []


def test_forced_tokens_stop_at_the_limit(constraints, tokenizer):
    constraint = constraints.start(Text(8))
    whole = tokenizer.encode('{"text": "', add_special_tokens=False)
    assert constraint.take_forced(2) == whole[:2]
    assert constraint.take_forced(0) == []
    assert constraint.take_forced(99) == whole[2:]


def test_neither_control_characters_nor_special_tokens_are_allowed(constraints, tokenizer):
    constraint = constraints.start(Text(40))
    constraint.take_forced(99)
    pieces = allowed(constraints, constraint)
    assert b"cup" in pieces and b'"' in pieces and b"<" in pieces
    for piece in pieces:
        assert not any(byte < 0x20 or byte == 0x7F for byte in piece)
        assert not piece.startswith(b"<|") and piece
    assert {token.content.encode() for token in tokenizer.added_tokens_decoder.values()}.isdisjoint(pieces)


def test_what_is_not_allowed_changes_nothing(constraints, tokenizer):
    constraint = constraints.start(Number("m"))
    (wrong,) = tokenizer.encode("}", add_special_tokens=False)
    assert not constraint.accept(wrong) and constraint.content == b""
    assert constraint.take_forced(99)


@pytest.mark.parametrize(
    ("text", "inside"),
    [("", False), ('{"', True), ('{"a"', False), (r'{"a\"', True), (r'{"a\\"', False), ('{"a": 1, "b', True)],
)
def test_where_a_string_ends(text, inside):
    assert in_string(text.encode()) is inside


def test_bit_masks_are_as_xgrammar_has_them():
    assert bit_mask([True, False, True]).tolist() == [[5]]
    assert bit_mask([False] * 31 + [True] + [True] + [False] * 40).tolist() == [[-(2**31), 1, 0]]

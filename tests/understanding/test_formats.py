"""Answer formats: bounded schemas, and typed values that are read back from text."""

import json
import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.understanding.formats import (
    AnswerFormatError,
    Boxes,
    Choice,
    Count,
    Fields,
    Number,
    PointList,
    Text,
    Triples,
    longest,
    parse,
    schema_of,
)

GRID = st.integers(0, 1000)
LABELS = st.text(max_size=40)


def answers(wanted):
    """Every content that a format allows."""
    if isinstance(wanted, Choice):
        return st.fixed_dictionaries({"answer": st.sampled_from(wanted.options)})
    if isinstance(wanted, Number):
        units = {"m": ("m", "cm", "mm"), "rad": ("deg", "rad")}.get(wanted.unit, (wanted.unit,))
        value = st.floats(wanted.least, 1000).map(lambda v: round(v, 6))
        return st.fixed_dictionaries({"value": value, "unit": st.sampled_from(units)})
    if isinstance(wanted, Count):
        return st.fixed_dictionaries({"count": st.integers(0, wanted.most)})
    if isinstance(wanted, Boxes):
        item = st.fixed_dictionaries({"bbox_2d": st.lists(GRID, min_size=4, max_size=4), "label": LABELS})
        return st.fixed_dictionaries({"objects": st.lists(item, max_size=wanted.most)})
    if isinstance(wanted, PointList):
        item = st.fixed_dictionaries({"point_2d": st.lists(GRID, min_size=2, max_size=2), "label": LABELS})
        return st.fixed_dictionaries({"points": st.lists(item, max_size=wanted.most)})
    if isinstance(wanted, Fields):
        parts = {name: st.floats(low, high) for name, low, high in wanted.numbers}
        return st.fixed_dictionaries({**parts, **{name: st.sampled_from(options) for name, options in wanted.choices}})
    if isinstance(wanted, Triples):
        mark = st.sampled_from(wanted.subjects)
        parts = {"subject": mark, "relation": st.sampled_from(wanted.relations), "object": mark}
        return st.fixed_dictionaries({"relations": st.lists(st.fixed_dictionaries(parts), max_size=wanted.most)})
    return st.fixed_dictionaries({"text": st.text(max_size=wanted.most)})


FORMATS = (
    Choice(("left", "right")),
    Number("m"),
    Number("rad", -10.0),
    Number("1"),
    Count(),
    Boxes(3),
    PointList(3),
    Fields((("yaw", -180.0, 180.0),), (("target", ("1", "scene")),)),
    Triples(("1", "2"), ("left of", "on"), 3),
    Text(60),
)


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda f: type(f).__name__)
@given(data=st.data())
def test_whatever_a_format_allows_is_read(wanted, data):
    content = data.draw(answers(wanted))
    jsonschema.validate(content, schema_of(wanted))
    found = parse(wanted, json.dumps(content))
    if isinstance(wanted, Choice):
        assert found.choice == content["answer"]
    elif isinstance(wanted, Boxes):
        assert all(x0 < x1 and y0 < y1 and min(x0, y0) >= 0 and max(x1, y1) <= 1 for x0, y0, x1, y1 in found.boxes)
        assert len(found.boxes) == len(found.labels)
    elif isinstance(wanted, Count):
        assert found.value == content["count"]
    elif isinstance(wanted, Fields):
        assert found.fields == content
    elif isinstance(wanted, Text):
        assert found.text == content["text"]


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda f: type(f).__name__)
def test_every_schema_is_closed_and_bounded(wanted):
    schema = schema_of(wanted)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert 0 < longest(wanted) < 6000
    with pytest.raises(AnswerFormatError):
        parse(wanted, json.dumps({**dict.fromkeys(schema["properties"]), "more": 1}))


@pytest.mark.parametrize(
    ("said", "metres"),
    [({"value": 42, "unit": "cm"}, 0.42), ({"value": 7, "unit": "mm"}, 0.007), ({"value": 2, "unit": "m"}, 2)],
)
def test_lengths_become_metres(said, metres):
    found = parse(Number("m"), json.dumps(said))
    assert found.value == pytest.approx(metres)
    assert found.unit == "m"


def test_angles_become_radians():
    assert parse(Number("rad"), '{"value": 180, "unit": "deg"}').value == pytest.approx(math.pi)


@pytest.mark.parametrize(
    "text",
    ["", "left", '{"answer": "up"}', '{"answer": "left"', "[]", '{"answer": ["left"]}', '{"answer": "left"} and more'],
)
def test_other_text_is_refused(text):
    with pytest.raises(AnswerFormatError, match="format"):
        parse(Choice(("left", "right")), text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1e400", "true", '"1"'])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(AnswerFormatError):
        parse(Number("m"), f'{{"value": {value}, "unit": "m"}}')


def test_boxes_are_put_in_order_and_empty_ones_left_out():
    said = {"objects": [{"bbox_2d": [900, 100, 100, 500], "label": "a"}, {"bbox_2d": [5, 5, 5, 9], "label": "b"}]}
    found = parse(Boxes(), json.dumps(said))
    assert found.boxes == ((0.1, 0.1, 0.9, 0.5),)
    assert found.labels == ("a",)

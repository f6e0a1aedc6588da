"""Marks: numbered boxes on images, drawn for models that cannot be told of them."""

import numpy as np

from joyai_ros.understanding.anchors import draw_marks, with_marks
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.formats import Count


def test_marks_are_drawn_where_they_are_and_once_for_all_questions():
    images = tuple(np.full((120, 160, 3), value, np.uint8) for value in (40, 90))
    marks = ((0.25, 0.25, 0.5, 0.5), None)
    plain = ModelRequest(images, "How many?", Count())
    marked = [ModelRequest(images, prompt, Count(), marks=(marks, None)) for prompt in ("a", "b")]
    bare = ModelRequest(images[:1], "And here?", Count(), marks=(None,))
    found = with_marks([plain, *marked, bare])
    assert found[0].images == images and found[3].images == images[:1]
    assert np.array_equal(found[1].images[0], draw_marks(images[0], [(40.0, 30.0, 80.0, 60.0), None]))
    assert found[1].images[0] is found[2].images[0], "it is one object, so that it is encoded once"
    assert found[1].images[1] is images[1] and (images[0] == 40).all(), "what was given is not drawn into"
    assert [request.prompt for request in found] == ["How many?", "a", "b", "And here?"]

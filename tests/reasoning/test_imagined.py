"""Views that help an answer: from depth, or by a model where they are consistent with it."""

from dataclasses import replace

import pytest

from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawMemoryError
from joyai_ros.imagination.mmdit.presets import find_preset
from joyai_ros.imagination.mmdit.request import Drawn
from joyai_ros.imagination.opening import OpenPainter
from joyai_ros.models.card import ModelCard
from joyai_ros.reasoning.imagined import by_model, from_depth, in_words, open_views, views_around
from joyai_ros.understanding.backend import ModelMemoryError
from tests.imagination.test_consistency import frame
from tests.imagination.test_model_view import SHAPES, cut_to


class Painter:
    """Goes where it is told with the first drawing, and nowhere with the others."""

    class pipeline:  # noqa: N801
        takes_several = False

    def __init__(self, yaws, error=None):
        self.yaws, self.error, self.asked = yaws, error, []

    def draw(self, requests, size, preset, on_step=None, is_canceled=None):
        if self.error is not None:
            raise self.error
        self.asked.append((requests[0].prompt, preset, is_canceled))
        view = DepthImaginer().imagine(frame(), CameraMotion(self.yaws[len(self.asked) - 1]))
        return Drawn([cut_to(view.image, size)], 1, 1, 0, (0.0, 0.0, 0.0))


def painter(*yaws, error=None):
    config = ImaginationConfig(model="painter", size=512, preset="fast")
    return OpenPainter(ModelCard("painter", "", "", ""), Painter(yaws, error), SHAPES, config)


def test_views_of_a_model_are_shown_where_they_are_consistent():
    drawing = painter(15.0, 0.0)
    wanted = lambda: False  # noqa: E731
    views = views_around(frame(), 2, 15.0, by_model(drawing), wanted)
    assert [view.method for view in views] == ["model", "depth"], "the second one did not go to the left"
    assert views[0].verified and views[0].model == "painter"
    asked = drawing.sampler.asked
    assert "Yaw 15" in asked[0][0] and "Yaw -15" in asked[1][0]
    assert asked[0][1:] == (find_preset("fast"), wanted)
    assert "drawn by a model" in in_words(views) and "last 2 images" in in_words(views)
    assert "computed from depth" in in_words(views[1:])
    assert in_words([]) == ""


def test_without_depth_no_view_is_verified_and_none_is_shown():
    assert views_around(replace(frame(), depth=None), 2, 15.0, by_model(painter(15.0, -15.0))) == []
    assert views_around(frame(), 0, 15.0) == []


def test_out_of_memory_and_cancel():
    with pytest.raises(ModelMemoryError, match="smaller"):
        views_around(frame(), 2, 15.0, by_model(painter(error=DrawMemoryError("draw at a smaller size"))))
    assert views_around(frame(), 2, 15.0, by_model(painter(error=DrawCanceledError("canceled")))) == []


def test_which_settings_give_which_views():
    assert open_views(ImaginationConfig()) is from_depth

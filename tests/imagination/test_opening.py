"""The model that draws, as the settings name it: opened once, shared, let go, refused before it is loaded."""

import weakref
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

from joyai_ros.errors import ConfigError
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.buckets import BucketError
from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.mmdit.presets import PRESETS, find_preset
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import open_painter
from joyai_ros.models.angles import Angles
from joyai_ros.models.errors import CardError, ModelFolderError
from tests.imagination.test_consistency import frame


def test_one_process_has_one_copy_and_lets_it_go(edit_folder):
    config = ImaginationConfig(model=str(edit_folder), size=64)
    first = open_painter(config)
    assert open_painter(replace(config)) is first
    other = open_painter(replace(config, size=128))
    assert other is not first
    gone = [weakref.ref(painter) for painter in (first, other)]
    del first, other
    assert [reference() for reference in gone] == [None, None]


def test_presets_come_from_the_request_the_settings_the_card(edit_folder):
    painter = open_painter(ImaginationConfig(model=str(edit_folder), size=64))
    assert painter.preset() == PRESETS["balanced"]
    assert painter.preset("fast") == PRESETS["fast"]
    carded = replace(painter, card=replace(painter.card, preset="exact"))
    assert carded.preset() == PRESETS["exact"]
    assert replace(carded, config=replace(carded.config, preset="fast")).preset() == PRESETS["fast"]
    gentle = replace(painter, card=replace(painter.card, guidance=1.5))
    assert gentle.preset("fast") == replace(PRESETS["fast"], guidance=1.5)
    with pytest.raises(ConfigError, match="no preset 'quick'"):
        painter.preset("quick")


def test_steps_and_buckets_of_edit_and_edit_plus(edit_folder, plus_folder):
    edit, plus = (open_painter(ImaginationConfig(model=str(folder))) for folder in (edit_folder, plus_folder))
    assert plus.preset("exact").steps == find_preset("exact", takes_several=True).steps == 30
    assert edit.fitting((640, 480)).bucket == (576, 448) and edit.fitting((640, 480), 128).bucket == (144, 112)


@pytest.mark.parametrize(("angles", "prompt"), [(Angles(), "Yaw 20°"), (Angles(yaw_sign=-1), "Yaw -20°")])
def test_the_card_says_how_angles_are_counted(edit_folder, angles, prompt):
    painter = open_painter(ImaginationConfig(model=str(edit_folder), size=64))
    carded = replace(painter, card=replace(painter.card, angles=angles))
    made = carded.imaginer.imagine(frame(), CameraMotion(20.0), Drawing(replace(PRESETS["fast"], steps=1), 64))
    assert prompt in made.prompts[0] and made.view.model == edit_folder.name


def test_what_is_refused_before_anything_is_loaded(edit_folder, small_folder, monkeypatch):
    def load(*_, **__):
        raise AssertionError("nothing is loaded")

    monkeypatch.setattr("joyai_ros.imagination.engine_choice.open_pipeline", load)
    good = ImaginationConfig(model=str(edit_folder), parts=2)
    for config, error in (
        (replace(good, model="nobody"), CardError),
        (replace(good, model=str(small_folder)), ModelFolderError),
        (replace(good, preset="quick"), ConfigError),
        (replace(good, size=300), BucketError),
    ):
        with pytest.raises(error):
            open_painter(config)
    with pytest.raises(AssertionError, match="nothing is loaded"):
        open_painter(good)


def test_only_a_model_for_several_images_is_shown_the_surface(edit_folder, plus_folder):
    config = ImaginationConfig(model=str(edit_folder), size=64, show_surface=True)
    with pytest.raises(ConfigError, match="takes one image; leave show_surface out"):
        open_painter(config)
    painter = open_painter(replace(config, model=str(plus_folder)))
    plain = Drawing(replace(PRESETS["fast"], steps=2), 64)
    images = [
        painter.imaginer.imagine(frame(), CameraMotion(20.0), replace(plain, show_surface=shown)).drawn
        for shown in (True, False)
    ]
    assert images[0].shape == images[1].shape == (48, 64, 3)
    assert np.abs(images[0].astype(int) - images[1]).max() > 1, "it looks at what it is shown"

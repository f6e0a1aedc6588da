"""What is refused before a model is asked."""

import shutil

import numpy as np
import pytest
import yaml

from joyai_ros.errors import ImageError, InputError
from joyai_ros.models.card import FOLDER_CARD
from joyai_ros.models.errors import CardError
from joyai_ros.understanding.backend import ModelRequest
from joyai_ros.understanding.config import ModelConfig
from joyai_ros.understanding.formats import Count
from joyai_ros.understanding.opening import open_model

IMAGE = np.zeros((5, 7, 3), np.uint8)


@pytest.mark.parametrize("image", [IMAGE[..., 0], IMAGE[..., :2], IMAGE[:0], IMAGE.astype(np.float32)])
def test_images_that_are_none(image):
    with pytest.raises(ImageError, match=r"an image has shape .*; give \(H, W, 3\) uint8 RGB"):
        ModelRequest((IMAGE, image), "How many?", Count())


def test_marks_are_of_images_that_are_shown():
    assert ModelRequest((IMAGE, IMAGE), "How many?", Count(), marks=(None,)).marks == (None,)
    with pytest.raises(InputError, match="marks of 2 images, but 1 are shown"):
        ModelRequest((IMAGE,), "How many?", Count(), marks=(None, ((0.1, 0.1, 0.2, 0.2),)))


def test_a_line_of_confidence_is_of_a_task(small_folder, tmp_path):
    folder = shutil.copytree(small_folder, tmp_path / "folder")
    card = {"name": "small", "what": "a model", "architecture": "Qwen3VLForConditionalGeneration", "dtype": "float32"}
    (folder / FOLDER_CARD).write_text(yaml.safe_dump(card | {"confidence": {"colour": {"slope": 0.5}}}))
    with pytest.raises(CardError, match="a line of confidence for 'colour', which is no task"):
        open_model(ModelConfig(name=str(folder)))
    (folder / FOLDER_CARD).write_text(yaml.safe_dump(card | {"confidence": {"color": {"slope": 0.5}, "others": {}}}))
    assert open_model(ModelConfig(name=str(folder))).confidence["color"].slope == 0.5

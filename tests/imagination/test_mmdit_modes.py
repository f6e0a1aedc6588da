"""Every mode of the models, from its typed request to an image, on small random pipelines."""

import numpy as np
import pytest

pytest.importorskip("diffusers", reason="the MMDiT runs on diffusers' modules")

from diffusers.pipelines.joyimage.image_processor import BUCKETS

from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.imagination.buckets import buckets, fit
from joyai_ros.imagination.mmdit.loading import load_pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.request import DrawRequest
from joyai_ros.imagination.mmdit.sampler import Sampler
from joyai_ros.imagination.requests import Edit, Generate, MoveCamera, MoveObject, RotateObject, Side, references
from tests.imagination.pictures import blocks

SEEN = blocks(1, 240, 320)
MODES = (
    MoveCamera(CameraMotion(30, -15, 1.5)),
    MoveObject("red cup", (32.0, 32.0, 96.0, 80.0)),
    RotateObject("robot", Side.REAR_LEFT),
    Edit("Make the table blue."),
    Generate("A red cup on a table."),
)


@pytest.mark.parametrize("base", [64, 128, 256])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: type(mode).__name__)
def test_modes_at_every_size(edit_pipeline, mode, base):
    fitting = fit((SEEN.shape[1], SEEN.shape[0]), buckets(base, BUCKETS[1024]))
    width, height = fitting.bucket
    given = [] if isinstance(mode, Generate) else [SEEN]
    shown = tuple(fitting.image(image) for image in references(mode, given))
    image = (
        Sampler(edit_pipeline).draw([DrawRequest(mode.prompt, 1, shown)], (height, width), Preset(steps=2)).images[0]
    )
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    assert image.std() > 1


@pytest.mark.parametrize("several", [1, 3, 5])
def test_several_references(plus_folder, several):
    images = tuple(
        blocks(index, *size) for index, size in enumerate([(64, 64), (48, 96), (96, 48), (64, 80), (80, 64)])
    )
    mode = Edit("Put them all on one table.")
    shown = tuple(references(mode, images[:several], most=5))
    image = (
        Sampler(load_pipeline(plus_folder))
        .draw([DrawRequest(mode.prompt, 1, shown)], (64, 64), Preset(steps=2))
        .images[0]
    )
    assert image.shape == (64, 64, 3)
    assert image.std() > 1

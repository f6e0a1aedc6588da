"""Words that become camera motions."""

import json

import numpy as np
import pytest

from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.reasoning.instructions import motion_from_words
from joyai_ros.understanding.backend import Finish, ModelError
from joyai_ros.understanding.tasks import QuestionError
from tests.reasoning.table import Model, table


@pytest.mark.parametrize(
    ("text", "motion", "target"),
    [
        ("look at the mug from the other side", CameraMotion(yaw_deg=180), "mug"),
        ("a bit higher and closer", CameraMotion(pitch_deg=10, zoom=1.25), None),
        ("go 45 degrees to the left of the can", CameraMotion(yaw_deg=-45), "can"),
        ("from above", CameraMotion(pitch_deg=60), None),
        ("zoom out", CameraMotion(zoom=1 / 1.5), None),
        ("a lot to the right", CameraMotion(yaw_deg=60), None),
    ],
)
def test_rules(text, motion, target):
    found = motion_from_words(text, table())
    assert found.motion == motion
    assert (found.target.id if found.target else None) == target
    assert not found.from_model
    if target is None:
        assert found.pivot is None
    else:
        expected = next(item.obb.center for item in table().scene.objects if item.id == target)
        np.testing.assert_allclose(found.pivot, expected)


@pytest.mark.parametrize("text", ["", "  ", "make me a coffee"])
def test_words_without_a_motion_are_refused(text):
    with pytest.raises(QuestionError):
        motion_from_words(text, table())


def test_a_model_reads_the_words_by_schema():
    model = Model([json.dumps({"yaw_deg": -40, "pitch_deg": 12.5, "zoom": 2, "target": "2"})])
    found = motion_from_words('see it "otherwise"\nplease', table(), model)
    assert found.motion == CameraMotion(-40, 12.5, 2)
    assert found.target.id == table().scene.objects[1].id
    assert found.from_model
    request = model.asked[0]
    assert request.format.choices == (("target", ("1", "2", "3", "scene")),)
    assert "see it 'otherwise' please" in request.prompt
    scene = Model([json.dumps({"yaw_deg": 0, "pitch_deg": 0, "zoom": 1, "target": "scene"})])
    assert motion_from_words("stay", table(), scene).target is None


@pytest.mark.parametrize("text", ["{}", json.dumps({"yaw_deg": 500, "pitch_deg": 0, "zoom": 1, "target": "1"})])
def test_unusable_motions_of_a_model(text):
    with pytest.raises(ModelError, match="cannot be used"):
        motion_from_words("left", table(), Model([text]))
    with pytest.raises(ModelError, match="did not finish"):
        motion_from_words("left", table(), Model([text], finish=Finish.LENGTH))

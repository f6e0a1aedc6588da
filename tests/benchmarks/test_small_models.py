"""The lines of the small models: what is missing is said, and what is there is measured with its target."""

from types import SimpleNamespace

import pytest

pytest.importorskip("pyarrow", reason="data is stored with pyarrow")

from benchmarks import small_models
from joyai_ros.errors import MissingDependencyError
from joyai_ros.sim.graphics import open_context


def test_models_that_are_not_there_are_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(small_models, "stored", lambda card: SimpleNamespace(present=False))
    lines = small_models.evidence()
    assert len(lines) == len(small_models.TARGETS) + 6
    for line in lines:
        assert (line["figure"], line["ok"]) == ("no weights under models/", None)
        assert line["command"].startswith("joyai-ros eval ")


def test_models_that_are_there_are_measured(monkeypatch, small_folder, edit_folder):
    try:
        open_context(64, 48).free()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(small_models, "load_card", lambda name: name)
    monkeypatch.setattr(small_models, "stored", lambda card: SimpleNamespace(present=True))
    monkeypatch.setattr(small_models, "UND", str(small_folder))
    monkeypatch.setattr(small_models, "EDIT", str(edit_folder))
    monkeypatch.setattr(small_models, "SIZE", 64)
    monkeypatch.setattr(small_models, "TARGETS", {"left_right": 0.0, "existence": 1.01})
    monkeypatch.setattr(
        small_models, "_loop", lambda words, work: {"words": words}
    )  # two models at once: it takes a while
    left_right, existence, calibration, over_input, over_homography, guided, found, loop = small_models.evidence(
        3, 1, 4
    )
    assert (left_right["ok"], existence["ok"]) == (True, False)
    assert "chance 0.500" in left_right["figure"]
    assert isinstance(calibration["ok"], bool)
    for line in (over_input, over_homography, guided):
        assert line["ok"] is False, "its pictures are noise"
        assert "dB" in line["figure"]
    assert "n 4" in found["figure"]
    assert "--imagined" in loop["words"]

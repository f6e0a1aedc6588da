"""The planner on the command line: what it says holds together, and what it does not know it refuses."""

import json

import pytest

from joyai_ros.cli.main import run
from joyai_ros.imagination.memory import RESOLUTIONS
from joyai_ros.imagination.planner import DEVICES


@pytest.fixture(autouse=True)
def _no_models(tmp_path, monkeypatch):
    monkeypatch.setenv("JOYAI_MODELS", str(tmp_path / "store"))


def planned(tmp_path, *words):
    file = tmp_path / "plan.json"
    assert run(["plan", *words, "--json", str(file)]) == 0
    return json.loads(file.read_text())


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_has_its_table(device, tmp_path, capsys):
    found = planned(tmp_path, "joyai-image-edit", "--device", device)
    out = capsys.readouterr().out
    assert "…" not in out and max(map(len, out.splitlines())) <= 80, "the table fits an ordinary terminal"
    assert {option["resolution"] for option in found["options"]} == set(RESOLUTIONS)
    for option in found["options"]:
        assert 0 < option["view"]["fast"] < option["view"]["balanced"] < option["view"]["exact"]
        assert option["view"]["exact"] == pytest.approx(40 * option["step"])
    if found["recommended"] is None:
        assert "nothing fits" in out
    else:
        assert found["recommended"]["placement"] != "no" and f"preset {found['recommended']['preset']}" in out


def test_less_time_makes_a_cheaper_recommendation(tmp_path):
    slow, quick = (
        planned(tmp_path, "joyai-image-edit", "--device", "h100", "--seconds", seconds)["recommended"]
        for seconds in ("30", "1")
    )
    assert (slow["preset"], slow["resolution"]) == ("exact", 1024)
    assert slow["view"] > quick["view"] and quick["view"] <= 1


def test_the_plan_for_several_references_has_its_own_presets(tmp_path):
    several = planned(tmp_path, "joyai-image-edit-plus", "--device", "h200")["options"][0]
    assert several["view"]["exact"] == pytest.approx(30 * several["step"])


def test_a_folder_is_planned_by_its_own_sizes(edit_folder, tmp_path, capsys):
    device = tmp_path / "mine.json"
    device.write_text(json.dumps({"memory": 2, "bandwidth": 20, "bf16": 0.1}))
    found = planned(tmp_path, str(edit_folder), "--device", str(device))
    assert found["network"]["hidden"] == 96 and found["network"]["layers"] == 4
    assert 0 < found["network"]["language_layers"] < found["network"]["language"] < 1e7
    assert found["recommended"]["precision"] == "bf16"
    assert "mine: 2 GB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["joyai-image-edit", "--device", "toaster"], "no device and no file is called 'toaster'"),
        (["nothing", "--device", "h100"], "there is no model card 'nothing'"),
        (["small-und", "--device", "h100"], "draws nothing"),
        (["joyai-image-edit"], "--device"),
        (["joyai-image-edit", "--device", "h100", "--seconds", "0"], "--seconds"),
    ],
)
def test_bad_input_is_two_and_one_line(words, said, capsys):
    assert run(["plan", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1

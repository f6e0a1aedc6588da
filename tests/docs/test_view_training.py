from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from joyai_ros.settings import describe
from joyai_ros.training.view.config import Stage, ViewTraining

PAGE = (Path(__file__).parents[2] / "docs" / "fine-tuning.md").read_text().partition("\n## The model that draws\n")[2]


def test_every_setting_is_described():
    rows = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}
    elsewhere = (".loop.", "scratch.text.")  # with the model that answers
    settings = {s.name: s for s in describe(ViewTraining) if not any(part in s.name for part in elsewhere)}
    assert set(rows) - {stage.value for stage in Stage} == set(settings)
    for name, item in settings.items():
        assert item.description in rows[name], name
        if item.range is not None:
            assert f"| {item.range[0]:g} to {item.range[1]:g} |" in rows[name], name
        if isinstance(item.default, (int, float)) and not isinstance(item.default, bool):
            assert f"| {item.default:g} |" in rows[name], name


def test_every_stage_is_described():
    assert all(f"| `{stage.value}` |" in PAGE for stage in Stage)

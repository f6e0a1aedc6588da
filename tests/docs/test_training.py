from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data is stored with pyarrow")

from joyai_ros.settings import describe
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.export import Format
from joyai_ros.training.data.store import FILES

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def test_every_setting_is_described():
    table = PAGE.partition("\n## Settings\n")[2]
    rows = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    elsewhere = ("recording.bag.", "recording.scene.")  # on the pages of bags and scenes
    settings = {item.name: item for item in describe(DataConfig) if not item.name.startswith(elsewhere)}
    assert set(rows) == set(settings)
    for name, item in settings.items():
        assert item.description in rows[name], name
        if item.range is not None:
            assert f"| {item.range[0]:g} to {item.range[1]:g} |" in rows[name], name
        if isinstance(item.default, (int, float)) and not isinstance(item.default, bool):
            assert f"| {item.default:g} |" in rows[name], name


def test_files_and_formats_are_named():
    for name in (*FILES, *(form.value for form in Format)):
        assert name in PAGE

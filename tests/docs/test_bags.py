from pathlib import Path

from joyai_ros.perception.bag_run import RunConfig
from joyai_ros.settings import describe

PAGE = (Path(__file__).parents[2] / "docs" / "bags.md").read_text()


def test_every_setting_is_described():
    rows = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}
    settings = {item.name: item for item in describe(RunConfig) if not item.name.startswith("scene.")}
    assert set(rows) == set(settings)
    for name, item in settings.items():
        assert item.description in rows[name], name
        if item.range is not None:
            assert f"| {item.range[0]:g} to {item.range[1]:g} |" in rows[name], name

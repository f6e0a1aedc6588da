"""docs/drawing.md says what the code does."""

from joyai_ros.imagination.config import ImaginationConfig
from joyai_ros.imagination.consistency import ConsistencyConfig
from joyai_ros.settings import describe
from tests.docs.test_relations import DOCS, rows

PAGE = (DOCS / "drawing.md").read_text()


def test_the_table_of_settings_is_the_settings():
    table = rows(PAGE, "\n### Settings")
    settings = {item.name: item for item in describe(ImaginationConfig) if not item.name.startswith("engine.")}
    assert list(table) == list(settings)
    for name, (default, what, values) in table.items():
        item = settings[name]
        value = getattr(item.default, "value", item.default)
        assert default == (str(value).lower() if isinstance(value, bool) else str(value) or "empty"), name
        assert what == item.description
        assert values == (f"{item.range[0]:g} to {item.range[1]:g}" if item.range else "")


def test_the_limits_of_the_verdict():
    limits = ConsistencyConfig()
    assert round(limits.angle * 57.2958, 1) == 2.5 and limits.share == 0.05
    assert "within 2.5\n   degrees and 5% of the distance" in PAGE

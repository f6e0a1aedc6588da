"""docs/models.md says what the code does."""

from joyai_ros.settings import describe
from joyai_ros.understanding.config import ModelConfig
from tests.docs.test_relations import DOCS, rows


def test_the_table_of_settings_is_the_settings():
    table = rows((DOCS / "models.md").read_text(), "\n## Settings")
    settings = {item.name: item for item in describe(ModelConfig)}
    assert list(table) == list(settings)
    for name, (default, what, values) in table.items():
        item = settings[name]
        value = getattr(item.default, "value", item.default)
        assert default == (str(value).lower() if isinstance(value, bool) else str(value) or "empty"), name
        assert what == item.description
        assert values == (f"{item.range[0]:g} to {item.range[1]:g}" if item.range else "")

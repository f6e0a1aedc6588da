"""docs/fine-tuning.md says what the code does."""

from joyai_ros.settings import describe
from joyai_ros.training.loop import CHECKPOINT, METRICS, TENSORBOARD
from joyai_ros.training.mllm import mixture
from joyai_ros.training.mllm.config import MllmTraining
from tests.docs.test_relations import DOCS, rows

PAGE = (DOCS / "fine-tuning.md").read_text()


def test_the_table_of_settings_is_the_settings():
    table = rows(PAGE, "\n## Settings of the model that answers")
    settings = {item.name: item for item in describe(MllmTraining)}
    assert list(table) == list(settings)
    for name, (default, values, what) in table.items():
        item = settings[name]
        assert what == item.description, name
        assert values == (f"{item.range[0]:g} to {item.range[1]:g}" if item.range else ""), name
        value = getattr(item.default, "value", item.default)
        said = (
            str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
        )
        assert default == ("one" if name == "stages" else said if value not in ((), "") else "empty"), name


def test_what_a_run_leaves_has_these_names():
    table = rows(PAGE, "\n## What a run leaves")
    assert {METRICS, f"{CHECKPOINT}/", f"{TENSORBOARD}/", "model/", "start/"} <= set(table)


def test_how_full_a_pack_gets():
    assert "(twelve samples in a row) or 97% are reached" in PAGE
    assert (mixture._TRIES, mixture._FULL) == (12, 0.97)

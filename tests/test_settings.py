import dataclasses
import enum
import math
from dataclasses import dataclass, field

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import ConfigError
from joyai_ros.perception.bag_run import RunConfig
from joyai_ros.settings import Setting, build, describe, flatten, load, setting


class Mode(str, enum.Enum):
    FAST = "fast"
    EXACT = "exact"


@dataclass(frozen=True)
class Inner:
    margin: float = setting(0.5, "how far, m", 0.0, 1.0)
    count: int = setting(3, "how many", 1, 10)


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    name: str = setting("", "who")
    on: bool = setting(True, "whether")
    mode: Mode = setting(Mode.FAST, "how")
    offsets: tuple[float, ...] = setting((1.0,), "where, m", -5.0, 5.0)
    limit: float | None = setting(None, "at most", 0.0, 9.0)
    margin: float = 2.0


def test_description_of_every_setting():
    found = {item.name: item for item in describe(Outer)}
    assert list(found) == ["inner.margin", "inner.count", "name", "on", "mode", "offsets", "limit", "margin"]
    assert found["inner.margin"] == Setting("inner.margin", float, 0.5, "how far, m", (0.0, 1.0))
    assert found["margin"] == Setting("margin", float, 2.0, "", None)


def test_values_of_every_kind():
    words = ["inner.count=4", "name=me", "on=false", "mode=exact", "offsets=[1, 2.5]", "limit=3", "inner.margin=1e-3"]
    assert load(Outer, None, words) == Outer(Inner(0.001, 4), "me", False, Mode.EXACT, (1.0, 2.5), 3.0)


def test_a_file_nested_or_dotted_and_words_that_win(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("inner:\n  margin: 0.25\n  count: 2\ninner.count: 5\nlimit:\n")
    assert load(Outer, file) == Outer(Inner(0.25, 5))
    assert load(Outer, file, ["inner.count=6", "inner.count=7"]).inner == Inner(0.25, 7)
    assert load(Outer, file, ["inner={margin: 1.0}"]).inner == Inner(1.0, 5)


def test_an_empty_file_and_an_empty_section_change_nothing(tmp_path):
    for text in ("", "# nothing\n", "inner:\n"):
        (tmp_path / "empty.yaml").write_text(text)
        assert load(Outer, tmp_path / "empty.yaml") == Outer()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inner.margn=1"], "--set: unknown key 'inner.margn' (value 1); did you mean 'inner.margin'?"),
        (["count=1"], "--set: unknown key 'count' (value 1); did you mean 'inner.count'?"),
        (["inner.margin=1.5"], "--set: inner.margin is 1.5; it must lie within [0, 1] (how far, m)"),
        (["inner.margin=.nan"], "--set: inner.margin is nan; it must be a number"),
        (["inner.margin=wide"], "--set: inner.margin is 'wide'; it must be a number"),
        (["inner.margin=true"], "--set: inner.margin is True; it must be a number"),
        (["inner.count=2.5"], "--set: inner.count is 2.5; it must be a whole number"),
        (["inner.count=11"], "--set: inner.count is 11; it must lie within [1, 10] (how many)"),
        (["on=1"], "--set: on is 1; it must be true or false"),
        (["name=[a]"], "--set: name is ['a']; it must be text"),
        (["mode=slow"], "--set: mode is 'slow'; it must be one of fast, exact"),
        (["offsets=1"], "--set: offsets is 1; it must be a list"),
        (["offsets=[9]"], "--set: offsets is [9]; it must lie within [-5, 5] (where, m)"),
        (["inner=3"], "--set: inner is 3; it is a group of settings, give a mapping"),
        (["inner"], "setting 'inner' is not KEY=VALUE; write a dotted key, '=' and a value"),
        (["=3"], "setting '=3' is not KEY=VALUE; write a dotted key, '=' and a value"),
        (["name=[a"], "the value in 'name=[a' is not YAML; quote it"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(words, said):
    with pytest.raises(ConfigError) as error:
        load(Outer, None, words)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inner: {margins: 1}", "unknown key 'inner.margins' (value 1); did you mean 'inner.margin'?"),
        ("- 1\n- 2\n", "holds list, not a mapping"),
        ("a: [", "is not YAML"),
        ("inner: {margin: far}", "inner.margin is 'far'; it must be a number"),
        ("1: 2", "unknown key '1'"),
    ],
)
def test_files_that_are_wrong_are_named(tmp_path, text, said):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(Outer, file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*nowhere.yaml: No such file"):
        load(Outer, tmp_path / "nowhere.yaml")


@given(st.floats(0, 1), st.integers(1, 10), st.booleans(), st.sampled_from(Mode), st.lists(st.floats(-5, 5)))
def test_flattened_settings_build_the_same_again(margin, count, on, mode, offsets):
    settings = Outer(Inner(margin, count), "x", on, mode, tuple(offsets))
    assert build(Outer, flatten(settings)) == settings
    plain = {name: v.value if isinstance(v, enum.Enum) else v for name, v in flatten(settings).items()}
    written = yaml.safe_load(yaml.safe_dump({k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}))
    assert build(Outer, written) == settings


def test_every_setting_of_a_run_is_described_and_its_default_lies_in_its_range():
    for item in describe(RunConfig):
        assert item.description, item.name
        if item.range is not None and item.default is not None:
            assert item.range[0] <= item.default <= item.range[1], item.name
            assert not math.isnan(item.default)
    assert build(RunConfig, flatten(RunConfig())) == RunConfig()
    assert dataclasses.is_dataclass(RunConfig().scene)

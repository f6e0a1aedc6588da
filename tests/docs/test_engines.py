"""docs/engines.md and docs/drawing.md say what the code does."""

import re

from joyai_ros.engines.config import EngineConfig
from joyai_ros.engines.parity import TOLERANCES
from joyai_ros.imagination.planner import DEVICES, plan
from joyai_ros.settings import describe
from tests.docs.test_relations import DOCS, rows

ENGINES, DRAWING = ((DOCS / name).read_text() for name in ("engines.md", "drawing.md"))


def test_the_table_of_settings_is_the_settings():
    table = rows(ENGINES, "\n## Which one runs")
    settings = {item.name: item for item in describe(EngineConfig)}
    assert list(table) == list(settings)
    for name, (default, what, values) in table.items():
        value = getattr(settings[name].default, "value", settings[name].default)
        assert default == (str(value) or "empty") and what == settings[name].description and not values, name


def test_the_tolerances_are_those_that_are_held():
    for line in re.findall(r"^\| (fp\d+|int\d)[^|]*\| ([\d.e-]+) \| ([\d.e-]+) \|$", ENGINES, re.MULTILINE):
        precision, tolerance, measured = line
        assert float(tolerance) == TOLERANCES[precision] and float(measured) < float(tolerance)


def test_the_recommendations_are_the_planners():
    section = DRAWING.partition("\n## What fits where")[2].partition("\n## ")[0]
    for name in DEVICES:
        (line,) = (row for row in section.splitlines() if row.startswith("| ") and f"`{name}`" in row)
        best = plan(DEVICES[name]).recommended
        if best is None:
            assert "nothing fits" in line
            continue
        took = best.option.view(plan(DEVICES[name]).presets[best.preset])
        assert f"`{best.preset}`, {best.option.precision}, {best.option.resolution} px | {took:.1f} s" in line

"""The page on relations gives the margins, frames and converses that the engine has, and a picture of every relation."""

import re
from pathlib import Path

import pytest

from joyai_ros.scene import arrangement, contact
from joyai_ros.scene.config import RelationConfig, SceneConfig
from joyai_ros.scene.predicates import CONVERSE, PROPERTIES, SYMMETRIC, Predicate, frame_of
from joyai_ros.settings import describe
from tests.scene.layouts import stated, thing

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "relations.md").read_text()
SCENE_PAGE = (DOCS / "scene.md").read_text()
SEQUENCES_PAGE = (DOCS / "sequences.md").read_text()


def test_every_number_beside_a_setting_is_its_default():
    defaults = {item.name: item.default for item in describe(RelationConfig)}
    given = re.findall(r"`(\w+)`\s+\(([\d.]+)(?: m| rad)?\)", PAGE)
    assert {name for name, _ in given} == set(defaults)
    for name, number in given:
        assert float(number) == defaults[name], name


def rows(page, heading):
    """The cells of the table that follows a heading, by their first word."""
    table = page.partition(heading)[2].partition("\n\n|")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize(
    ("page", "heading", "group"),
    [
        (PAGE, "\n## Settings", "relations"),
        (SEQUENCES_PAGE, "\n## Settings", "tracking"),
        (SCENE_PAGE, "\n## Settings", ""),
    ],
    ids=["relations.md", "sequences.md", "scene.md"],
)
def test_the_tables_of_settings_are_the_settings(page, heading, group):
    every = {item.name: item for item in describe(SceneConfig)}
    if group:
        settings = {n.removeprefix(f"{group}."): i for n, i in every.items() if n.startswith(f"{group}.")}
    else:
        settings = {n: i for n, i in every.items() if not n.startswith(("relations.", "tracking."))}
    table = rows(page, heading)
    assert set(table) == set(settings)
    for name, item in settings.items():
        default, what, values = table[name]
        assert default == str(getattr(item.default, "value", item.default)).lower(), name
        assert what == item.description
        assert values == (f"{item.range[0]:g} to {item.range[1]:g}" if item.range else ""), name


def test_the_fixed_shares_are_those_of_the_code():
    assert "within 0.2 to 0.8 of the way" in PAGE
    assert arrangement._MIDDLE == (0.2, 0.8)
    assert "beyond 15 objects" in PAGE
    assert arrangement._MOST_FOR_BETWEEN == 15
    assert "smaller than 0.8 of that of *b*" in " ".join(PAGE.split())
    assert contact._INSIDE_SHARE == 0.8
    assert "at least 0.3 of the height" in PAGE
    assert contact._SUNK_SHARE == 0.3


def test_converses_and_frames_are_those_of_the_code():
    table = rows(PAGE, "\n## Frames")
    named = {predicate for row in table for predicate in (row, table[row][0].strip("`"))}
    assert named - {"itself", "property", "none"} == {predicate.value for predicate in Predicate}
    for name, (converse, frame, _, _) in table.items():
        predicate = Predicate(name)
        assert frame == frame_of(predicate).name.lower()
        if predicate in CONVERSE:
            assert converse.strip("`") == CONVERSE[predicate].value
        else:
            expected = "itself" if predicate in SYMMETRIC else "property" if predicate in PROPERTIES else "none"
            assert converse == expected, name


def test_units_are_those_that_are_published():
    """A layout in which everything is stated."""
    front = thing("a").obb.rotation[:, 1]
    found = stated(
        thing("a", right=-0.3, size=(0.1, 0.04, 0.2), front=front),
        thing("b", right=0.4, forward=1.02, size=(0.1, 0.04, 0.1)),
        thing("tray", right=0.05, forward=1.01, size=(0.3, 0.2, 0.1), hollow=True),
        thing("inner", right=0.05, forward=1.01, bottom=0.01, size=(0.08, 0.08, 0.05)),
        thing("on top", right=0.4, forward=1.02, bottom=0.1, size=(0.03, 0.03, 0.03)),
        thing("ahead", right=-0.3, forward=1.8),
        thing("beyond", right=-0.35, forward=1.2, size=(0.2, 0.1, 0.02)),
    )
    table = rows(PAGE, "\n## Frames")
    units = {row: cells[3] for row, cells in table.items()}
    units |= {cells[0].strip("`"): cells[3] for cells in table.values() if cells[0].startswith("`")}
    said = {r.predicate: r.unit for r in found.stated}
    assert set(said) == set(units)
    assert said == {name: units[name] for name in said}


def test_every_relation_has_a_picture():
    shown = re.findall(r"\(images/relation-(\w+)\.png\)", PAGE)
    assert len(shown) == len(set(shown))
    assert {path.stem.removeprefix("relation-") for path in (DOCS / "images").glob("relation-*.png")} == set(shown)
    for section in PAGE.split("\n## ")[3:-1]:
        assert "![" in section, section.splitlines()[0]
    assert sum(path.stat().st_size for path in (DOCS / "images").glob("relation-*.png")) < 1.5e6

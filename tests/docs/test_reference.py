"""The reference pages name everything that there is."""

import re
from pathlib import Path

import pytest

from joyai_ros.cli import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_option_is_described(name, capsys):
    assert main.run([name, "--help"]) == 0
    options = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help"}
    page = (ROOT / "docs" / "cli.md").read_text()
    section = page.partition(f"## joyai-ros {name}\n")[2].partition("\n## ")[0]
    assert section, f"docs/cli.md has no section on {name}"
    for option in options:
        assert re.search(rf"`{option}\b", section), f"docs/cli.md does not describe {name} {option}"


def test_every_interface_is_described():
    page = (ROOT / "docs" / "messages.md").read_text()
    for kind in ("msg", "srv", "action"):
        for path in (ROOT / kind).glob(f"*.{kind}"):
            assert f"`{path.stem}`" in page

"""What small-und finds by itself: what it does not find it cannot count."""

import json

import pytest

pytest.importorskip("transformers", reason="the extra neural is not installed")

from benchmarks import listing_found
from benchmarks.listed_scenes import asked


def test_it_finds_most_of_what_is_shown():
    found = listing_found.measured(scenes=6, seed=1_700_000)
    assert len(found.things) > 25
    assert found.share("found") > 0.7
    assert found.share("named") > 0.6
    assert found.made_up < 0.2 * found.listed


def test_its_figures_are_printed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["listing_found", "--scenes", "1", "--seed", "1700000", "--json"])
    listing_found.main()
    figures = json.loads(capsys.readouterr().out)
    assert 0.0 <= figures["found and named"] <= figures["found"] <= 1.0


def test_a_model_that_lists_nothing_is_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["listing_found", "--scenes", "1", "--model", "none"])
    with pytest.raises(SystemExit, match="none lists nothing in this process"):
        listing_found.main()


def test_no_scenes_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["listing_found", "--scenes", "0"])
    with pytest.raises(SystemExit, match="2"):
        asked("listing_found", "What a listing finds.", 60, 0)
    assert "--scenes must be at least 1" in capsys.readouterr().err

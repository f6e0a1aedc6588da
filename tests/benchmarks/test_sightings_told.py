"""How well sightings are told apart: measured on rendered tables, with the shipped small-und."""

import json

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra neural is not installed")

from benchmarks import sightings_told
from joyai_ros.understanding.sightings import Sighting

SHARES = np.array([1.0, 0.0]), np.array([0.5, 0.5])


def sighting(x, sure, windows):
    return Sighting((x, 0.2, x + 0.1, 0.4), sure, 0.0, windows, *SHARES)


def shown(of, things=1, partly=()):
    sightings = tuple(sighting(place / len(of), 5.0 - place, 4.0 + place % 2) for place in range(len(of)))
    return sightings_told.Shown(tuple(each.box for each in sightings[:things]), partly, sightings, of)


def test_its_figures_and_weights_are_printed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sightings_told", "--scenes", "8", "--seed", "1800000", "--json"])
    sightings_told.main()
    found = json.loads(capsys.readouterr().out)
    assert found["sightings"] > found["things well in sight"] > 30
    assert found["as in the package"]["found"] > 0.8
    assert found["as in the package"]["made up"] < 0.15
    assert list(found["weights"]) == list(sightings_told.SIGNS)


def test_too_few_scenes_are_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["sightings_told", "--scenes", "1", "--seed", "1800000"])
    with pytest.raises(SystemExit, match="too few scenes"):
        sightings_told.main()


def test_figures_count_what_is_found_and_what_is_made_up():
    every = np.array([10.0] + [0.0] * 9)  # takes all for a thing
    images = [shown((2, 0)), shown((2, 1, 2), things=2, partly=((0.0, 0.0, 1.0, 1.0),))]
    assert sightings_told.figures(images, [every, every]) == {
        "found": 1.0,
        "made up": pytest.approx(1 / 5),
        "as many": 0.0,
        "fewer": 0.0,
        "more": 1.0,
    }
    assert sightings_told.figures(images, [-every, -every])["fewer"] == 1.0


def test_weights_tell_the_sure_from_the_others():
    assert sightings_told.weights_of([shown((2, 2, 0, 0), things=2)] * 20)[1] > 0.5

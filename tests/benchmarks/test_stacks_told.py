"""How well a listing tells what stands on another thing: measured on rendered tables, with the shipped small-und."""

import json

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra neural is not installed")

from benchmarks import stacks_told


def test_its_figures_and_weights_are_printed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["stacks_told", "--scenes", "16", "--seed", "1800000", "--json"])
    stacks_told.main()
    found = json.loads(capsys.readouterr().out)
    assert found["things"] > found["ending in another"] > found["of these on another"] > 2
    assert found["as in the package"]["area"] > 0.8
    assert list(found["weights"]) == list(stacks_told.SIGNS)


def test_too_few_scenes_are_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["stacks_told", "--scenes", "1", "--seed", "1800000"])
    with pytest.raises(SystemExit, match="too few scenes"):
        stacks_told.main()


def test_weights_are_those_that_the_truth_follows_from():
    random = np.random.default_rng(0)
    signs = np.column_stack([np.ones(4000), random.standard_normal((4000, 2)), np.zeros(4000)])
    stands = random.random(4000) < 1 / (1 + np.exp(-(signs @ (-1.0, 2.0, 0.0, 0.0))))
    np.testing.assert_allclose(stacks_told.fitted(signs, stands), (-1.0, 2.0, 0.0, 0.0), atol=0.25)


def test_figures_are_of_hits_and_false_alarms():
    stands = np.array([True, True, False, False, False])
    assert stacks_told.figures(np.array([2.0, -1.0, 1.0, -2.0, -3.0]), stands) == {
        "area": pytest.approx(5 / 6),
        "hits": 0.5,
        "false alarms": pytest.approx(1 / 3),
    }

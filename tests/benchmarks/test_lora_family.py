"""The figures of the LoRA experiment, from planted scores."""

import pytest

pytest.importorskip("mujoco", reason="its scenes are simulated")
from benchmarks.lora_family import PASTEL, Outcome, lines
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1


def test_gain_and_loss_are_against_the_model_before():
    kept = ((0.75, 0.9), (0.71, 0.88), (0.7, 0.89))
    found = Outcome((0.5, 0.9), kept, free=((0.9, 0.8), (0.6, 0.8), (0.3, 0.86)))
    kept_gain, kept_loss, free_gain, free_loss = lines(found)
    assert [line["ok"] for line in (kept_gain, kept_loss, free_gain, free_loss)] == [True, True, False, False]
    assert kept_gain["figure"] == "+22.0% (seeds: +25.0%, +21.0%, +20.0%)"
    assert free_loss["figure"] == "+8.0% (seeds: +10.0%, +10.0%, +4.0%)"
    assert "with the KL term" in kept_gain["line"] and "without it" in free_gain["line"]


def test_the_new_family_differs_in_its_colours_alone():
    new, old = describe(5, PASTEL), describe(5)
    assert new.name == "pastel-v1" and {name for name, _ in PASTEL.colors} == {name for name, _ in TABLETOP_V1.colors}
    for name, color in TABLETOP_V1.colors:
        if name != "white":
            assert max(abs(a - b) for a, b in zip(dict(PASTEL.colors)[name], color, strict=True)) > 0.2, name
    assert len(new.objects) > 0 and old.name == "tabletop-v1"

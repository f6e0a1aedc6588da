"""The figures of the LoRA experiment, from planted scores."""

import pytest
import yaml

pytest.importorskip("mujoco", reason="its scenes are simulated")
from benchmarks.lora_family import PASTEL, Asked, Outcome, _recipe, changes, lines
from joyai_ros.settings import load
from joyai_ros.sim.distribution import describe
from joyai_ros.sim.tabletop_v1 import TABLETOP_V1
from joyai_ros.training.mllm.config import MllmTraining
from joyai_ros.training.mllm.curriculum import KINDS


def scores(right, task="color", n=100):
    """Return n questions about ten scenes, of which so many are answered right."""
    return {f"{task}/{k}": Asked(task, f"scene {k % 10}", float(k < right)) for k in range(n)}


def test_its_recipe_names_exercises_that_there_are(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(_recipe("small-und", tmp_path / "new", tmp_path / "old", 20)))
    config = load(MllmTraining, path, ["keep.weight=1"])
    config.check()
    assert {name.partition("/")[2] for stage in config.stages for name in stage.mix} < set(KINDS)


def test_gain_and_loss_are_against_the_model_before():
    kept = tuple((scores(new), scores(old)) for new, old in ((75, 90), (71, 88), (70, 89)))
    free = tuple((scores(new), scores(old)) for new, old in ((90, 80), (60, 80), (30, 86)))
    kept_gain, kept_loss, free_gain, free_loss = lines(Outcome((scores(50), scores(90)), kept, free))
    assert [line["ok"] for line in (kept_gain, kept_loss, free_gain, free_loss)] == [True, True, False, False]
    assert kept_gain["figure"].startswith("+22.0% (95%: ")
    assert kept_gain["figure"].endswith("; seeds: +25.0%, +21.0%, +20.0%)")
    assert free_loss["figure"].startswith("+8.0% (95%: +")
    assert free_loss["figure"].endswith("; seeds: +10.0%, +10.0%, +4.0%)")
    assert "with the KL term" in kept_gain["line"] and "without it" in free_gain["line"]


def test_a_change_is_of_the_mean_over_tasks_and_its_interval_that_of_scenes_and_seeds():
    before = scores(0, "color", 90) | scores(0, "count", 10)
    each, (low, high) = changes(before, [scores(90, "color", 90) | scores(0, "count", 10)] * 3)
    assert each == [0.5] * 3, "the task with few questions has as much of a vote"
    assert (low, high) == (0.5, 0.5), "nothing varies"
    each, (low, high) = changes(before, [before, scores(90, "color", 90) | scores(10, "count", 10)])
    assert each == [0.0, 1.0]
    assert (low, high) == (0.0, 1.0), "seeds vary"
    some = {name: Asked(q.task, q.scene, float(q.scene < "scene 5")) for name, q in before.items()}
    each, (low, high) = changes(before, [some] * 3)
    assert each[0] == pytest.approx(0.5)
    assert 0.1 < low < 0.35 and 0.65 < high < 0.9, "ten scenes vary"


def test_the_new_family_differs_in_its_colours_alone():
    new, old = describe(5, PASTEL), describe(5)
    assert new.name == "pastel-v1" and {name for name, _ in PASTEL.colors} == {name for name, _ in TABLETOP_V1.colors}
    for name, color in TABLETOP_V1.colors:
        if name != "white":
            assert max(abs(a - b) for a, b in zip(dict(PASTEL.colors)[name], color, strict=True)) > 0.2, name
    assert len(new.objects) > 0 and old.name == "tabletop-v1"

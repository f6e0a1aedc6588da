import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import scene_accuracy
from benchmarks.workers import over_seeds, seed_range
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import Scene, SceneObject
from joyai_ros.sim.relations import true_objects
from joyai_ros.training.evaluation.scene_scores import QUANTITIES, SETTINGS, SceneScore, look, matches, score
from joyai_ros.training.evaluation.scene_summary import share_within, summarise, summary_json

SEED = 7101


@pytest.fixture(scope="module")
def seen():
    pytest.importorskip("mujoco")
    return look(SEED)


@pytest.fixture(scope="module")
def exact(seen):
    """The scene that a faultless engine would give: true boxes, sigmas of a millimetre."""
    return faultless(seen.truth)


def faultless(truth, shift=(0.0, 0.0, 0.0), keep=None):
    objects = tuple(
        SceneObject(
            id=item.id,
            label=item.label,
            obb=OrientedBox(item.obb.center + shift, item.obb.rotation, item.obb.size),
            box=truth.view(item.id).box,
            center_sigma=np.full(3, 0.001),
            size_sigma=np.full(3, 0.001),
            height=item.height,
            height_sigma=0.001,
            hollow=item.hollow,
        )
        for item in true_objects(truth)
        if keep is None or item.id in keep
    )
    stated = relate(objects, truth.up, RelationConfig(confidence_sigmas=0.0)).stated
    return Scene(stamp=1, frame_id="camera", objects=objects, relations=stated, up=truth.up)


def test_the_settings_differ_in_nothing_but_detections(seen):
    first, second, third = (seen.observations[name] for name in SETTINGS)
    assert np.array_equal(first.depth, third.depth)
    assert np.array_equal(first.color, second.color)
    assert third.detections is None
    assert [d.id for d in first.detections] == [d.id for d in second.detections]
    assert [d.box for d in first.detections] != [d.box for d in second.detections]


def test_a_faultless_scene_scores_full_marks(seen, exact):
    found = score(SEED, seen.truth, exact, True, RelationConfig())
    visible = [view for view in seen.truth.views if view.visible_fraction >= 0.3]
    assert [item.id for item in found.objects] == [view.id for view in visible]
    assert all(item.iou > 0.999 for item in found.objects)
    assert found.right.total() > 10
    assert found.outright["left_of"] == found.outright["taller_than"] == 0
    for predicate in ("left_of", "in_front_of", "taller_than", "closer_than", "near", "bigger_than"):
        assert found.wrong[predicate] == found.missed[predicate] == 0
    assert all(abs(r) < 1e-6 for name in QUANTITIES for r in found.ratios[name])


def test_the_outer_two_have_no_order_in_what_is_between_them():
    """Clusters come in an order of their own: what lies between two lies between them whichever is named first."""
    pytest.importorskip("mujoco")
    crowd = look(7105)
    exact = faultless(crowd.truth)
    turned = relate(exact.objects[::-1], crowd.truth.up, RelationConfig(confidence_sigmas=0.0)).stated
    first, second = (
        score(7105, crowd.truth, replace(exact, relations=relations), True, RelationConfig())
        for relations in (exact.relations, turned)
    )
    assert first.right["between"] > 0
    assert (second.right, second.wrong, second.missed) == (first.right, first.wrong, first.missed)


def test_errors_are_counted_in_the_sigmas_given(seen):
    up = 0.0015 * seen.truth.up
    found = score(SEED, seen.truth, faultless(seen.truth, shift=up), True, RelationConfig())
    assert np.allclose(found.ratios["centre up"], 1.5)
    assert np.allclose(found.ratios["centre across"], 0.0, atol=1e-6)
    assert np.allclose(found.ratios["centre distance"], 0.0, atol=1e-6)
    pairs = len(found.objects) * (len(found.objects) - 1) // 2
    assert len(found.ratios["centre distance"]) == len(found.ratios["box distance"]) == pairs


def test_what_differs_by_less_than_the_margin_is_not_outright_wrong(seen):
    strict = RelationConfig(lateral_margin=0.12, near_distance=0.1)
    scene = faultless(seen.truth)
    found = score(SEED, seen.truth, scene, True, strict)
    assert found.wrong["left_of"] > 0
    assert found.outright["left_of"] == 0
    assert found.wrong["near"] == found.outright["near"] > 0


def test_what_was_not_found_counts_against_it(seen, exact):
    names = [item.id for item in exact.objects]
    lacking = score(SEED, seen.truth, faultless(seen.truth, keep=names[1:]), True, RelationConfig())
    whole = score(SEED, seen.truth, exact, True, RelationConfig())
    (missing,) = [item for item in lacking.objects if not item.found]
    assert missing.id == names[0]
    assert missing.iou == 0.0
    assert lacking.right.total() < whole.right.total()
    assert lacking.missed.total() == whole.missed.total() + whole.right.total() - lacking.right.total()


def test_clusters_are_matched_one_to_one_by_their_boxes(seen, exact):
    renamed = Scene(
        stamp=1,
        frame_id="camera",
        objects=tuple(
            SceneObject(f"cluster_{n}", "", item.obb, box=item.box)
            for n, item in enumerate((*exact.objects, *exact.objects))
        ),
        up=seen.truth.up,
    )
    real = matches(seen.truth, renamed)
    assert sorted(real.values()) == sorted(view.id for view in seen.truth.views if view.box is not None)
    assert score(SEED, seen.truth, renamed, False, RelationConfig()).extra == len(renamed.objects) - len(real)
    assert matches(seen.truth, Scene(stamp=1, frame_id="camera")) == {}


def test_the_engine_is_mostly_right(seen):
    found = summarise(
        [score(SEED, seen.truth, SceneEngine().process(seen.observations["true"]), True, RelationConfig())]
    )
    assert found.statements.precision > 0.8
    assert found.iou > 0.4


def test_a_summary_pools_what_it_is_given():
    first, second = SceneScore(1), SceneScore(2)
    first.right["on"], first.wrong["on"], first.outright["on"] = 3, 1, 1
    second.missed["on"], second.right["near"] = 2, 5
    first.ratios["height"], second.ratios["length"] = [0.5, -0.9, 2.0], [-3.0]
    found = summarise([first, second])
    assert found.by_predicate["on"].precision == 0.75
    assert found.by_predicate["on"].recall == 0.6
    assert found.by_predicate["near"].precision == found.by_predicate["near"].recall == 1.0
    assert (found.statements.right, found.statements.outright) == (8, 1)
    assert found.calibration == 0.5
    assert found.within_one_sigma == {"height": 2 / 3, "length": 0.0}
    assert share_within(np.array([0.5, 1.5, -2.5]), 2.0) == 2 / 3
    assert summary_json(found)["relations"]["on"]["wrong"] == 1


def test_the_command_prints_and_writes_its_figures(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mujoco")
    path = tmp_path / "figures.json"
    arguments = ["scene_accuracy", "--seeds", f"{SEED}:{SEED + 1}", "--processes", "1", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", arguments)
    scene_accuracy.main()
    figures = json.loads(path.read_text())
    assert figures["seeds"] == [SEED, SEED + 1]
    assert set(SETTINGS) < set(figures)
    assert 0.0 <= figures["none"]["relations"]["all"]["recall"] <= 1.0
    assert "left_of" in capsys.readouterr().out


def test_pictures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'evidence'")
    pytest.importorskip("mujoco")
    from benchmarks.scene_pictures import draw

    scores = scene_accuracy.measure(range(SEED, SEED + 1), processes=1)
    draw(tmp_path, scores, {boxes: summarise(group) for boxes, group in scores.items()})
    assert {path.name for path in tmp_path.iterdir()} == {
        "plots.png",
        *(f"{which}_{boxes}.jpg" for which in ("worst", "random") for boxes in ("true", "none")),
    }


def test_evidence_says_which_command_repeats_it(monkeypatch):
    pytest.importorskip("mujoco")
    monkeypatch.setattr(scene_accuracy, "UNSEEN", range(SEED, SEED + 1))
    monkeypatch.setattr(scene_accuracy, "PROCESSES", 1)
    lines = scene_accuracy.evidence()
    assert len(lines) == 5
    assert all(line["command"].endswith(f"--seeds {SEED}:{SEED + 1}") for line in lines)
    assert all(line["figure"].count(" / ") == 2 for line in lines)


@pytest.mark.parametrize("text", ["3", "5:5", "7:3", "-4:3", "a:b"])
def test_a_range_that_names_no_seeds_is_refused(text):
    with pytest.raises(ValueError):
        seed_range(text)


def test_work_is_spread_and_comes_back_in_order():
    assert over_seeds(abs, range(3, 9), "numbers") == [3, 4, 5, 6, 7, 8]
